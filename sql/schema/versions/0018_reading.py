"""How a drop was read, and what is amiss with one that hardly loads."""

from ic_assets.core.schema import run_file

revision = "0018"
down_revision = "0016"


def upgrade() -> None:
    run_file("0018_reading_up")


def downgrade() -> None:
    run_file("0018_reading_down")
