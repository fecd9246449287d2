"""What Dagster shows of the company centre itself: the countries' aliases and the check of their file. The centre's other
tables are assets of the flows that write them.
"""

from __future__ import annotations

import dagster as dg

from ic_assets.crm.countries import RULE_FILES, sync_aliases
from ic_assets.operations.rule_checks import rule_file_check
from ic_assets.resources.dagster_resources import PostgresResource

COUNTRY_ALIAS = dg.AssetKey(["crm", "country_alias"])


@dg.asset(
    key=COUNTRY_ALIAS,
    group_name="crm",
    kinds={"csv", "postgres"},
    owners=["team:revenue-operations"],
    description="What people write for a country beside what ISO 3166 knows: the mirror of `sql/crm/country_alias.csv`, or"
    " of one of your own. Flows that read countries bring it up to date themselves; a run shows what changed.",
)
def country_alias(postgres: PostgresResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    changed = postgres.database.repeated("country_alias", sync_aliases)
    with postgres.database.transaction() as connection:
        row = connection.execute("SELECT count(*) FROM crm.country_alias").fetchone()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": row[0] if row else 0,
            "changed": dg.MetadataValue.text(", ".join(changed) or "nothing"),
        }
    )


def build() -> dg.Definitions:
    return dg.Definitions(assets=[country_alias], asset_checks=[rule_file_check(COUNTRY_ALIAS, RULE_FILES)])
