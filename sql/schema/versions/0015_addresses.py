"""What stood where an e-mail address was asked for."""

from ic_assets.core.schema import run_file

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_file("0015_addresses_up")


def downgrade() -> None:
    run_file("0015_addresses_down")
