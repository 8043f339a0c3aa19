"""Who is a guest is looked up once for a statement, and so are the clients whose figures are counted together."""

from alembic import op

from dispensary.migrations.walls import CLIENTS, MINE, no_wall, walled_by_client, walled_by_clients

revision = "0054b_bulk_walls"
down_revision = "0054_passwords"
branch_labels = None
depends_on = None

FACTS = ("fact_client", "fact_gap", "fact_month")
_BEFORE = (
    f"{MINE.format('site_id')} OR EXISTS (SELECT FROM guest_stay WHERE guest_stay.client_id = client.id"
    f" AND guest_stay.verified_at IS NOT NULL AND {MINE.format('guest_stay.guest_site_id')})"
)


def upgrade() -> None:
    for policy in ("wall", "change", "remove"):
        op.execute(f"ALTER POLICY {policy} ON client USING ({CLIENTS})")
    for table in FACTS:
        op.execute(no_wall(table))
        op.execute(walled_by_clients(table))


def downgrade() -> None:
    for table in FACTS:
        op.execute(no_wall(table))
        op.execute(walled_by_client(table))
    for policy in ("wall", "change", "remove"):
        op.execute(f"ALTER POLICY {policy} ON client USING ({_BEFORE})")
