"""The push ledger, in a schema of its own."""

from ic_assets.core.schema import run_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_file("0002_hubspot_up")


def downgrade() -> None:
    run_file("0002_hubspot_down")
