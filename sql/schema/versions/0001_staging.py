"""The staging schema."""

from ic_assets.core.schema import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_file("0001_staging_up")


def downgrade() -> None:
    run_file("0001_staging_down")
