"""People with a second factor, and the authenticator in their hands, for tests."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.database import Database
from dispensary.staff import factors
from dispensary.staff.factor_rules import STEP_SECONDS, code_of, step_of
from dispensary.staff.models import RoleGrant
from dispensary.staff.rules import Actor
from dispensary.units import AccountId, SiteId


class Authenticator:
    """What a person's phone does with the secret that it has read."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def shows(self, at: datetime, steps_on: int = 0) -> str:
        return code_of(self.secret, step_of(at) + steps_on)


def has_authenticator(database: Database, account_id: UUID, at: datetime) -> tuple[Authenticator, list[str]]:
    """Sets one up for an account, two steps ago, and gives the phone and the recovery codes."""
    account_id = AccountId(account_id)
    before = datetime.fromtimestamp(at.timestamp() - 2 * STEP_SECONDS, at.tzinfo)
    with database.writing() as session:
        site_id = session.scalars(select(RoleGrant.site_id).where(RoleGrant.account_id == account_id)).first()
        begun = factors.begin_authenticator(session, account_id=account_id, at=before)
    phone = Authenticator(begun.secret)
    with database.writing() as session:
        codes = factors.confirm_authenticator(
            session,
            actor=Actor(account_id, SiteId(site_id), frozenset()),
            begun_id=begun.id,
            typed=phone.shows(before),
            keep=b"",
            at=before,
        )
    return phone, codes
