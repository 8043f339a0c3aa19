"""A counter that several people share: PINs, and who is at the screen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_shift"
down_revision = "0005_bottles"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counter_pin",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("pin_hash", sa.Text(), nullable=False),
        sa.Column("wrong", sa.SmallInteger(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("wrong BETWEEN 0 AND 5", name=op.f("ck_counter_pin_wrong")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_counter_pin_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_counter_pin")),
    )
    op.create_table(
        "station",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_station")),
    )
    op.create_table(
        "shift_setting",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("lock_after_minutes", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("lock_after_minutes BETWEEN 1 AND 10", name=op.f("ck_shift_setting_lock_after_minutes")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_shift_setting_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_shift_setting")),
    )
    # Nobody knows at which browser an earlier sign-in is: everybody signs in once more.
    op.execute("DELETE FROM sign_in")
    op.add_column("sign_in", sa.Column("station_id", sa.Uuid(), nullable=True))
    op.add_column("sign_in", sa.Column("place", sa.SmallInteger(), nullable=True))
    op.add_column("sign_in", sa.Column("locked_at", sa.DateTime(timezone=True), nullable=True))
    op.create_foreign_key(op.f("fk_sign_in_station_id"), "sign_in", "station", ["station_id"], ["id"])
    op.create_unique_constraint(op.f("uq_sign_in_station_id_account_id"), "sign_in", ["station_id", "account_id"])
    op.create_unique_constraint(op.f("uq_sign_in_station_id_place"), "sign_in", ["station_id", "place"])
    op.create_index(
        "uq_sign_in_front", "sign_in", ["station_id"], unique=True, postgresql_where=sa.text("locked_at IS NULL")
    )
    op.create_check_constraint(op.f("ck_sign_in_place"), "sign_in", "place BETWEEN 1 AND 8")
    op.create_check_constraint(
        op.f("ck_sign_in_shift_has_station"),
        "sign_in",
        "(station_id IS NULL) = (place IS NULL) AND (station_id IS NOT NULL OR locked_at IS NULL)",
    )
