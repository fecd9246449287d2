"""Several people on one communication, and rows that the source deleted."""

from ic_assets.core.schema import run_file

revision = "0012"
down_revision = "0007"


def upgrade() -> None:
    run_file("0012_people_up")


def downgrade() -> None:
    run_file("0012_people_down")
