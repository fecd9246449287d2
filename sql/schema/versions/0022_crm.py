"""The company centre: what all flows write into and read from."""

from ic_assets.core.schema import run_file

revision = "0022"
down_revision = "0020"


def upgrade() -> None:
    run_file("0022_crm_up")
    run_file("0022_crm_waking_up")


def downgrade() -> None:
    run_file("0022_crm_down")
