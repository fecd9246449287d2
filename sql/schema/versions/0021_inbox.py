"""The inbox: events of every source, as they came."""

from ic_assets.core.schema import run_file

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_file("0021_inbox_up")


def downgrade() -> None:
    run_file("0021_inbox_down")
