"""Builds a programme in an empty database: its sites, its people, and what was done, in the order of the days."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy import exists, select

import notifications.service
from dispensary.clients.service import enrol
from dispensary.database import Database, WriteSession
from dispensary.prescribing.models import DoseOrder
from dispensary.programmes.acts import Act
from dispensary.programmes.bulk import Habit, episode_of
from dispensary.programmes.opening import open_programme
from dispensary.programmes.people import somebody, spread
from dispensary.programmes.reading import BadProgramme, after_enrolment
from dispensary.programmes.scene import House, Scene
from dispensary.programmes.shapes import ActTable, GroupTable, Programme
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.closing import close_day
from dispensary.supplies.models import DayClose
from dispensary.units import ClientId, DoseDay

_FIRST, _LAST = time(8, 0), time(18, 0)
"""Between these, local time, acts are done on a day that has passed, one after the other as the file has them."""
_NIGHT = time(23, 30)


@dataclass(frozen=True)
class _Due:
    """Something that is due on a day: somebody is enrolled, or an act is done."""

    ago: int
    place: tuple[int, int, int]
    """The order within the day: enrolments first, then as the files have it, then by number."""
    site: str
    group: GroupTable | None
    n: int
    of: int
    turn: int
    act: ActTable | None


def build(
    database: Database, programme: Programme, *, now: datetime, say: Callable[[int, int], None] = lambda done, of: None
) -> House:
    """Opens the sites as of their first day and writes every day up to today. The same every time.

    Raises BadProgramme with the act, the person and the service's own sentence where a service refuses something.
    """
    try:
        house = open_programme(database, programme, now=now)
    except Refused as refused:
        raise BadProgramme([f"programme.toml: {_said(refused)}"]) from refused
    building = _Building(database, programme, house, now)
    due = {ago: list(those) for ago, those in groupby(sorted(building.due(), key=_when), key=lambda each: each.ago)}
    first = max([*due, programme.head.opened])
    for ago in range(first, -1, -1):
        building.day(ago, due.get(ago, []))
        say(first - ago, first)
    return house


def _when(due: _Due) -> tuple[int, tuple[int, int, int], int]:
    return -due.ago, due.place, due.turn


@dataclass
class _Building:
    database: Database
    programme: Programme
    house: House
    now: datetime

    begun: set[str] = field(default_factory=set)
    """Sites whose counter has closed a day by now."""

    def due(self) -> Iterator[_Due]:
        """Everything that the records say, each with its day."""
        for g, group in enumerate(self.programme.groups):
            self.house.groups[group.name] = {}
            enrolled = {n: spread(group.enrolled, n, group.count) for n in range(1, group.count + 1)}
            for n, ago in enrolled.items():
                if ago > self.programme.head.opened:
                    raise BadProgramme(
                        [
                            f"records.toml, [[group]] {group.name}: number {n} was enrolled {ago} days ago, and the"
                            f" sites opened {self.programme.head.opened} days ago. Open them earlier, or enrol later."
                        ]
                    )
                yield _Due(ago, (0, g, n), group.site, group, n, group.count, 0, None)
            for a, act in enumerate(self.programme.group_acts[group.name]):
                whom = range(act.who.first, min(act.who.last or group.count, group.count) + 1, act.who.every)
                for place, n in enumerate(whom, 1):
                    for ago, turn in _days(act, enrolled[n], place, len(whom)):
                        if ago > enrolled[n]:
                            raise BadProgramme(
                                [
                                    f"records.toml, {act.where}, number {n}: it would be done {ago} days ago, and they"
                                    f" were enrolled {enrolled[n]} days ago. Enrol them earlier, or do it later."
                                ]
                            )
                        yield _Due(ago, (1 + g, a, n), group.site, group, n, group.count, turn, act)
        last = len(self.programme.groups) + 1
        for a, (site, count, act) in enumerate(self.programme.acts):
            for n in range(1, count + 1):
                for ago, turn in _days(act, 0, n, count):
                    yield _Due(ago, (last, a, n), site, None, n, count, turn, act)

    def day(self, ago: int, due: list[_Due]) -> None:
        """One day of every site: what was done, then the counter, then the night."""
        if due:
            with self.database.writing() as session:
                for counter in self.house.bulk.values():
                    counter.flush(session)
                for place, each in enumerate(due):
                    self._do(session, each, self._at(each.site, ago, place, len(due)))
        if ago:
            with self.database.writing() as session:
                for code in self.house.sites:
                    self._counter(session, code, ago)
                self._nights(session, ago)

    def _counter(self, session: WriteSession, code: str, ago: int) -> None:
        counter = self.house.bulk.get(code)
        if counter is None:
            return
        try:
            counter.day(session, self._day(code, ago))
            counter.flush(session)
        except Refused as refused:
            raise BadProgramme([f"records.toml, the doses of {code} {ago} days ago: {_said(refused)}"]) from refused

    def _nights(self, session: WriteSession, ago: int) -> None:
        """Each counter closes its day, from the first on which somebody was to have a dose; satellites first."""
        for code in reversed(self.house.sites):
            main = self.house.sites[self.house.mains.get(code, code)]
            ordered = select(exists().where(DoseOrder.site_id == main.id))
            if code not in self.house.bulk or (code not in self.begun and not session.scalar(ordered)):
                continue
            day, pharmacist = DoseDay(self._day(code, ago)), self.house.bulk[code].pharmacist
            at = datetime.combine(day, _NIGHT, tzinfo=ZoneInfo(self.house.sites[code].zone))
            if code not in self.begun:
                self.begun.add(code)
                _nothing_before(session, pharmacist, DoseDay(day - timedelta(days=1)), at)
            close_day(session, actor=pharmacist, day=day, today=day, counts=None, at=at)

    def _do(self, session: WriteSession, due: _Due, at: datetime) -> None:
        where = due.act.where if due.act else f"[[group]] {due.group.name if due.group else ''}"
        whom = f"number {due.n}" if due.group else f"{due.n} of {due.of}"
        try:
            if due.act is None:
                assert due.group is not None, "groups are enrolled"
                self._enrols(session, due.group, due.n, due.ago, at)
            else:
                self._acts(session, due, due.act, at)
        except Refused as refused:
            said = _said(refused)
            raise BadProgramme([f"records.toml, {where}, {whom}, {due.ago} days ago: {said}"]) from refused

    def _acts(self, session: WriteSession, due: _Due, act: ActTable, at: datetime) -> None:
        about = self.house.groups[due.group.name][due.n] if due.group else None
        assert isinstance(act.details, Act), "it was read as one"
        act.details.do(
            Scene(
                session=session,
                house=self.house,
                site=self.house.sites[due.site],
                about=about,
                n=due.n,
                of=due.of,
                turn=due.turn,
                today=self._day(due.site, due.ago),
                at=at,
                name=act.where,
            )
        )

    def _enrols(self, session: WriteSession, group: GroupTable, n: int, ago: int, at: datetime) -> None:
        table = self.programme.site(group.site)
        spoken = (group.language,) if isinstance(group.language, str) else group.language
        language = spoken[(n - 1) % len(spoken)] or table.languages[0]
        who = somebody(group, n, self.programme.names.get(language))
        day = self._day(group.site, ago)
        scene = Scene(session, self.house, self.house.sites[group.site], None, n, group.count, 0, day, at, group.name)
        client = enrol(
            session,
            actor=scene.actor(Role.DOCTOR, Role.NURSE, Role.RECEPTION),
            number=who.number,
            identity=who.identity,
            began_on=day,
            today=day,
            at=at,
            route=group.route,
        )
        client_id = ClientId(client.id)
        self.house.groups[group.name][n] = client_id
        if who.phone:
            notifications.service.set_contact(
                session,
                vault=session.vault,
                recipient_id=client_id,
                phone=who.phone,
                language=language,
                region=table.region,
                now=at,
                place_id=self.house.sites[group.site].id,
            )
        if group.doses is not None:
            doses = group.doses
            first, last = (self._day(group.site, each) for each in (min(doses.first, ago), doses.last))
            habit = Habit(first, last, doses.missed_every, n, frozenset(doses.collects))
            if group.site not in self.house.bulk:
                raise Refused(
                    Refusal("no-pharmacist", f"{group.site} has no pharmacist.", "Add one under its [[site.staff]].")
                )
            self.house.bulk[group.site].joins(client_id, episode_of(session, client_id, day), habit)

    def _day(self, site: str, ago: int) -> date:
        return self.house.sites[site].dose_day(self.now) - timedelta(days=ago)

    def _at(self, site: str, ago: int, place: int, of: int) -> datetime:
        """When the so-maniest of a day's acts was done: within the day's hours, and today before now."""
        if ago == 0:
            return self.now - timedelta(seconds=2 * (of - place))
        zone = ZoneInfo(self.house.sites[site].zone)
        day = self._day(site, ago)
        first, last = (datetime.combine(day, at, tzinfo=zone) for at in (_FIRST, _LAST))
        return first + (last - first) * place / of


def _days(act: ActTable, enrolled: int, place: int, of: int) -> Iterator[tuple[int, int]]:
    """How many days ago it was done for one of so many, each of its times."""
    ago = enrolled - after_enrolment(act.day) if isinstance(act.day, str) else spread(act.day, place, of)
    for turn in range(act.times):
        if ago - turn * act.apart < 0:
            raise BadProgramme([f"records.toml, {act.where}: it would be done after today. Let it begin earlier."])
        yield ago - turn * act.apart, turn


def _nothing_before(session: WriteSession, pharmacist: Actor, day: DoseDay, at: datetime) -> None:
    """The last day before a counter gave its first dose counts as closed, and with it all before, which had nothing."""
    nothing = dict.fromkeys(("observed", "taken_home", "missed", "held", "unclaimed"), 0)
    session.add(
        DayClose(
            site_id=pharmacist.site_id,
            dose_day=day,
            closed_at=at - timedelta(days=1),
            closed_by=pharmacist.account_id,
            counted=False,
            **nothing,
        )
    )
    session.flush()


def _said(refused: Refused) -> str:
    return " ".join(f"{each.sentence} {each.remedy}".strip() for each in refused.refusals)
