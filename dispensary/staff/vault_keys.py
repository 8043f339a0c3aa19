"""Which signing key was the one of a moment, for what must come out the same when it is drawn again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.keys import Kind, Vault
from dispensary.staff.vault_key_models import VaultKey


def signer_at(session: ReadSession, moment: datetime) -> Vault:
    """The vault that signs by the newest key that this database had noted by this moment.

    Where that one was dropped, or none was noted yet, the oldest one that there is: dropping a key changes what was
    drawn by it, and adding one does not.
    """
    known = session.vault.ring.signing.keys
    noted = select(VaultKey.name).where(VaultKey.noted_at <= moment, VaultKey.name.startswith(Kind.SIGNING))
    names = [name for name in session.scalars(noted.order_by(VaultKey.name)) if name in known]
    return session.vault.signing_by(names[-1] if names else min(known))
