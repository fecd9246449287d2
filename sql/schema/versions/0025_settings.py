"""The settings that shape the data, kept in the database."""

from ic_assets.core.schema import run_file

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    run_file("0025_settings_up")


def downgrade() -> None:
    run_file("0025_settings_down")
