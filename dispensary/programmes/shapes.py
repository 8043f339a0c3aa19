"""What the files of a programme hold, table by table. Days are counted back from today, so that nothing in them ages.

`programme.toml` is the place and its settings, `records.toml` the people and what was done with them, `published.toml`
what was published of it. docs/new-programme.md tells somebody who writes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from dispensary.clients.rules import EntryRoute
from dispensary.prescribing.sections import Topic
from dispensary.published.shapes import Ago, Publication, Published, Table, Words
from dispensary.staff.branch_rules import Kind
from dispensary.staff.rules import Role
from dispensary.supplies.paper import LabelSize, Printer

Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Number = Annotated[int, msgspec.Meta(ge=1)]


class Head(Table, frozen=True, kw_only=True):
    """What the programme is."""

    title: Words
    says: Words
    """In a sentence: what it is, and what in its records is not from the source."""
    source: Words
    language: Words = "en"
    """Of the staff's screens, where the interface is translated; English else. Texts have languages of their own."""
    opened: Ago
    """On which day the sites began to write their records here."""
    period: Count = 365
    """A figure is asked of the last so many days, up to and with today, unless it says otherwise."""
    take_home: str = ""
    """How it is with take-home at sites that follow no policy of it: asked for where there is one."""


class AreaTable(Table, frozen=True, kw_only=True):
    """A country, a province or a district."""

    kind: Kind
    code: Words
    name: Words
    parent: str = ""


class HoursTable(Table, frozen=True, kw_only=True):
    """When a site is open on some weekdays (0 is Monday), and how that is cut into slots."""

    weekdays: tuple[Annotated[int, msgspec.Meta(ge=0, le=6)], ...]
    opens: time
    closes: time
    slot: Annotated[int, msgspec.Meta(ge=5, le=240)]
    capacity: Count
    windows: Count = 1


class StaffTable(Table, frozen=True, kw_only=True):
    """Somebody who works there. An account name is one person's in the whole programme."""

    username: Words
    name: Words
    initials: Words
    roles: tuple[Role, ...]
    branch: str = ""
    """The area or main site at all of whose sites they have these roles too."""
    accredited: tuple[Words, ...] = ()
    """For what: an instrument may ask for it."""


class LotTable(Table, frozen=True, kw_only=True):
    """Methadone that came in on the first day: mg/mL, mL, and in how many days from today it is over."""

    batch: Words
    strength: Decimal
    ml: Decimal
    expires_in: Count = 500


class InstrumentTable(Table, frozen=True, kw_only=True):
    """A screening instrument that the site uses, and how. A doctor of the site signs for it."""

    key: Words
    used: bool = True
    """Whether the site asks by it at all; without a table every instrument that comes with the program is used."""
    every_months: int | None = None
    positive_from: int | None = None
    roles: tuple[Role, ...] = ()
    """Left out: those of the instrument as it comes."""
    accreditation: str = ""
    risk_role: Role = Role.DOCTOR
    band_told: bool = False
    """Whether whoever asks without treating is told the band of the sum; without, only that it was asked."""
    reason: Words


class PolicyTable(Table, frozen=True, kw_only=True):
    """The take-home policy that the site follows, and the figures that it leaves to the site where it does.

    With `values` it is published as a version of the site's own, under `own`.
    """

    name: Words
    version: Words
    values: Mapping[str, Any] = {}
    own: str = ""
    set_by: str = ""


class PathwayTable(Table, frozen=True, kw_only=True):
    """Which pathway of services the site follows, and why."""

    key: Words
    reason: Words


class CentreTable(Table, frozen=True, kw_only=True):
    """A place of the directory that clients are referred to."""

    code: Words
    name: Words
    services: tuple[Words, ...]
    address: str = ""
    phone: str = ""


class PaperTable(Table, frozen=True, kw_only=True):
    """How labels and the register are printed."""

    law: Words = "none"
    languages: tuple[Words, ...] = ("en",)
    named: bool = False
    second_identifier: bool = False
    size: LabelSize = LabelSize.SMALL
    printer: Printer = Printer.SHEET
    directions: Mapping[str, str] = {}


class SiteTable(Table, frozen=True, kw_only=True):
    """A site: its place, how it works, and who works there. A satellite's `parent` is the code of its main site."""

    code: Words
    name: Words
    parent: Words
    zone: Words
    region: Words
    lat: Decimal | None = None
    lon: Decimal | None = None
    address: str = ""
    phone: str = ""
    prescriber_phone: str = ""
    languages: tuple[Words, ...] = ("en",)
    """Of the texts to clients, the most usual first."""
    policy: PolicyTable | None = None
    guidelines: Mapping[Topic, str] = {}
    pathway: PathwayTable | None = None
    hours: tuple[HoursTable, ...] = ()
    staff: tuple[StaffTable, ...] = ()
    lot: tuple[LotTable, ...] = ()
    instrument: tuple[InstrumentTable, ...] = ()
    centre: tuple[CentreTable, ...] = ()
    paper: PaperTable | None = None


class NamesTable(Table, frozen=True, kw_only=True):
    """Of what invented names are made, and how: `{given} {family}` or the other way round."""

    women: tuple[Words, ...]
    men: tuple[Words, ...]
    families: tuple[Words, ...]
    made: Words = "{given} {family}"


class Spread(Table, frozen=True, kw_only=True):
    """From the first of the people to the last of them, evenly."""

    first: Ago
    last: Ago


class Milligrams(Table, frozen=True, kw_only=True):
    """Doses from the first of the people to the last of them, evenly, in steps."""

    first: Decimal
    last: Decimal
    step: Decimal = Decimal(5)


class Who(Table, frozen=True, kw_only=True):
    """Whom of a group an act is about: from the first to the last of it by number, and of these every so many."""

    first: Number = 1
    last: Number | None = None
    every: Number = 1


class DosesTable(Table, frozen=True, kw_only=True):
    """Doses that a group has had, from one day to another, written past no constraint of the counter.

    The order in force says how much, the decision in force how many are carried home.
    """

    first: Ago
    last: Ago = 1
    missed_every: Number | None = None
    """Of the days, each so many is missed, by each of the people another one."""
    collects: tuple[Annotated[int, msgspec.Meta(ge=0, le=6)], ...] = (0, 1, 2, 3, 4, 5, 6)
    """The weekdays on which they collect what the decision lets them carry."""


class ActTable(Table, frozen=True, kw_only=True):
    """An act: what, when, of whom, and the words that the act itself takes (`details`)."""

    act: Words
    day: int | str | Spread
    who: Who
    times: Count
    apart: Count
    details: Any
    """Read already as the act has them."""
    where: str
    """What a mistake in it is said to be about."""


class GroupTable(Table, frozen=True, kw_only=True):
    """People who are alike: how many, since when, and what was done with them."""

    name: Words
    site: Words
    prefix: Words
    count: Count
    enrolled: Ago | Spread
    route: EntryRoute | None = None
    language: str | Annotated[tuple[Words, ...], msgspec.Meta(min_length=1)] = ""
    """Of texts to them, and of their names, or several in turn; the site's first where it is empty."""
    phone: str = ""
    """Such as +601200{n:05}; nothing for people without one."""
    women: int = 0
    """So many of them, spread; the others are men."""
    born: tuple[int, int] = (1970, 2000)
    """From the year of the first to that of the last."""
    doses: DosesTable | None = None
    act: tuple[Mapping[str, Any], ...] = ()


class Programme(msgspec.Struct, frozen=True, kw_only=True):
    """A programme as its folder says it."""

    key: str
    head: Head
    areas: tuple[AreaTable, ...]
    sites: tuple[SiteTable, ...]
    names: Mapping[str, NamesTable]
    paper: PaperTable | None
    """How labels and the register are printed where a site says nothing else."""
    care: Mapping[str, tuple[Mapping[str, Any], ...]]
    """Its own schedules of sessions, offers and pathways, by kind, in the shape of those that come with the program."""
    groups: tuple[GroupTable, ...]
    group_acts: Mapping[str, tuple[ActTable, ...]]
    """By the name of the group."""
    acts: tuple[tuple[str, int, ActTable], ...]
    """About nobody on record: the site, how many, and what."""
    published: tuple[Published, ...]
    words: Mapping[str, Mapping[str, str]]
    """By language, what the page of published figures says in place of the words of the other files."""

    @property
    def publication(self) -> Publication:
        """What was published of it, for wherever its records are kept."""
        return Publication(
            title=self.head.title,
            says=self.head.says,
            take_home=self.head.take_home,
            period=self.head.period,
            sites=tuple(site.code for site in self.sites),
            figures=self.published,
            words=self.words,
        )

    def site(self, code: str) -> SiteTable:
        return next(each for each in self.sites if each.code == code)
