"""When what HubSpot told about its limits ceases to count."""

from ic_assets.core.schema import run_file

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_file("0013_rate_budget_up")


def downgrade() -> None:
    run_file("0013_rate_budget_down")
