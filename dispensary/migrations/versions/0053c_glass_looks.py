"""An opened sealed code is read through like an unusual look."""

from alembic import op

revision = "0053c_glass_looks"
down_revision = "0053b_token_pace"
branch_labels = None
depends_on = None

_KINDS = ("many", "outside_hours", "watched", "colleague", "own_record", "other_reason", "emergency")


def _allow(*kinds: str) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.execute(
        "ALTER TABLE look_review DROP CONSTRAINT ck_look_review_kind,"
        f" ADD CONSTRAINT ck_look_review_kind CHECK (kind IN ({listed}))"
    )


def upgrade() -> None:
    _allow(*_KINDS, "sealed_code")


def downgrade() -> None:
    _allow(*_KINDS)
