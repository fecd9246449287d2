"""The ledger's records are known by a key that a flow gives them."""

from ic_assets.core.schema import run_file

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    run_file("0026_record_key_up")


def downgrade() -> None:
    run_file("0026_record_key_down")
