"""What is looked for by client, by site or by dose is found by an index: pickups, guests, exceptions, treatments.

Each made beside work; `tests/dispensary/test_plans.py` reads the plans of the pages that ask them."""

from __future__ import annotations

from alembic import op

from dispensary.migrations.steps import index_beside_work

revision = "0085_by_client"
down_revision = "0082_looked_after"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_pickup_client_id_collect_on": ("pickup", "(client_id, collect_on)"),
    "ix_carrying_pickup_id": ("carrying", "(pickup_id)"),
    "ix_dose_exception_dose": ("dose_exception", "(dose_id) WHERE dose_id IS NOT NULL"),
    "ix_guest_stay_client_id": ("guest_stay", "(client_id)"),
    "ix_hold_open": ("hold", "(placed_at) WHERE released_at IS NULL"),
    "ix_treatment_client_id": ("treatment", "(client_id)"),
    "ix_treatment_site_id": ("treatment", "(site_id)"),
    "ix_medication_client_id": ("medication", "(client_id)"),
    "ix_medication_site_id": ("medication", "(site_id)"),
    "ix_alert_late": ("alert", "(site_id, escalated_at) WHERE escalated_at IS NOT NULL"),
}


def upgrade() -> None:
    for name, (table, on) in INDEXES.items():
        index_beside_work(name, table, on)


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
