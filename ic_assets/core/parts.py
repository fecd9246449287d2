"""What the rooms and flows bring to the commands and pages that serve all of them, by import path: nothing is imported until
it is used, and core knows none of them. A flow that joins adds its line to each list that concerns it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pkgutil import resolve_name
from typing import Any

DICTIONARIES = (
    "ic_assets.activities.facts.dictionary:WORDS",
    "ic_assets.inbox.table_words:WORDS",
    "ic_assets.crm.table_words:WORDS",
    "ic_assets.payments.facts.table_words:WORDS",
)
"""``core.dictionary.Words``: what tables and columns are."""

INBOX_FLOWS: tuple[str, ...] = ("ic_assets.payments.engine.flow:FLOW",)
"""``inbox.registry.Flow``: what a flow takes out of the inbox, and how."""

RULE_FILES = (
    "ic_assets.activities.engine.staging.classification:FILES",
    "ic_assets.crm.countries:RULE_FILES",
    "ic_assets.payments.engine.storing.files:FILES",
)
"""``core.rules_data.RuleFile``: the files of rules that people edit, of one flow or room each."""

EXPLAINERS = ("ic_assets.crm.explain:EXPLAINERS", "ic_assets.payments.engine.explain:EXPLAINERS")
"""``core.explaining.Explainer`` by kind: the sections of `ic-assets explain`, in their order."""


def all_rule_files() -> list[Any]:
    return [file for files in brought(RULE_FILES) for file in files]


def brought(paths: Sequence[str]) -> Iterator[Any]:
    """What stands at each path, ``package.module:name``."""
    return map(resolve_name, paths)
