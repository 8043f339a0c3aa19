"""Opens the sites of a programme as its file has them, through the services that an administrator and a doctor use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import cycle
from zoneinfo import ZoneInfo

import scheduling.service
from dispensary.care.centre_rules import Place as Centre
from dispensary.care.centres import keep_centre
from dispensary.care.instrument_setting import set_instrument
from dispensary.care.instruments import instruments
from dispensary.care.offers import follow_pathway
from dispensary.database import Database, WriteSession
from dispensary.demo.clinic import PASSWORD, PINS
from dispensary.demo.rows import Opening
from dispensary.prescribing.adopting import adopt_guideline
from dispensary.programmes.bulk import Bulk
from dispensary.programmes.own_care import publish_care
from dispensary.programmes.scene import House
from dispensary.programmes.shapes import PaperTable, PolicyTable, Programme, SiteTable
from dispensary.staff.accreditations import accredit
from dispensary.staff.branches import add_area, grant_at_branch, place_site
from dispensary.staff.models import Site
from dispensary.staff.pins import set_pin
from dispensary.staff.queries import Place, place
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.staff.service import add_account
from dispensary.staff.sites import add_site
from dispensary.staff.text_languages import begin_with
from dispensary.stock.receiving import receive_lot
from dispensary.supplies.paper import Paper, change_paper
from dispensary.supplies.printing.law import laws
from dispensary.takehome.parameters import fill
from dispensary.takehome.policy import parse, shipped_policies
from dispensary.takehome.publishing import adopt, publish, publish_policies
from dispensary.units import AccountId, DoseDay, SiteId, millilitres, strength
from dispensary.words import on_screens
from notifications.places import set_rules
from notifications.texts import DRAFTS
from notifications.waiting import TextRules
from scheduling.rules import Hours

_EARLY = time(5, 0)
"""When a site is opened on its first day, before anybody comes."""


def open_programme(database: Database, programme: Programme, *, now: datetime) -> House:
    """Opens every site in the order of the file: main sites before their satellites."""
    house = House()
    with database.writing() as session:
        publish_policies(session, at=now)
        publish_care(session, tables=programme.care, at=now)
        for table in programme.sites:
            _open_site(session, programme, table, house, now)
    return house


def pins(programme: Programme) -> Iterator[tuple[str, str]]:
    """The account names of the programme in the order of the file, each with its PIN."""
    digits = cycle(PINS.values())
    for site in programme.sites:
        for each in site.staff:
            yield each.username, next(digits)


def _open_site(session: WriteSession, programme: Programme, table: SiteTable, house: House, now: datetime) -> None:
    day = now.astimezone(ZoneInfo(table.zone)).date() - timedelta(days=programme.head.opened)
    opened = datetime.combine(day, _EARLY, tzinfo=ZoneInfo(table.zone))
    spoken = programme.head.language
    site = add_site(
        session,
        code=table.code,
        name=table.name,
        zone=table.zone,
        region=table.region,
        at=opened,
        language=spoken if spoken in on_screens() else "en",
        address=table.address,
        phone=table.phone,
        prescriber_phone=table.prescriber_phone,
    )
    site_id = SiteId(site.id)
    scheduling.service.add_place(session, place_id=site_id, zone=table.zone)
    opens(session, table, site_id, day)
    _stands(session, programme, table, site_id, opened)
    staff = _people(session, programme, table, site_id, opened)
    begin_with(session, site_id=site_id, languages=[each for each in table.languages if each in DRAFTS], at=opened)
    # It is looked at around the clock, and the telephone of a programme to try has no quiet hours.
    set_rules(session, place_id=site_id, rules=TextRules(quiet=None), now=opened)
    here = place(session, site_id)
    house.sites[table.code] = here
    house.staff[table.code] = staff
    if any(each.code == table.parent for each in programme.sites):
        house.mains[table.code] = table.parent

    def who(role: Role) -> Actor:
        return next((each for each in staff.values() if role in each.roles), the_program(site_id))

    set_up(session, table, table.paper or programme.paper, here, who=who, day=day, at=opened)
    pharmacist = next((each for each in staff.values() if Role.PHARMACIST in each.roles), None)
    if pharmacist is not None:
        _safe(session, table, pharmacist, day, opened, now)
        house.bulk[table.code] = Bulk(table.code, pharmacist, ZoneInfo(table.zone), _counter(table))


def opens(session: WriteSession, table: SiteTable, site_id: SiteId, day: date) -> None:
    """Its hours from a day on; nothing where the file has none."""
    hours = [
        Hours(weekday, each.opens, each.closes, each.slot, each.capacity, each.windows)
        for each in table.hours
        for weekday in each.weekdays
    ]
    if hours:
        scheduling.service.set_hours(session, place_id=site_id, hours=hours, from_day=day)


def _stands(session: WriteSession, programme: Programme, table: SiteTable, site_id: SiteId, at: datetime) -> None:
    """Its place in the tree; the areas come with the first site, since somebody has to have made them."""
    if table is programme.sites[0]:
        for area in programme.areas:
            add_area(
                session,
                actor=the_program(site_id),
                kind=area.kind,
                code=area.code,
                name=area.name,
                parent=area.parent,
                at=at,
            )
    place_site(
        session,
        actor=the_program(site_id),
        site_id=site_id,
        parent=table.parent,
        lat=table.lat,
        lon=table.lon,
        at=at,
    )


def _people(
    session: WriteSession, programme: Programme, table: SiteTable, site_id: SiteId, at: datetime
) -> dict[str, Actor]:
    digits = dict(pins(programme))
    actors = {}
    for each in table.staff:
        account = add_account(
            session,
            actor=the_program(site_id),
            site_id=site_id,
            username=each.username,
            name=each.name,
            initials=each.initials,
            password=PASSWORD,
            roles=each.roles,
            at=at,
        )
        actor = Actor(account.id, site_id, frozenset(each.roles), each.name, each.initials)
        actors[each.username] = actor
        pin = digits[each.username]
        set_pin(session, actor=actor, password=PASSWORD, pin=pin, again=pin, at=at)
        for role in each.roles if each.branch else ():
            grant_at_branch(
                session, actor=the_program(site_id), username=each.username, branch=each.branch, role=role, at=at
            )
    for each in table.staff:
        for kind in each.accredited:
            accredit(
                session,
                actor=next((one for one in actors.values() if Role.ADMINISTRATOR in one.roles), actors[each.username]),
                account_id=_account(actors[each.username]),
                kind=kind,
                seen="as the programme's file has it",
                from_day=at.date(),
                until_day=None,
                at=at,
            )
    return actors


def _account(actor: Actor) -> AccountId:
    assert actor.account_id is not None, "whoever works at a site has an account"
    return actor.account_id


def set_up(
    session: WriteSession,
    table: SiteTable,
    paper: PaperTable | None,
    here: Place,
    *,
    who: Callable[[Role], Actor],
    rests_on: str = "",
    day: date,
    at: datetime,
) -> None:
    """Policy, guidelines, pathway, instruments, directory and paper as the file has them, from a day on.

    Each is set in the name of whom `who` says of its role; `rests_on` follows the reasons that a doctor signs for.
    """
    if table.policy is not None:
        policy, version = _policy(session, table.policy, at)
        adopt(
            session,
            actor=who(Role.ADMINISTRATOR),
            site_id=here.id,
            policy=policy,
            version=version,
            from_day=day,
            at=at,
        )
    for topic, guideline in table.guidelines.items():
        adopt_guideline(
            session,
            actor=who(Role.ADMINISTRATOR),
            site_id=here.id,
            topic=topic,
            guideline=guideline,
            from_day=day,
            at=at,
        )
    if table.pathway is not None:
        follow_pathway(
            session,
            actor=who(Role.DOCTOR),
            pathway=table.pathway.key,
            reason=_reason(table.pathway.reason, rests_on),
            at=at,
        )
    for each in table.instrument:
        set_instrument(
            session,
            actor=who(Role.DOCTOR),
            key=each.key,
            used=each.used,
            every_months=each.every_months,
            positive_from=each.positive_from,
            roles=each.roles or _as_it_comes(each.key),
            accreditation=each.accreditation,
            risk_role=each.risk_role,
            band_told=each.band_told,
            reason=_reason(each.reason, rests_on),
            at=at,
        )
    for centre in table.centre:
        told = Centre(centre.code, centre.name, centre.services, centre.address, centre.phone)
        keep_centre(session, actor=who(Role.NURSE), place=told, at=at)
    if paper is not None:
        site = session.get_one(Site, here.id)
        change_paper(session, actor=who(Role.ADMINISTRATOR), site=site, paper=_paper(paper), at=at)


def _as_it_comes(instrument: str) -> Sequence[Role]:
    known = instruments().get(instrument)
    return known.roles if known else ()


def _reason(words: str, rests_on: str) -> str:
    return f"{words} {rests_on}".strip()


def _policy(session: WriteSession, table: PolicyTable, at: datetime) -> tuple[str, str]:
    """The name and version that the site adopts: a shipped one, or one of its own with the figures that it has set."""
    if not table.values:
        return table.name, table.version
    shipped = next(
        document
        for document in shipped_policies()
        if ((found := parse(document)).policy, found.version) == (table.name, table.version)
    )
    own = table.own or f"{table.name}-OWN"
    title = parse(shipped).title
    document = fill(shipped, table.values, policy=own, version="1", title=title, set_by=table.set_by)
    publish(session, document=document, at=at)
    return own, "1"


def _paper(table: PaperTable) -> Paper:
    return Paper(
        languages=table.languages,
        law=laws()[table.law],
        named=table.named,
        second_identifier=table.second_identifier,
        directions=table.directions,
        size=table.size,
        printer=table.printer,
    )


def _safe(session: WriteSession, table: SiteTable, pharmacist: Actor, day: date, at: datetime, now: datetime) -> None:
    for lot in table.lot:
        receive_lot(
            session,
            actor=pharmacist,
            batch=lot.batch,
            strength=strength(lot.strength),
            expires_on=now.date() + timedelta(days=lot.expires_in),
            ml=millilitres(lot.ml),
            day=DoseDay(day),
            at=at,
        )


def _counter(table: SiteTable) -> Opening:
    """How a site's counter is open, as the rows of its days have it: by its first hours; without slots, none booked."""
    if not table.hours:
        return Opening(first=time(8, 0), booked=0)
    first = table.hours[0]
    slot = timedelta(minutes=first.slot)
    long = datetime.combine(date.min, first.closes) - datetime.combine(date.min, first.opens)
    return Opening(first.opens, slot, first.capacity, max(1, int(long / slot)), first.windows)
