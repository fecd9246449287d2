"""How a drop was read, and what is amiss with one that hardly loads."""

from ic_assets.core.schema import run_file

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_file("0016_reading_up")


def downgrade() -> None:
    run_file("0016_reading_down")
