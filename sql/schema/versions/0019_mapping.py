"""What the CRM's words mean, as data."""

from ic_assets.core.schema import run_file

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_file("0019_mapping_up")


def downgrade() -> None:
    run_file("0019_mapping_down")
