"""The flow of payments: Chargebee's events, and what follows from them."""

from ic_assets.core.schema import run_file

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    run_file("0027_payments_up")


def downgrade() -> None:
    run_file("0027_payments_down")
