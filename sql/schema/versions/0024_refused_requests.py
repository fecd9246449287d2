"""Counts of the requests that the receiver refused."""

from ic_assets.core.schema import run_file

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    run_file("0024_refused_requests_up")


def downgrade() -> None:
    run_file("0024_refused_requests_down")
