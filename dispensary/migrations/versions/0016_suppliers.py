"""From whom a lot came stands with each of its deliveries and transfers, and nowhere a second time."""

import sqlalchemy as sa
from alembic import op

revision = "0016_suppliers"
down_revision = "0015_paper_of_guests"
branch_labels = None
depends_on = None

_COLUMNS = ("supplier_name", "supplier_address", "document_no")


def upgrade() -> None:
    for column in _COLUMNS:
        op.drop_column("lot", column)


def downgrade() -> None:
    """The columns say again from whom a lot came first, where a delivery tells."""
    for column in _COLUMNS:
        op.add_column("lot", sa.Column(column, sa.Text(), nullable=False, server_default=""))
        op.alter_column("lot", column, server_default=None)
    op.execute(
        """
        UPDATE lot SET supplier_name = first.supplier_name, supplier_address = first.supplier_address,
            document_no = first.document_no
        FROM (SELECT DISTINCT ON (lot_id) * FROM delivery ORDER BY lot_id, at, id) AS first WHERE first.lot_id = lot.id
        """
    )
