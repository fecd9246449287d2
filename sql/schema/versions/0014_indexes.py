"""What people look records up by."""

from ic_assets.core.schema import run_file

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_file("0014_indexes_up")


def downgrade() -> None:
    run_file("0014_indexes_down")
