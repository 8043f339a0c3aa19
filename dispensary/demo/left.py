"""What a demonstration leaves behind has no place where real people are: its password is printed in the README."""

from __future__ import annotations

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.demo.clinic import PASSWORD, STAFF
from dispensary.settings import CannotServe
from dispensary.staff.models import Account
from dispensary.staff.service import kept_password, password_is_right


def refuse_demonstration(session: ReadSession) -> None:
    """Raises CannotServe when an account of the demonstration still opens with its password."""
    names = [username for username, *_ in STAFF]
    for account in session.scalars(select(Account).where(Account.username.in_(names), Account.left_at.is_(None))):
        if password_is_right(kept_password(session, account.id), PASSWORD):
            raise CannotServe(
                f"The account “{account.username}” opens with the demonstration's password, which everybody can read. "
                "Production needs a database of its own, or that account another password."
            )
