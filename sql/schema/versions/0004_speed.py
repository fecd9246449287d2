"""What a load of millions of rows needs of the tables."""

from ic_assets.core.schema import run_file

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_file("0004_speed_up")


def downgrade() -> None:
    run_file("0004_speed_down")
