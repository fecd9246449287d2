"""README.md and docs/ against the product: its commands, settings, files and graph. Nothing is executed."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest
import typer
import yaml  # type: ignore[import-untyped]

from ic_assets.cli import app
from ic_assets.core import masking

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SETTING = re.compile(r"[\"'`]((?:IC|HUBSPOT)_[A-Z_]+)[\"'`]")
# What a path in a code span starts with, so that `hubspot.push_ledger` is not taken for one.
FOLDERS = ("ic_assets/", "ic_assets_tests/", "sql/", "templates/", "docs/", "deploy/")


def code(page: Path) -> Iterator[str]:
    """The shell lines of the page's blocks, and its code spans with their line breaks undone."""
    text = page.read_text(encoding="utf-8")
    for language, block in FENCE.findall(text):
        if language == "sh":
            yield from (line for line in block.splitlines() if line.strip())
    yield from (" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", text)))


def commands(program: str) -> list[Any]:
    """The arguments of every command line of the pages that starts with the program."""
    start = re.compile(rf"(?:[A-Z_]+=\S+ +)*(?:\.venv/bin/)?{program}(?: |$)")
    found = {}
    for page in PAGES:
        for line in code(page):
            if match := start.match(line.strip()):
                words = shlex.split(line.strip()[match.end() :], comments=True)
                found[f"{page.name}: {program} {shlex.join(words)}"] = words
    return [pytest.param(words, id=name) for name, words in sorted(found.items())]


@pytest.mark.parametrize("words", commands("ic-assets"))
def test_every_command_line_of_the_pages_parses(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    context = command.make_context("ic-assets", list(words), resilient_parsing=not words)
    while words and hasattr(command, "resolve_command"):
        name, command, words = command.resolve_command(context, words)
        # Without arguments it is a command's name in a sentence.
        context = command.make_context(name, list(words), parent=context, resilient_parsing=not words)


@pytest.mark.parametrize("words", commands("make"))
def test_every_make_target_of_the_pages_exists(words: list[str]) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {word for word in words if "=" not in word} <= targets


def test_the_pages_name_commands_to_parse() -> None:
    assert len(commands("ic-assets")) > 20
    assert len(commands("make")) > 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(("http://", "https://")):
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not heading or heading in headings(target), f"{page.name}: {link}"


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives the page's headings."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    for span in code(page):
        if span.startswith(FOLDERS) and " " not in span and not set(span) & set("<*{"):
            assert (ROOT / span).exists(), f"{page.name}: {span}"


def test_the_configuration_table_names_every_variable_that_is_read_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("\n## Configuration\n")[2].partition("\n## ")[0]
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE))
    core = [ROOT / "ic_assets" / "core" / name for name in ("settings.py", "months.py", "receiving.py")]
    read = {name for file in core for name in SETTING.findall(file.read_text(encoding="utf-8"))}
    read |= set(masking.SECRET_LISTS)
    assert {"IC_PARTITIONS_START", "IC_RECEIVE_PORT"} <= read
    assert read <= listed
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "ic_assets").rglob("*.py"))
    assert {name for name in listed if f'"{name}"' not in source} == set()


def test_drawing_the_graph_again_gives_the_committed_picture() -> None:
    graph = _graph()
    assert graph.draw() == graph.PICTURE.read_text(encoding="utf-8"), "run: .venv/bin/python docs/graph.py"


def _graph() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_graph", ROOT / "docs" / "graph.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks itself up
    spec.loader.exec_module(module)
    return module


def test_what_the_pages_write_into_the_launchpad_is_a_configuration_of_its_job() -> None:
    from ic_assets.definitions import build_defs

    blocks = [block for page in PAGES for language, block in FENCE.findall(page.read_text()) if language == "yaml"]
    configs = [config for config in map(yaml.safe_load, blocks) if isinstance(config, dict) and "ops" in config]
    assert configs
    job = build_defs().resolve_job_def("push_to_hubspot")
    for config in configs:
        dg.validate_run_config(job, config)
        config["ops"]["hubspot_engagements"]["config"]["token"] = "x"
        with pytest.raises(dg.DagsterInvalidConfigError):
            dg.validate_run_config(job, config)
