"""By which keys this database was sealed: a fingerprint of each, which tells keys apart and opens nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base


class VaultKey(Base):
    """A key that this database may need. A program whose keys are others refuses to start on it."""

    __tablename__ = "vault_key"
    __table_args__ = (CheckConstraint("octet_length(print) = 8", name="print"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    """The id of a key: `k001` seals, `i001` makes digests, `s001` signs."""
    print: Mapped[bytes] = mapped_column(BYTEA)
    """Eight bytes of a digest of it."""
    noted_at: Mapped[datetime]
