"""The asset check that says whether files of rules can stand: it fails while one cannot, as a warning, since the last good
version stays in force and runs go on; like every new warning it is posted where alerts go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dagster as dg

from ic_assets.core import rules_data
from ic_assets.core.rules_data import RuleFile
from ic_assets.resources.dagster_resources import PostgresResource

_WHAT_TO_DO = "Correct what it names; `ic-assets rules check` says whether the file can stand."


def rule_file_check(asset: dg.AssetKey, files: Sequence[RuleFile[Any]]) -> dg.AssetChecksDefinition:
    """The check ``rule_files`` of the asset that rests on the files. It does not block."""

    @dg.asset_check(
        asset=asset,
        name="rule_files",
        description=f"{', '.join(file.name for file in files)}: read, and in force.",
    )
    def rule_files(postgres: PostgresResource) -> dg.AssetCheckResult:
        with postgres.database.transaction() as connection:
            problems = [found for file in files if (found := rules_data.problem(connection, file))]
            standing = [rules_data.in_force(connection, file) for file in files]
        metadata: dict[str, dg.MetadataValue] = {"in_force": dg.MetadataValue.md("\n".join(f"- {s}" for s in standing))}
        if problems:
            metadata["what_to_do"] = dg.MetadataValue.text(_WHAT_TO_DO)
        return dg.AssetCheckResult(
            passed=not problems,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(problems) or "All can stand.",
            metadata=metadata,
        )

    return rule_files
