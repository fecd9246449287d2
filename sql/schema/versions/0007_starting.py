"""What the things that start by themselves remember: rule files, files of the drop folder, attempts."""

from ic_assets.core.schema import run_file

revision = "0007"
down_revision = "0004"


def upgrade() -> None:
    run_file("0007_starting_up")


def downgrade() -> None:
    run_file("0007_starting_down")
