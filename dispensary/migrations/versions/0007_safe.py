"""The safe: where lots come from, transfers, destruction, counts that are judged, doses from several lots."""

import sqlalchemy as sa
from alembic import op

from dispensary.migrations.safe_guards import GUARDS
from dispensary.migrations.safe_view import DISCREPANCY

revision = "0007_safe"
down_revision = "0006_shift"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _settings_and_transfers()
    _around_the_register()
    _more_columns()
    for statement in GUARDS:
        op.execute(statement)
    op.execute(DISCREPANCY)


def _settings_and_transfers() -> None:
    op.create_table(
        "stock_setting",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("tolerance_percent", sa.Numeric(precision=5, scale=2), nullable=True),
        sa.Column("tolerance_ml", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("days_of_stock", sa.SmallInteger(), nullable=True),
        sa.Column("mix_strengths", sa.Boolean(), nullable=False),
        sa.Column("one_open_lot", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=True),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("days_of_stock BETWEEN 1 AND 120", name=op.f("ck_stock_setting_days_of_stock")),
        sa.CheckConstraint(
            "tolerance_percent BETWEEN 0 AND 100 AND tolerance_ml >= 0", name=op.f("ck_stock_setting_tolerance")
        ),
        sa.ForeignKeyConstraint(["set_by"], ["account.id"], name=op.f("fk_stock_setting_set_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_stock_setting_site_id")),
        sa.PrimaryKeyConstraint("site_id", name=op.f("pk_stock_setting")),
    )
    op.create_table(
        "stock_transfer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("from_site_id", sa.Uuid(), nullable=False),
        sa.Column("to_site_id", sa.Uuid(), nullable=False),
        sa.Column("from_lot_id", sa.Uuid(), nullable=False),
        sa.Column("to_lot_id", sa.Uuid(), nullable=True),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("strength", sa.Numeric(precision=7, scale=3), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("carried_by", sa.Text(), nullable=False),
        sa.Column("sent_by", sa.Uuid(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.Uuid(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("measured_ml", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "CASE state WHEN 'in_transit' THEN num_nonnulls(settled_at, settled_by, to_lot_id, measured_ml) = 0"
            " WHEN 'received' THEN num_nonnulls(settled_at, settled_by, to_lot_id, measured_ml) = 4"
            " ELSE num_nonnulls(settled_at, settled_by) = 2 AND num_nonnulls(to_lot_id, measured_ml) = 0 END",
            name=op.f("ck_stock_transfer_settled"),
        ),
        sa.CheckConstraint("state <> 'received' OR settled_by <> sent_by", name=op.f("ck_stock_transfer_two_people")),
        sa.CheckConstraint(
            "state = 'in_transit' OR (state = 'received' AND measured_ml = ml) OR reason <> ''",
            name=op.f("ck_stock_transfer_has_reason"),
        ),
        sa.CheckConstraint("state IN ('in_transit', 'received', 'taken_back')", name=op.f("ck_stock_transfer_state")),
        sa.CheckConstraint("from_site_id <> to_site_id", name=op.f("ck_stock_transfer_two_sites")),
        sa.CheckConstraint("ml > 0 AND measured_ml >= 0", name=op.f("ck_stock_transfer_amounts")),
        sa.ForeignKeyConstraint(["from_lot_id"], ["lot.id"], name=op.f("fk_stock_transfer_from_lot_id")),
        sa.ForeignKeyConstraint(["from_site_id"], ["site.id"], name=op.f("fk_stock_transfer_from_site_id")),
        sa.ForeignKeyConstraint(["sent_by"], ["account.id"], name=op.f("fk_stock_transfer_sent_by")),
        sa.ForeignKeyConstraint(["settled_by"], ["account.id"], name=op.f("fk_stock_transfer_settled_by")),
        sa.ForeignKeyConstraint(["to_lot_id"], ["lot.id"], name=op.f("fk_stock_transfer_to_lot_id")),
        sa.ForeignKeyConstraint(["to_site_id"], ["site.id"], name=op.f("fk_stock_transfer_to_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_transfer")),
    )
    op.create_index(op.f("ix_stock_transfer_from_lot_id"), "stock_transfer", ["from_lot_id"], unique=False)
    op.create_index(
        op.f("ix_stock_transfer_from_site_id_sent_at"), "stock_transfer", ["from_site_id", "sent_at"], unique=False
    )
    op.create_index(
        op.f("ix_stock_transfer_to_site_id_sent_at"), "stock_transfer", ["to_site_id", "sent_at"], unique=False
    )
    # One way to say by how much a count may differ: what a site had set before comes along.
    op.execute(
        "INSERT INTO stock_setting (site_id, tolerance_ml, mix_strengths, one_open_lot, source, set_at)"
        " SELECT id, tolerance_ml, false, false, '', opened_at FROM site"
    )
    op.drop_column("site", "tolerance_ml")


def _around_the_register() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("supplier_name", sa.Text(), nullable=False),
        sa.Column("supplier_address", sa.Text(), nullable=False),
        sa.Column("document_no", sa.Text(), nullable=False),
        sa.Column("paper_ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("measured_ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("measured_ml = paper_ml OR reason <> ''", name=op.f("ck_delivery_difference_has_reason")),
        sa.CheckConstraint("paper_ml > 0 AND measured_ml >= 0", name=op.f("ck_delivery_amounts")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_delivery_account_id")),
        sa.ForeignKeyConstraint(["line_id"], ["register_line.id"], name=op.f("fk_delivery_line_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_delivery_lot_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_delivery_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("line_id", name=op.f("uq_delivery_line_id")),
    )
    op.create_index(op.f("ix_delivery_lot_id"), "delivery", ["lot_id"], unique=False)
    op.create_table(
        "destruction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("ml > 0 AND reason <> '' AND method <> ''", name=op.f("ck_destruction_said")),
        sa.ForeignKeyConstraint(["line_id"], ["register_line.id"], name=op.f("fk_destruction_line_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_destruction_lot_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_destruction_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_destruction")),
        sa.UniqueConstraint("line_id", name=op.f("uq_destruction_line_id")),
    )
    op.create_index(op.f("ix_destruction_lot_id"), "destruction", ["lot_id"], unique=False)
    op.create_table(
        "investigation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("count_id", sa.Uuid(), nullable=True),
        sa.Column("ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_by", sa.Uuid(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Uuid(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("found", sa.Text(), nullable=False),
        sa.CheckConstraint("(closed_at IS NULL) = (found = '')", name=op.f("ck_investigation_closed_has_finding")),
        sa.CheckConstraint("ml > 0", name=op.f("ck_investigation_shortage")),
        sa.CheckConstraint(
            "num_nonnulls(closed_at, closed_by) IN (0, 2)", name=op.f("ck_investigation_closed_by_somebody")
        ),
        sa.ForeignKeyConstraint(["closed_by"], ["account.id"], name=op.f("fk_investigation_closed_by")),
        sa.ForeignKeyConstraint(["count_id"], ["stock_count.id"], name=op.f("fk_investigation_count_id")),
        sa.ForeignKeyConstraint(["line_id"], ["register_line.id"], name=op.f("fk_investigation_line_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_investigation_lot_id")),
        sa.ForeignKeyConstraint(["opened_by"], ["account.id"], name=op.f("fk_investigation_opened_by")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_investigation_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_investigation")),
        sa.UniqueConstraint("count_id", name=op.f("uq_investigation_count_id")),
        sa.UniqueConstraint("line_id", name=op.f("uq_investigation_line_id")),
    )
    op.create_index(op.f("ix_investigation_lot_id"), "investigation", ["lot_id"], unique=False)
    op.create_index(
        "ix_investigation_open",
        "investigation",
        ["site_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "stock_finding",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_stock_finding_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stock_finding")),
    )
    op.create_index(
        "uq_stock_finding_there",
        "stock_finding",
        ["site_id", "kind", "subject"],
        unique=True,
        postgresql_where=sa.text("gone_at IS NULL"),
    )
    op.create_table(
        "dose_part",
        sa.Column("dose_id", sa.Uuid(), nullable=False),
        sa.Column("lot_id", sa.Uuid(), nullable=False),
        sa.Column("mg", sa.Numeric(precision=7, scale=2), nullable=False),
        sa.Column("ml", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.CheckConstraint("mg > 0 AND ml > 0", name=op.f("ck_dose_part_amount")),
        sa.ForeignKeyConstraint(["dose_id"], ["dose.id"], name=op.f("fk_dose_part_dose_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_dose_part_lot_id")),
        sa.PrimaryKeyConstraint("dose_id", "lot_id", name=op.f("pk_dose_part")),
    )
    op.create_index(op.f("ix_dose_part_lot_id"), "dose_part", ["lot_id"], unique=False)


def _more_columns() -> None:
    # A constant default needs no rewrite of a full table; it goes again, since the code always says what it is.
    for column in ("supplier_name", "supplier_address", "document_no"):
        op.add_column("lot", sa.Column(column, sa.Text(), nullable=False, server_default=""))
        op.alter_column("lot", column, server_default=None)
    op.add_column("lot", sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("lot", sa.Column("opened_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_lot_opened_by"), "lot", "account", ["opened_by"], ["id"])
    op.create_check_constraint(op.f("ck_lot_opened_at_a_moment"), "lot", "opened_by IS NULL OR opened_at IS NOT NULL")
    # A lot from which something was poured has been opened; by whom nobody wrote down.
    op.execute(
        "UPDATE lot SET opened_at = poured.at FROM (SELECT lot_id, min(at) AS at FROM register_line"
        " WHERE kind = 'supplied' GROUP BY lot_id) AS poured WHERE poured.lot_id = lot.id"
    )
    op.add_column("register_line", sa.Column("transfer_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_register_line_transfer_id"), "register_line", "stock_transfer", ["transfer_id"], ["id"]
    )
    op.create_index(
        "uq_register_line_transfer",
        "register_line",
        ["transfer_id", "kind"],
        unique=True,
        postgresql_where=sa.text("transfer_id IS NOT NULL"),
    )
    op.create_check_constraint(
        op.f("ck_register_line_sent_somewhere"), "register_line", "kind <> 'sent' OR transfer_id IS NOT NULL"
    )
    op.add_column("stock_count", sa.Column("throughput", sa.Numeric(precision=10, scale=3), nullable=True))
    op.add_column("stock_count", sa.Column("tolerance", sa.Numeric(precision=10, scale=3), nullable=True))
    op.add_column("stock_count", sa.Column("judged", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_stock_count_judged"), "stock_count", "judged IN ('as_expected', 'within', 'beyond')"
    )
    op.create_check_constraint(
        op.f("ck_stock_count_judged_by_difference"),
        "stock_count",
        "judged IS NULL OR (judged = 'as_expected') = (difference = 0)",
    )
