"""What the CRM's words mean, as data."""

from ic_assets.core.schema import run_file

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_file("0016_mapping_up")


def downgrade() -> None:
    run_file("0016_mapping_down")
