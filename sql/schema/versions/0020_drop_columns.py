"""The columns of a drop in their order, so that a rejected row can be taken apart again."""

from ic_assets.core.schema import run_file

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_file("0020_drop_columns_up")


def downgrade() -> None:
    run_file("0020_drop_columns_down")
