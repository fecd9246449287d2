"""The inbox: events of every source, as they came."""

from ic_assets.core.schema import run_file

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    run_file("0023_inbox_up")


def downgrade() -> None:
    run_file("0023_inbox_down")
