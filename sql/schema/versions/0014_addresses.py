"""What stood where an e-mail address was asked for."""

from ic_assets.core.schema import run_file

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_file("0014_addresses_up")


def downgrade() -> None:
    run_file("0014_addresses_down")
