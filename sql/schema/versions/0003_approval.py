"""Approvals of production pushes."""

from ic_assets.core.schema import run_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_file("0003_approval_up")


def downgrade() -> None:
    run_file("0003_approval_down")
