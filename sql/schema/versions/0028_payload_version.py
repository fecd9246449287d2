"""With which templates the payloads of each month were made."""

from ic_assets.core.schema import run_file

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    run_file("0028_payload_version_up")


def downgrade() -> None:
    run_file("0028_payload_version_down")
