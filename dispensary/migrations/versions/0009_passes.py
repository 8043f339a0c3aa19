"""Who collects: agents, carriers, and how a pass was answered."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from dispensary.migrations.passes_guards import GUARDS

revision = "0009_passes"
down_revision = "0008_paper"
branch_labels = None
depends_on = None

_CHECKS = {
    "pickup": {"state": "state IN ('prepared', 'out', 'collected', 'unclaimed', 'cancelled')"},
    "pickup_pass": {"end_reason": "end_reason IN ('redeemed', 'revoked', 'expired', 'wrong_person')"},
    "supply": {"identified_by": "identified_by IN ('photo', 'second_identifier', 'document', 'import')"},
}
"""Constraints that are replaced by wider ones."""
_SUPPLY = {
    "collected_by": "collected_by IN ('client', 'agent', 'carrier')",
    "agent_has_consent": (
        "(collected_by = 'agent') = (agent_id IS NOT NULL) AND (agent_id IS NULL) = (agent_consent_id IS NULL)"
    ),
    "collected_with_pickup": "collected_by = 'client' OR pickup_id IS NOT NULL",
    "agent_shows_document": "(identified_by = 'document') = (collected_by = 'agent')",
    "id_provided_when_requested": "id_requested OR NOT id_provided",
    "agent_is_identified": "collected_by <> 'agent' OR id_provided",
}


def upgrade() -> None:
    _new_tables()
    _more_columns()
    for table, checks in _CHECKS.items():
        for name, rule in checks.items():
            op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
            op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, rule)
    for name, rule in _SUPPLY.items():
        op.create_check_constraint(op.f(f"ck_supply_{name}"), "supply", rule)
    op.drop_index("uq_pickup_open", "pickup")
    op.create_index(
        "uq_pickup_open",
        "pickup",
        ["client_id", "collect_on"],
        unique=True,
        postgresql_where=sa.text("state IN ('prepared', 'out')"),
    )
    for statement in GUARDS:
        op.execute(statement)


def _new_tables() -> None:
    op.create_table(
        "pass_setting",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("cards", sa.Boolean(), nullable=False),
        sa.Column("agent_months", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("agent_months BETWEEN 0 AND 12", name=op.f("ck_pass_setting_agent_months")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_pass_setting_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_pass_setting")),
    )
    op.create_table(
        "agent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("name_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("document_kind", sa.Text(), nullable=False),
        sa.Column("document_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("born_sealed", postgresql.BYTEA(), nullable=False),
        sa.Column("birth_year", sa.SmallInteger(), nullable=False),
        sa.Column("photo_sealed", postgresql.BYTEA(), nullable=True),
        sa.Column("noted_by", sa.Uuid(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "relation IN ('partner', 'parent', 'child', 'sibling', 'relative', 'friend', 'care_worker', 'other')",
            name=op.f("ck_agent_relation"),
        ),
        sa.CheckConstraint(
            "document_kind IN ('identity_card', 'passport', 'driving_licence', 'other')",
            name=op.f("ck_agent_document_kind"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_agent_client_id")),
        sa.ForeignKeyConstraint(["noted_by"], ["account.id"], name=op.f("fk_agent_noted_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_agent_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent")),
    )
    op.create_index(op.f("ix_agent_client_id"), "agent", ["client_id"])
    op.create_table(
        "agent_consent",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("signed_on", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("most_bottles", sa.SmallInteger(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agreed_by", sa.Uuid(), nullable=True),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_why", sa.Text(), nullable=False),
        sa.CheckConstraint("scope IN ('once', 'until')", name=op.f("ck_agent_consent_scope")),
        sa.CheckConstraint("last_day >= signed_on", name=op.f("ck_agent_consent_last_day")),
        sa.CheckConstraint("most_bottles BETWEEN 1 AND 112", name=op.f("ck_agent_consent_most_bottles")),
        sa.CheckConstraint(
            "(agreed_by IS NULL) = (agreed_at IS NULL)", name=op.f("ck_agent_consent_agreed_by_somebody")
        ),
        sa.CheckConstraint(
            "(revoked_at IS NULL) = (revoked_why = '')", name=op.f("ck_agent_consent_revoked_has_reason")
        ),
        sa.ForeignKeyConstraint(["agent_id"], ["agent.id"], name=op.f("fk_agent_consent_agent_id")),
        sa.ForeignKeyConstraint(["agreed_by"], ["account.id"], name=op.f("fk_agent_consent_agreed_by")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_agent_consent_client_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["account.id"], name=op.f("fk_agent_consent_recorded_by")),
        sa.ForeignKeyConstraint(["revoked_by"], ["account.id"], name=op.f("fk_agent_consent_revoked_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_agent_consent_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_consent")),
    )
    op.create_index(op.f("ix_agent_consent_agent_id"), "agent_consent", ["agent_id"])
    op.create_index(op.f("ix_agent_consent_client_id"), "agent_consent", ["client_id"])
    _carrying()


def _carrying() -> None:
    op.create_table(
        "carrying",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("pickup_id", sa.Uuid(), nullable=False),
        sa.Column("carrier_id", sa.Uuid(), nullable=False),
        sa.Column("bottles", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("counted_out_by", sa.Uuid(), nullable=False),
        sa.Column("counted_out_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('counted', 'out', 'delivered', 'brought_back', 'called_off')", name=op.f("ck_carrying_state")
        ),
        sa.CheckConstraint("bottles > 0", name=op.f("ck_carrying_bottles")),
        sa.CheckConstraint("carrier_id <> counted_out_by", name=op.f("ck_carrying_two_people_out")),
        sa.CheckConstraint("state <> 'brought_back' OR ended_by <> carrier_id", name=op.f("ck_carrying_two_people_in")),
        sa.CheckConstraint("(state IN ('counted', 'out')) = (ended_at IS NULL)", name=op.f("ck_carrying_ended")),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name=op.f("ck_carrying_ended_by_somebody")),
        sa.CheckConstraint(
            "state NOT IN ('out', 'delivered', 'brought_back') OR taken_at IS NOT NULL", name=op.f("ck_carrying_taken")
        ),
        sa.CheckConstraint("(state = 'delivered') = (happened_at IS NOT NULL)", name=op.f("ck_carrying_happened")),
        sa.CheckConstraint(
            "state NOT IN ('brought_back', 'called_off') OR note <> ''", name=op.f("ck_carrying_undone_has_reason")
        ),
        sa.ForeignKeyConstraint(["carrier_id"], ["account.id"], name=op.f("fk_carrying_carrier_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_carrying_client_id")),
        sa.ForeignKeyConstraint(["counted_out_by"], ["account.id"], name=op.f("fk_carrying_counted_out_by")),
        sa.ForeignKeyConstraint(["ended_by"], ["account.id"], name=op.f("fk_carrying_ended_by")),
        sa.ForeignKeyConstraint(["pickup_id"], ["pickup.id"], name=op.f("fk_carrying_pickup_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_carrying_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carrying")),
    )
    op.create_index(op.f("ix_carrying_carrier_id"), "carrying", ["carrier_id"])
    is_open = sa.text("state IN ('counted', 'out')")
    op.create_index("uq_carrying_open", "carrying", ["pickup_id"], unique=True, postgresql_where=is_open)
    op.create_index("ix_carrying_open", "carrying", ["site_id"], postgresql_where=is_open)


def _more_columns() -> None:
    op.add_column("pass_attempt", sa.Column("pass_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_pass_attempt_pass_id"), "pass_attempt", "pickup_pass", ["pass_id"], ["id"])
    op.add_column("pickup_pass", sa.Column("key", sa.Text(), nullable=False, server_default=""))
    op.alter_column("pickup_pass", "key", server_default=None)
    op.create_index(
        "uq_pickup_pass_key", "pickup_pass", ["pickup_id", "key"], unique=True, postgresql_where=sa.text("key <> ''")
    )
    # Whoever does not say otherwise hands over to the client, without asking for a document: the defaults stay.
    op.add_column("supply", sa.Column("collected_by", sa.Text(), nullable=False, server_default="client"))
    op.add_column("supply", sa.Column("agent_id", sa.Uuid(), nullable=True))
    op.add_column("supply", sa.Column("agent_consent_id", sa.Uuid(), nullable=True))
    op.add_column("supply", sa.Column("id_requested", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("supply", sa.Column("id_provided", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_foreign_key(op.f("fk_supply_agent_id"), "supply", "agent", ["agent_id"], ["id"])
    op.create_foreign_key(op.f("fk_supply_agent_consent_id"), "supply", "agent_consent", ["agent_consent_id"], ["id"])
    op.create_index(
        "ix_supply_agent_consent_id",
        "supply",
        ["agent_consent_id"],
        postgresql_where=sa.text("agent_consent_id IS NOT NULL"),
    )
