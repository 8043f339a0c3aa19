"""The states of a bottle, each with who and when; supplies that were entered in error; late corrections of days."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from dispensary.migrations.bottle_guards import GUARDS

revision = "0005_bottles"
down_revision = "0004_dosing"
branch_labels = None
depends_on = None

_STATES = (
    "state IN ('prepared', 'checked', 'out', 'handed_over', 'recalled', 'returned_empty', 'returned_full',"
    " 'lost', 'destroyed', 'back_in_stock', 'void')"
)
_A_DOSE = (
    "CASE WHEN state IN ('prepared', 'checked', 'out') THEN dose_id IS NULL"
    " WHEN state IN ('lost', 'back_in_stock') THEN true ELSE dose_id IS NOT NULL END"
)
_KINDS = "kind IN ('received', 'supplied', 'corrected', 'counted', 'destroyed', 'lost', 'note', 'sent', 'returned')"

# What is known of the bottles that there are: when they were packed, handed over, put back, brought back.
_RECORDS = (
    """
    INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, dose_id, note)
    SELECT b.id, 1, CASE WHEN b.pickup_id IS NULL THEN 'handed_over' ELSE 'prepared' END, b.packed_at, b.packed_by,
        CASE WHEN b.pickup_id IS NULL THEN b.dose_id END, ''
    FROM bottle b
    """,
    """
    INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, dose_id, note)
    SELECT b.id, 2, 'handed_over', s.at, s.dispensed_by, b.dose_id, ''
    FROM bottle b JOIN dose d ON d.id = b.dose_id JOIN supply s ON s.id = d.supply_id WHERE b.pickup_id IS NOT NULL
    """,
    """
    INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, note)
    SELECT b.id, 2, 'back_in_stock', coalesce(p.closed_at, b.packed_at), NULL,
        coalesce(nullif(p.reason, ''), 'not collected')
    FROM bottle b JOIN pickup p ON p.id = b.pickup_id WHERE b.state = 'back_in_stock'
    """,
    """
    INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, note)
    SELECT r.bottle_id, (SELECT max(e.seq) + 1 FROM bottle_event e WHERE e.bottle_id = r.bottle_id),
        CASE WHEN r.is_full THEN 'returned_full' ELSE 'returned_empty' END, r.at, r.recorded_by, r.reason
    FROM bottle_return r
    """,
    """
    UPDATE bottle SET state = CASE WHEN r.is_full THEN 'returned_full' ELSE 'returned_empty' END
    FROM bottle_return r WHERE r.bottle_id = bottle.id
    """,
)


def upgrade() -> None:
    _new_tables()
    op.drop_constraint(op.f("ck_register_line_kind"), "register_line", type_="check")
    op.create_check_constraint(op.f("ck_register_line_kind"), "register_line", _KINDS)
    op.drop_constraint(op.f("ck_bottle_state"), "bottle", type_="check")
    op.drop_constraint(op.f("ck_bottle_handed_over_is_a_dose"), "bottle", type_="check")
    op.execute("ALTER TABLE bottle DISABLE TRIGGER USER")
    for statement in _RECORDS:
        op.execute(statement)
    op.execute("ALTER TABLE bottle ENABLE TRIGGER USER")
    op.create_check_constraint(op.f("ck_bottle_state"), "bottle", _STATES)
    op.create_check_constraint(op.f("ck_bottle_handed_over_is_a_dose"), "bottle", _A_DOSE)
    op.drop_index("ix_bottle_prepared", "bottle")
    op.create_index(
        "ix_bottle_in_safe",
        "bottle",
        ["lot_id"],
        postgresql_where=sa.text("state IN ('prepared', 'checked', 'out')"),
    )
    for statement in GUARDS:
        op.execute(statement)


def _new_tables() -> None:
    op.create_table(
        "bottle_event",
        sa.Column("bottle_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("second_id", sa.Uuid(), nullable=True),
        sa.Column("dose_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state <> 'destroyed' OR second_id IS NOT NULL", name=op.f("ck_bottle_event_destroyed_by_two")
        ),
        sa.CheckConstraint(
            "state NOT IN ('lost', 'destroyed', 'back_in_stock', 'void') OR note <> ''",
            name=op.f("ck_bottle_event_has_note"),
        ),
        sa.CheckConstraint("second_id <> account_id", name=op.f("ck_bottle_event_two_are_two")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_bottle_event_account_id")),
        sa.ForeignKeyConstraint(["bottle_id"], ["bottle.id"], name=op.f("fk_bottle_event_bottle_id")),
        sa.ForeignKeyConstraint(["dose_id"], ["dose.id"], name=op.f("fk_bottle_event_dose_id")),
        sa.ForeignKeyConstraint(["second_id"], ["account.id"], name=op.f("fk_bottle_event_second_id")),
        sa.PrimaryKeyConstraint("bottle_id", "seq", name=op.f("pk_bottle_event")),
    )
    op.create_table(
        "supply_void",
        sa.Column("supply_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", postgresql.BYTEA(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("second_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_supply_void_has_reason")),
        sa.CheckConstraint("second_id <> account_id", name=op.f("ck_supply_void_two_are_two")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_supply_void_account_id")),
        sa.ForeignKeyConstraint(["second_id"], ["account.id"], name=op.f("fk_supply_void_second_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_supply_void_site_id")),
        sa.ForeignKeyConstraint(["supply_id"], ["supply.id"], name=op.f("fk_supply_void_supply_id")),
        sa.PrimaryKeyConstraint("supply_id", name=op.f("pk_supply_void")),
        sa.UniqueConstraint("site_id", "key", name=op.f("uq_supply_void_site_id_key")),
    )
    op.create_table(
        "bottle_setting",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("full_returns", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("full_returns IN ('destroy', 'restock')", name=op.f("ck_bottle_setting_full_returns")),
        sa.ForeignKeyConstraint(["set_by"], ["account.id"], name=op.f("fk_bottle_setting_set_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_bottle_setting_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_bottle_setting")),
    )
    op.create_table(
        "day_correction",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("dose_day", sa.Date(), nullable=False),
        sa.Column("portion", sa.SmallInteger(), nullable=False),
        sa.Column("no", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("given_mg", sa.Numeric(precision=7, scale=2), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("supply_id", sa.Uuid(), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(outcome IN ('observed', 'take_home')) = (given_mg > 0)", name=op.f("ck_day_correction_given")
        ),
        sa.CheckConstraint(
            "outcome IN ('observed', 'take_home', 'missed', 'held')", name=op.f("ck_day_correction_outcome")
        ),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_day_correction_has_reason")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_day_correction_account_id")),
        sa.ForeignKeyConstraint(
            ["client_id", "dose_day", "portion"],
            ["day_outcome.client_id", "day_outcome.dose_day", "day_outcome.portion"],
            name="fk_day_correction_day_outcome",
        ),
        sa.PrimaryKeyConstraint("client_id", "dose_day", "portion", "no", name=op.f("pk_day_correction")),
    )
