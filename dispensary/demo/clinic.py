"""Fills an empty database with the demonstration clinic, and says who can sign in and what to try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

import notifications.service
import scheduling.queries
import scheduling.service
from dispensary.clients.goal_steps import add_step, finish_step
from dispensary.clients.goals import set_goal
from dispensary.clients.tasks import open_task
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.demo.around import surrounds
from dispensary.demo.asked import asks
from dispensary.demo.care import cares
from dispensary.demo.course import Life
from dispensary.demo.guest import comes_by
from dispensary.demo.health import watch
from dispensary.demo.peers import keeps_in_touch
from dispensary.demo.people import YEAR, people
from dispensary.demo.programme import is_planted
from dispensary.demo.texting import fill_answers, fill_wishes
from dispensary.demo.unusual import Unusual
from dispensary.demo.year import Year
from dispensary.leading import run_once
from dispensary.nights import assess, close_left_open
from dispensary.prescribing.adopting import adopt_guideline
from dispensary.prescribing.sections import Topic
from dispensary.refusals import Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.phone_line import set_phone_line
from dispensary.staff.pins import set_pin
from dispensary.staff.queries import Place, place
from dispensary.staff.rules import Actor, Role, dose_day, the_program
from dispensary.staff.service import add_account
from dispensary.staff.sites import add_site
from dispensary.staff.text_languages import begin_with
from dispensary.supplies.handover import hand_over, prepare_and_tell
from dispensary.supplies.models import DayClose
from dispensary.supplies.moment import read_moment
from dispensary.supplies.nightwatch import ASSESS, CLOSE_AFTER, slot
from dispensary.supplies.outage_settings import USUAL_DAYS, set_downtime
from dispensary.supplies.rules import LONGEST_SUPPLY, Wanted, due_portions
from dispensary.supplies.shown import proposed_days
from dispensary.takehome.publishing import adopt, publish_policies
from dispensary.units import ClientId, DoseDay, SiteId
from notifications.places import set_rules
from notifications.texts import DRAFTS
from notifications.waiting import TextRules
from scheduling.rules import Declined, Hours

CODE = "HRP"
PASSWORD = "papaya on the verandah"  # noqa: S105 - of a demonstration that holds no real person
PINS = {
    "pharmacist": "271839",
    "doctor": "314195",
    "nurse": "161803",
    "reception": "141421",
    "peer": "173205",
    "evaluator": "577215",
    "administrator": "662607",
}
STAFF = (
    ("pharmacist", "Aishah binti Yusof", "AY", Role.PHARMACIST),
    ("doctor", "Dr. Lim Wei Sheng", "LWS", Role.DOCTOR),
    ("nurse", "Kavitha a/p Raman", "KR", Role.NURSE),
    ("reception", "Ong Siew Fong", "OSF", Role.RECEPTION),
    ("peer", "Azman bin Idris", "AI", Role.PEER_WORKER),
    ("evaluator", "Dr. Nadia Hashim", "NH", Role.EVALUATOR),
    ("administrator", "Farid bin Osman", "FO", Role.ADMINISTRATOR),
)
GUIDELINES = {
    Topic.INDUCTION: "PRODUCT-DEFAULT",
    Topic.TAPER: "AU-NAT-2003",
    Topic.SPLIT: "PRODUCT-DEFAULT",
    Topic.MISSED: "AU-NAT-2003",
    Topic.VOMITED: "US-TIP63",
    Topic.WRONG_DOSE: "AU-NAT-2003",
}
"""What the demonstration follows. A real site chooses with its doctors; Malaysia's own figures are not confirmed."""
HOURS = [Hours(weekday, time(6, 30), time(18, 30), 15, 8, 2) for weekday in range(7)]


def is_filled(session: ReadSession) -> bool:
    """Whether the demonstration clinic is there."""
    return session.scalar(select(func.count()).select_from(Site).where(Site.code == CODE)) == 1


def last_open(session: ReadSession) -> date | None:
    """The last day that was closed: a demonstration that was left alone for days shows everybody as absent."""
    return session.scalar(select(func.max(DayClose.dose_day)))


def fill(database: Database, *, now: datetime, public_base_url: str, say: Callable[[int, int], None]) -> None:
    """Opens the clinic as of a year ago, writes its year, and sets up this morning. Takes under a minute."""
    zone = "Asia/Kuala_Lumpur"
    today = dose_day(zone, time(0, 0), now)
    began = today - timedelta(days=YEAR)
    opened = datetime.combine(began, time(5, 0), tzinfo=ZoneInfo(zone))
    with database.writing() as session:
        site, actors = _open(session, zone, began, opened)
    year = Year(database, site, actors[Role.PHARMACIST], actors[Role.DOCTOR], people(Random(20), today), today)
    lives = year.write(say)
    with database.writing() as session:
        for actor in actors.values():  # each was at work yesterday, so that no account counts as one that sleeps
            audit.record(
                session,
                actor=actor,
                act="sign in",
                subject="account",
                subject_id=actor.account_id,
                at=now - timedelta(hours=22),
            )
    here = [life for life in lives if life.in_care(today)]
    with database.writing() as session:
        _contacts(session, site.id, here, now)
        _wishes(session, actors, here, today, now)
        fill_wishes(session, actor=actors[Role.RECEPTION], clients=[life.client_id for life in here], now=now)
        fill_answers(session, actor=actors[Role.EVALUATOR], today=today)
        keeps_in_touch(session, actors, [life.client_id for life in here[:14:2]], today=today, now=now)
    with database.writing() as session:
        watch(session, actors, here, today=today, now=now)
        known = [(ClientId(life.client_id), life.person.enrolled_on) for life in here]
        cares(session, actors, known, today=today, now=now)
        surrounds(session, actors, known, today=today, now=now)
        theirs, others = ([life.client_id for life in here[first:14:2]] for first in (0, 1))
        asks(session, actors, theirs, others, address=public_base_url, today=today, now=now)
    unusual = Unusual(database, site, actors, here, today, now)
    # As the night does it, and kept as done by it: nobody is greeted by an assessment that is lacking.
    night = partial(assess, site=site, day=today, at=unusual.ago(100))
    run_once(database, job=ASSESS, slot=slot(site, site.dose_day(now - CLOSE_AFTER)), clock=lambda: now, work=night)
    with database.writing() as session:
        unusual.taken.update(year.this_morning(session, unusual.ago(60)))
    besides = unusual.happens()
    _morning(database, site, actors, here, besides, today, now, public_base_url)
    comes_by(database, host=CODE, zone=zone, password=PASSWORD, today=today, now=now)
    is_planted(database, code=CODE, password=PASSWORD, today=today, now=now)
    close_left_open(database, lambda: now)  # a satellite without a counter closed no day of its own


def _open(session: WriteSession, zone: str, began: date, opened: datetime) -> tuple[Place, dict[Role, Actor]]:
    site = add_site(
        session,
        code=CODE,
        name="Harapan",
        zone=zone,
        region="MY",
        at=opened,
        address="12 Jalan Harapan, 50300 Kuala Lumpur",
        phone="03-0000 0000",
        prescriber_phone="03-0000 0001",
    )
    site_id = SiteId(site.id)
    scheduling.service.add_place(session, place_id=site_id, zone=zone)
    scheduling.service.set_hours(session, place_id=site_id, hours=HOURS, from_day=began)
    program = the_program(site_id)
    actors = {}
    for username, name, initials, role in STAFF:
        account = add_account(
            session,
            actor=program,
            site_id=site_id,
            username=username,
            name=name,
            initials=initials,
            password=PASSWORD,
            roles=[role],
            at=opened,
        )
        actors[role] = Actor(account.id, site_id, frozenset({role}), name, initials)
        pin = PINS[username]
        set_pin(session, actor=actors[role], password=PASSWORD, pin=pin, again=pin, at=opened)
    set_downtime(
        session,
        actor=actors[Role.ADMINISTRATOR],
        password=PASSWORD,
        days_ahead=USUAL_DAYS,
        copy_to="",
        at=opened,
    )
    publish_policies(session, at=opened)
    adopt(
        session,
        actor=actors[Role.ADMINISTRATOR],
        site_id=site_id,
        policy="DEMONSTRATION-CLINIC-ADHERENCE",
        version="1",
        from_day=began,
        at=opened,
    )
    for topic, guideline in GUIDELINES.items():
        adopt_guideline(
            session,
            actor=actors[Role.ADMINISTRATOR],
            site_id=site_id,
            topic=topic,
            guideline=guideline,
            from_day=began,
            at=opened,
        )
    begin_with(session, site_id=site_id, languages=DRAFTS, at=opened)
    set_phone_line(session, actor=actors[Role.ADMINISTRATOR], typed="36000", at=opened)
    return place(session, site_id), actors


def _contacts(session: WriteSession, site_id: SiteId, here: Sequence[Life], now: datetime) -> None:
    """Everybody's phone. The demonstration is looked at around the clock, and its telephone has no quiet hours."""
    rules = TextRules(quiet=None, price=Decimal("0.05"), currency="MYR", cap=Decimal(20))
    set_rules(session, place_id=site_id, rules=rules, now=now)
    for life in here:
        notifications.service.set_contact(
            session,
            vault=session.vault,
            recipient_id=life.client_id,
            phone=life.person.phone,
            language=life.person.language,
            region="MY",
            now=now,
            place_id=site_id,
        )


def _wishes(
    session: WriteSession, actors: dict[Role, Actor], here: Sequence[Life], today: DoseDay, now: datetime
) -> None:
    """What some want to reach, in their own words, with their steps; and reviews that are due this week."""
    goals = ("To keep the job at the bakery.", "To see my daughter on Sundays.", "To come twice a week, not every day.")
    steps = (("Ask for the early shift.", "A bank account for the wage."), ("Ring her mother.",), ())
    for life, words, those in zip(here[::7], goals, steps, strict=False):
        theirs: dict[str, Any] = {"actor": actors[Role.NURSE], "client_id": life.client_id, "at": now}
        goal = set_goal(session, words=words, today=today, **theirs)
        kept = [add_step(session, goal_id=goal.id, words=each, **theirs) for each in those]
        if len(kept) > 1:
            finish_step(session, step_id=kept[0].id, on_day=today, today=today, **theirs)
    for ahead, life in enumerate(here[3::19]):
        open_task(
            session,
            site_id=actors[Role.DOCTOR].site_id,
            client_id=life.client_id,
            role=Role.DOCTOR,
            kind="review",
            sentence="Review of dose and take-home, as agreed three months ago.",
            due_on=today + timedelta(days=ahead),
            opened_by=actors[Role.DOCTOR].account_id,
            at=now,
        )


def _morning(
    database: Database,
    site: Place,
    actors: dict[Role, Actor],
    here: Sequence[Life],
    besides: set[ClientId],
    today: DoseDay,
    now: datetime,
    public_base_url: str,
) -> None:
    """Three pickups wait, people are booked for today and the next days, some were dosed already, some wait.

    `besides` are those about whom something is not as usual.
    """
    pharmacist, random = actors[Role.PHARMACIST], Random(11)
    coming = [
        life
        for life in here
        if today not in life.covered and not life.person.leaves_on and life.client_id not in besides
    ]
    prepared: set[ClientId] = set()
    for life in coming:
        if (
            len(prepared) < 3
            and life.without < 3
            and _prepare(database, site, pharmacist, life, today, now, public_base_url)
        ):
            prepared.add(life.client_id)
    for life in here:
        days = [today + timedelta(days=n) for n in range(4)]
        _book(database, site, life, [day for day in days if day not in life.covered], now)
    opened = datetime.combine(today, time(6, 30), tzinfo=ZoneInfo(site.zone))
    early = [life for life in coming if life.client_id not in prepared and life.without == 0]
    random.shuffle(early)
    dosed = 14 if now > opened + timedelta(minutes=30) else 0
    for minutes, life in enumerate(early[:dosed]):
        _dose(database, site, pharmacist, life, today, opened + timedelta(minutes=1 + minutes))
    for minutes, life in enumerate(early[dosed : dosed + 5]):
        with database.writing() as session:
            scheduling.service.check_in(
                session, place_id=site.id, holder_id=life.client_id, now=now - timedelta(minutes=9 - 2 * minutes)
            )


def _prepare(
    database: Database, site: Place, actor: Actor, life: Life, today: DoseDay, now: datetime, public_base_url: str
) -> bool:
    ahead = [DoseDay(today + timedelta(days=n)) for n in range(1, LONGEST_SUPPLY + 1)]
    with database.writing() as session:
        moment = read_moment(session, site_id=site.id, client_id=life.client_id, today=today, days=ahead).moment
        days = proposed_days(moment)[:6]
        if len(days) < 2 or not due_portions(moment, today):
            return False
        prepare_and_tell(
            session,
            actor=actor,
            client_id=life.client_id,
            collect_on=today,
            take_home_days=days,
            valid=site.window_of(today),
            public_base_url=public_base_url,
            zone=site.zone,
            today=today,
            at=now,
        )
    return True


def _book(database: Database, site: Place, life: Life, days: Sequence[date], now: datetime) -> None:
    for day in days:
        with database.writing() as session:
            free = [slot for slot in scheduling.queries.slots_on(session, site.id, day) if slot.free]
            later = [slot for slot in free if slot.starts_at > now][life.person.prefers :]
            if not later:
                continue
            try:
                scheduling.service.book(
                    session,
                    place_id=site.id,
                    holder_id=life.client_id,
                    starts_at=later[0].starts_at,
                    now=now,
                    channel="text",
                )
            except Declined:
                continue


def _dose(database: Database, site: Place, actor: Actor, life: Life, today: DoseDay, at: datetime) -> None:
    with database.writing() as session:
        visit = scheduling.service.check_in(session, place_id=site.id, holder_id=life.client_id, now=at)
        scheduling.service.start(session, visit_id=visit.id, now=at + timedelta(seconds=20))
    wanted = Wanted(observed=True, identified_by="photo", well=True)
    try:
        with database.writing() as session:
            hand_over(
                session,
                actor=actor,
                client_id=life.client_id,
                wanted=wanted,
                key=f"demo-{today}-{life.person.number}",
                today=today,
                zone=site.zone,
                at=at + timedelta(seconds=80),
            )
    except Refused:
        return  # somebody who jumps or was away waits for a person, as at any counter
