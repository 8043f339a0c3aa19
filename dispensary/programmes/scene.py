"""Where an act happens: the unit of work, the site, whom it is about, who does it, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from dispensary.database import WriteSession
from dispensary.programmes.bulk import Bulk
from dispensary.refusals import Refusal, Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId


@dataclass
class House:
    """A programme as far as it is built: its sites and who works there."""

    sites: dict[str, Place] = field(default_factory=dict)
    mains: dict[str, str] = field(default_factory=dict)
    """Of a satellite its main site, by code."""
    staff: dict[str, dict[str, Actor]] = field(default_factory=dict)
    """By site and account name, in the order of the file."""
    groups: dict[str, dict[int, ClientId]] = field(default_factory=dict)
    """The people of a group by their number in it, from 1."""
    bulk: dict[str, Bulk] = field(default_factory=dict)
    """By site: the days of its counter that are written together."""


@dataclass
class Scene:
    """One act about one person, or about nobody on record."""

    session: WriteSession
    house: House
    site: Place
    about: ClientId | None
    n: int
    """The number of the person within the group, or of the act within its count; from 1."""
    of: int
    """How many there are in the group, or in the count."""
    turn: int
    """Which of the `times` it is; from 0."""
    today: date
    at: datetime
    name: str
    """What the key of a repeated request is made of: the act's place in the file."""

    @property
    def client(self) -> ClientId:
        """Whom it is about. Raises Refused for an act about nobody."""
        if self.about is None:
            raise Refused(Refusal("nobody", "This act is about a client.", "Put it under a group.", {"act": self.name}))
        return self.about

    def actor(self, *roles: Role) -> Actor:
        """The first of the site's staff with one of these roles, at this site; of its main site where it has nobody.

        Raises Refused where nobody has one.
        """
        here = self.site.code
        for code in (here, self.house.mains.get(here, here)):
            for role in roles:
                for each in self.house.staff.get(code, {}).values():
                    if role in each.roles:
                        return Actor(each.account_id, self.site.id, each.roles, each.name, each.initials)
        wanted = " or ".join(roles)
        raise Refused(Refusal("no-staff", f"Nobody at {here} is {wanted}.", f"Add one under [[site.staff]] of {here}."))

    def account(self, username: str) -> Actor:
        """Somebody by their account name. Raises Refused."""
        for people in self.house.staff.values():
            if username in people:
                return people[username]
        raise Refused(Refusal("no-account", f"There is no account “{username}”.", "Add it under [[site.staff]]."))

    def key(self, *words: object) -> UUID:
        """The key of a request: the same for the same act of the same person, whenever it is made."""
        told = " ".join(map(str, (self.name, self.about or self.site.id, self.n, self.turn, *words)))
        return uuid5(NAMESPACE_URL, told)
