"""Renders the JSON templates of ``templates/``. A template is rendered with whatever stands for a row: the values
of one row, or expressions that stand for those of all rows; the caller says how each is printed.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
    meta,
    nodes,
)

from ic_assets.core.failures import Refused
from ic_assets.core.files import TEMPLATES_DIR


class TemplateFault(Exception):
    """Raised by a filter or function that a template misuses; the template's name and line are added."""


class JsonTemplate:
    """A template whose output is JSON. ``print_value`` turns what stands between ``{{ }}`` into JSON text.

    Raises ``Refused``, naming template and line, for a template that does not exist, has bad syntax or names
    something that is neither of ``variables`` nor of ``functions``.
    """

    def __init__(
        self,
        template: str,
        *,
        variables: Collection[str],
        filters: Mapping[str, Callable[..., object]],
        functions: Mapping[str, Callable[..., object]],
        print_value: Callable[[Any], str],
        directory: Path = TEMPLATES_DIR,
    ) -> None:
        self._name = f"templates/{template}"
        self._path = directory / template
        environment = Environment(
            loader=FileSystemLoader(directory),
            undefined=StrictUndefined,
            finalize=print_value,
            autoescape=False,  # noqa: S701 - the output is JSON, printed by print_value
        )
        environment.filters = dict(filters)
        environment.globals = dict(functions)
        try:
            self._check_names(environment.parse(self._path.read_text(encoding="utf-8")), {*variables, *functions})
            self._template = environment.get_template(template)
        except (FileNotFoundError, TemplateNotFound) as error:
            raise Refused(f"{self._name} does not exist; every activity type needs its template") from error
        except TemplateSyntaxError as error:
            raise Refused(f"{self._name}, line {error.lineno}: {error.message}") from error

    def render(self, variables: Mapping[str, object]) -> object:
        """The JSON, parsed. Raises ``Refused`` for a ``TemplateFault``, wrong arguments, text that is not JSON, or a
        key that is set twice."""
        try:
            text = self._template.render(variables)
        except (TemplateFault, UndefinedError, TypeError) as error:
            raise Refused(f"{self._name}, line {self._line(error)}: {error}") from error
        try:
            return json.loads(text, object_pairs_hook=_unique)
        except TemplateFault as error:
            raise Refused(f"{self._name}: {error}") from error
        except json.JSONDecodeError as error:
            near = text[max(0, error.pos - 40) : error.pos + 20].replace("\n", " ")
            raise Refused(f"{self._name} does not render to JSON: {error.msg} near {near!r}") from error

    def _check_names(self, syntax: nodes.Template, known: set[str]) -> None:
        unknown = meta.find_undeclared_variables(syntax) - known
        for node in syntax.find_all(nodes.Name):
            if node.name in unknown:
                raise Refused(
                    f"{self._name}, line {node.lineno}: there is no column {node.name!r};"
                    f" there are {', '.join(sorted(known))}"
                )

    def _line(self, error: BaseException) -> int:
        """The template's line in a traceback, where Jinja names the template's file."""
        frames = traceback.extract_tb(error.__traceback__)
        return next((frame.lineno or 0 for frame in reversed(frames) if frame.filename == str(self._path)), 0)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise TemplateFault(f"{next(key for key in keys if keys.count(key) > 1)} is set twice")
    return values
