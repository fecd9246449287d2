"""The settings that shape the data, kept in the database."""

from ic_assets.core.schema import run_file

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    run_file("0024_settings_up")


def downgrade() -> None:
    run_file("0024_settings_down")
