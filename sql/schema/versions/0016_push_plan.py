"""The plan of a push, whose approval it used, and edits by people as something that the push knows of."""

from ic_assets.core.schema import run_file

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_file("0016_push_plan_up")


def downgrade() -> None:
    run_file("0016_push_plan_down")
