"""`--identified`: who may, whom it names, on what ground. Part of `dispensary export`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy import select

from dispensary.clients.disclosing import FOR_EXPORTS, Ground, Told, disclose
from dispensary.clients.identities import WHO, who_rows
from dispensary.clients.models import Client
from dispensary.clients.numbers import clients_numbered
from dispensary.commands.parts import now
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.evaluation.identified import Named
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import factors
from dispensary.staff.attempts import count_attempt
from dispensary.staff.factor_rules import factor_due
from dispensary.staff.factor_setting import demands_of
from dispensary.staff.models import RoleGrant
from dispensary.staff.permissions import own_of
from dispensary.staff.proving import hear_factor
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor, Role
from dispensary.staff.sessions import proven
from dispensary.units import AccountId, ClientId

_Command = TypeVar("_Command", bound=Callable[..., None])


def identified_options(command: _Command) -> _Command:
    """What an identified export must be told."""
    for option in (
        click.option("--consented", type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help="Identified: numbers of those who agreed, one a line; needed with --ground consent."),
        click.option("--authority", default="",
                     help="Identified: the approval, the agreement, or where the signed consents are."),
        click.option("--ground", type=click.Choice([each.value for each in FOR_EXPORTS]),
                     help="Identified: why the law allows it."),
        click.option("--reason", default="", help="Identified: what it is for."),
        click.option("--recipient", default="", help="Identified: who receives it."),
        click.option("--account", default="", help="Identified: the account of a doctor, whose password is asked for."),
        click.option("--identified", is_flag=True, help="With names. It is a disclosure, and put on its register."),
    ):  # fmt: skip
        command = option(command)
    return command


@dataclass(frozen=True)
class Disclosing:
    """What was typed of an identified export."""

    account: str
    recipient: str
    reason: str
    ground: str | None
    authority: str
    consented: Path | None

    def refuse_others(self, identified: bool) -> None:
        """Raises BadInput where it is not identified and something of this was typed all the same, or is missing."""
        typed = any([self.account, self.recipient, self.reason, self.ground, self.authority, self.consented])
        if not identified and typed:
            sentence = "Recipient, reason, ground and the like are of an identified export."
            raise BadInput(Refusal("not-identified", sentence, "Add --identified, or leave them out."))
        if identified:
            faults = self.told().faults() if self.ground else [
                Refusal("ground", "The ground is missing.", f"Give --ground {', '.join(FOR_EXPORTS)}.", field="ground")
            ]  # fmt: skip
            if not self.account:
                remedy = "Give --account with the name of a doctor's account."
                faults.append(Refusal("account", "Whoever gives records out signs for it.", remedy, field="account"))
            if (self.ground == Ground.CONSENT) != (self.consented is not None):
                sentence = "Those who agreed are named when the ground is consent, and only then."
                faults.append(
                    Refusal("consented", sentence, "Give --consented with --ground consent.", field="consented")
                )
            if faults:
                raise BadInput(*faults)

    def told(self) -> Told:
        """The same for the register."""
        return Told(self.recipient, self.reason, Ground(self.ground or ""), self.authority)

    def signed_by(self, database: Database, places: Sequence[Place]) -> list[Actor]:
        """Asks for the password, and for the second factor where the account has one or a site demands it.

        Says for whom this is done at each site. Raises Refused for whoever may not.
        """
        password = click.prompt(f"Password of {self.account}", hide_input=True, err=True)
        with database.writing() as session:
            attempt = count_attempt(session, username=self.account, address="command line", at=now())
        with database.writing() as session:
            account_id = AccountId(proven(session, attempt=attempt, password=password).id)
            actors = [_actor(session, account_id, place) for place in places]
            asked_for = factors.asked_for(session, account_id)
            demanded_at = [each for each in actors if demands_of(session, each)]
        if demanded_at and not asked_for:
            raise BadInput(factor_due())
        if asked_for:
            asked = "Code of the authenticator, or a recovery code"
            code = click.prompt(asked, default="", show_default=False, hide_input=True, err=True)
            hear_factor(database, account_id=account_id, code=code, address="command line", at=now())
        for actor, place in zip(actors, places, strict=True):
            if not actor.may(Act.DISCLOSE):
                sentence = f"This account may not give out records with names at {place.code}."
                raise NotAllowed(Refusal("may-not-disclose", sentence, "Ask a doctor of the site."))
        return actors

    def named(self, session: ReadSession, places: Sequence[Place]) -> Named:
        """Whom the export names. Raises BadInput."""
        if self.consented is None:
            return Named(self.ground or "", WHO, who_rows)
        try:
            lines = self.consented.read_text("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise BadInput(Refusal("consented", f"{self.consented} is no text.", "Write it in UTF-8.")) from None
        numbers = {line for line in lines if line.strip()}
        at = {place.id for place in places}
        agreed = clients_numbered(session, site_ids=at, numbers=numbers, field="consented")
        return Named(self.ground or "", WHO, who_rows, consented=agreed)

    def put_on_register(self, session: WriteSession, named: Named, actors: Sequence[Actor], what: str) -> None:
        """A release at each site that has somebody in it."""
        chosen = select(Client.site_id, Client.id).where(Client.id.in_(named.clients))
        of_site: dict[Any, set[ClientId]] = {}
        for site_id, client_id in session.execute(chosen):
            of_site.setdefault(site_id, set()).add(ClientId(client_id))
        for actor in actors:
            if actor.site_id in of_site or not of_site:
                disclose(
                    session,
                    actor=actor,
                    clients=of_site.get(actor.site_id, set()),
                    what=what,
                    told=self.told(),
                    at=now(),
                )


def _actor(session: ReadSession, account_id: AccountId, place: Place) -> Actor:
    held = select(RoleGrant.role).where(RoleGrant.account_id == account_id, RoleGrant.site_id == place.id)
    roles = frozenset(Role(role) for role in session.scalars(held))
    return Actor(account_id, place.id, roles, own=own_of(session, place.id))
