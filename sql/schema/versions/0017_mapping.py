"""What the CRM's words mean, as data."""

from ic_assets.core.schema import run_file

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_file("0017_mapping_up")


def downgrade() -> None:
    run_file("0017_mapping_down")
