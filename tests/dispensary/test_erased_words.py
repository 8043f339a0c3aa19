"""After an erasure no copy of the database, with every key of the house, opens a word that was about that client."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

import notifications.service
from dispensary.care.intake_closing import Outcome, close_intake
from dispensary.care.intakes import Heard, Part, assess_part, take_in
from dispensary.care.reaching import note_own_contact
from dispensary.care.referral_models import Service
from dispensary.care.referral_words import Heard as Word
from dispensary.care.referral_words import note_word
from dispensary.care.referrals import refer
from dispensary.care.screenings import screen, take_back
from dispensary.clients.consent_rules import Information
from dispensary.clients.consents import consents_of, take_consent
from dispensary.clients.contacts import note_visit_wish
from dispensary.clients.demands import name_who_answers
from dispensary.clients.disclosing import disclose, register_of
from dispensary.clients.goal_steps import add_step, note_said
from dispensary.clients.goals import assign, set_goal
from dispensary.clients.legal_holds import holds_of, lift_hold, set_hold
from dispensary.clients.legal_status import note_legal_status
from dispensary.clients.legal_status_rules import LegalStatus
from dispensary.clients.models import Episode
from dispensary.clients.rules import EntryRoute, ExitReason, Identity
from dispensary.clients.service import end_episode, enrol
from dispensary.clients.telling import tell_in_emergency, words_of, write_what_it_was
from dispensary.database import Database
from dispensary.jobs import forget_demands
from dispensary.keys import ERASED, BadKeys, Vault, whose
from dispensary.looks.asking import give_reason
from dispensary.looks.watched import WatchKind, watch
from dispensary.resealing.counting import count_fields
from dispensary.resealing.fields import SealedColumn, sealed_columns
from dispensary.resealing.moving import seal_anew
from dispensary.staff.rules import Role
from dispensary.staff.service import password_hash
from dispensary.supplies.agents import name_agent
from dispensary.supplies.agents_rules import Consented, Document, Named, Relation, Scope
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from notifications.inbound import receive
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks
from tests.dispensary.lending import lent_app
from tests.dispensary.test_consents import ASKED
from tests.dispensary.test_demands import entered, told
from tests.dispensary.test_disclosing import TOLD
from tests.dispensary.test_erasing import PASSWORD, codes, erased
from tests.dispensary.visiting import MovableClock, demo_settings

MARK = "Qwertz"
"""Stands in every word that was written about the client, and nowhere else."""
PHONE = "+60123456789"


@dataclass(frozen=True)
class Field:
    """A sealed field as a copy of the database has it."""

    column: SealedColumn
    row: UUID
    sealed: bytes


def fields(database: Database, client: ClientId | None = None) -> list[Field]:
    """Every sealed field there is, or that says something of this client."""
    found = []
    with database.reading() as session:
        for column in sealed_columns():
            if client is not None and column.whose is None:
                continue
            where = f"{column.whose} = :client" if client is not None else "true"
            rows = session.execute(
                text(f'SELECT "{column.row}", "{column.column}" FROM "{column.table}" WHERE {where}'),
                {"client": client} if client is not None else {},
            )
            found += [Field(column, row, bytes(sealed)) for row, sealed in rows if sealed]
    return found


def opened(vault: Vault, field: Field) -> str:
    try:
        return vault.open_bytes(field.column.bound_by, field.row, field.sealed).decode("utf-8", "replace")
    except BadKeys:
        return ""


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def left(place: Clinic) -> ClientId:
    """Somebody of whom something was written in every table that has room for it, and who has left."""
    at, today, doctor, pharmacist = place.now, place.today, place.doctor, place.pharmacist
    boss = replace(pharmacist, roles=frozenset({Role.ADMINISTRATOR}))
    about: dict[str, Any] = {"actor": doctor, "at": at}
    with place.database.writing() as session:
        client = ClientId(
            enrol(
                session,
                actor=doctor,
                number="Q0001",
                identity=Identity(
                    f"{MARK} binti Rahmat", born=date(1985, 4, 3), national_id=f"850403-{MARK}",
                    photo=b"\x89PNG\r\n\x1a\n" + MARK.encode(), second_identifier=f"{MARK} on the left hand",
                ),
                began_on=today,
                today=today,
                at=at,
            ).id
        )  # fmt: skip
        about["client_id"] = client
        notifications.service.set_contact(
            session, vault=session.vault, recipient_id=client, phone=PHONE, language="en", region="MY", now=at
        )
        name_agent(
            session,
            actor=pharmacist,
            client_id=client,
            named=Named(f"{MARK} Agent", Relation.SIBLING, Document.IDENTITY_CARD, f"{MARK}-5566", date(1980, 1, 1)),
            consented=Consented(Scope.ONCE, today, today + timedelta(days=6), 6),
            today=today,
            at=at,
        )
        goal = set_goal(session, words=f"{MARK} at the harbour", today=today, **about)
        add_step(session, goal_id=goal.id, words=f"ask {MARK} for shoes", **about)
        note_said(session, goal_id=goal.id, words=f"{MARK} lent me a boat", key=uuid4(), today=today, **about)
        note_legal_status(session, word=LegalStatus.OPEN, from_day=today, key=uuid4(), today=today, **about)
        came = take_in(session, actor=doctor, heard=Heard(MARK, EntryRoute.POLICE, referrer=MARK), today=today, at=at)
        assess_part(
            session, actor=doctor, intake_id=came.id, part=Part.HEALTH, words=f"{MARK} sleeps badly", services=[],
            key=uuid4(), today=today, at=at,
        )  # fmt: skip
        close_intake(session, actor=doctor, intake_id=came.id, outcome=Outcome.ENROLLED, client_id=client, at=at)
        sent = refer(
            session, service=Service.STI, place="Hospital", agreed=True, ask_on=today, today=today, **about
        )  # fmt: skip
        note_word(
            session, referral_id=sent.id, heard=Word.FEEDBACK, words=f"{MARK} liked it", on=today, key=uuid4(),
            today=today, **about,
        )  # fmt: skip
        disclose(
            session, actor=doctor, clients=[client], what="x", at=at,
            told=replace(TOLD, recipient=f"{MARK} clinic", reason=f"{MARK} asked", authority=f"{MARK} 7"),
        )  # fmt: skip
        take_consent(
            session, today=today, **about,
            asked=replace(
                ASKED, recipient=f"{MARK} hospital", purpose=f"{MARK} care", signature=MARK, until_day=None,
                until_event=f"{MARK} is born",
            ),
        )  # fmt: skip
        hold = set_hold(session, reason=f"{MARK} died", authority=f"{MARK} court", **about)
        lift_hold(session, actor=doctor, hold_id=hold.id, reason=f"{MARK} closed", at=at)
        watch(session, kind=WatchKind.OTHER, words=f"{MARK} is known", account_id=None, **about)
        give_reason(session, reason="other", words=f"{MARK} rang", whys=(), day=today, **about)
        release = tell_in_emergency(
            session, recipient=f"Dr. {MARK}", kinds=frozenset({Information.DOSES}), what="doses", key=uuid4(),
            today=today, **{**about, "actor": pharmacist},
        )  # fmt: skip
        write_what_it_was(
            session, actor=pharmacist, client_id=client, release_id=release.id, words=f"{MARK} fainted", at=at
        )
        assign(session, account_id=pharmacist.account_id, **{**about, "actor": doctor})
        peer = replace(pharmacist, roles=frozenset({Role.PEER_WORKER}))
        note_own_contact(
            session, actor=peer, client_id=client, reached=True, words=f"{MARK} is well", key=uuid4(), at=at
        )
        note_visit_wish(session, agreed=True, where=f"Ask for {MARK} at the blue gate", today=today, **about)
        answers = {f"q{n}": "no" for n in range(1, 11)}
        taken = screen(session, instrument="dast10", answers=answers, taken_on=today, key=uuid4(), today=today, **about)
        take_back(session, screening_id=taken.id, reason=f"{MARK} was not asked", **about)
        notifications.service.queue(
            session, vault=session.vault, recipient_id=client, kind="number_left", reason_key="test:1", fields={},
            zone=ZoneInfo("UTC"), now=at, valid_until=at + timedelta(hours=1),
        )  # fmt: skip
        receive(
            session, vault=session.vault, gateway="test", message_id="1", phone=PHONE, text=f"{MARK} is late", at=at
        )
        name_who_answers(session, actor=boss, account_id=doctor.account_id, at=at)  # type: ignore[arg-type]
        (agent,) = session.execute(text("SELECT id FROM agent")).scalars()
        photo = session.vault.seal("agent.photo", agent, MARK, of=client)
        session.execute(text("UPDATE agent SET photo_sealed = :p"), {"p": photo})
    demand = entered(
        place, about=f"{MARK} binti Rahmat", wants=f"{MARK}'s doses", reference=f"PP v {MARK}", who="A registrar"
    )
    told(place, demand, client, "doses")
    with place.database.writing() as session:
        episode = session.query(Episode).filter_by(client_id=client).one()
        reason = next(iter(ExitReason))
        end_episode(session, actor=doctor, episode_id=episode.id, ended_on=today, reason=reason, at=at)
    return client


def test_no_copy_with_every_key_of_the_house_opens_a_word_of_them(place: Clinic, left: ClientId) -> None:
    covered = {field.column.name for field in fields(place.database, left)}
    every = {column.name for column in sealed_columns() if column.whose is not None}
    assert every - covered == {"number_change.phone_sealed"}, "whatever is sealed of a client is written above"
    own = {"legal_demand", "legal_demand_step"}
    sealed_by_the_house = {field.column.table for field in fields(place.database, left) if whose(field.sealed) is None}
    assert sealed_by_the_house <= own, "a demand was linked to nobody when it was written down"
    assert forget_demands(place.database, lambda: place.now) == 0  # within six hours, a job has carried them over
    copy = fields(place.database)
    assert sum(MARK in opened(place.database.vault, field) for field in copy) > 20

    with place.database.writing() as session:
        session.execute(text("INSERT INTO account_password (account_id, hash) VALUES (:i, :p)"), _password(place))
    assert erased(place, left) is not None
    place.database.vault.kept.forget(left)
    for field in [*copy, *fields(place.database)]:
        assert MARK not in opened(place.database.vault, field), field.column.name
    assert [f"{f.column.name}" for f in fields(place.database, left) if _says_more(place, f)] == []
    with place.database.reading() as session:
        assert list(verify(session, now=place.now)) == []
        assert sum(count.stale for count in count_fields(session)) == 0
        lines = register_of(session, site_id=place.site_id)
        assert {line.recipient for line in lines} == {ERASED}
        assert {line.what for line in lines} == {"x", "doses"}, "that something was told stays on the register"
        assert {consent.purpose for consent in consents_of(session, client_id=left)} == {ERASED}
        assert {hold.authority for hold in holds_of(session, client_id=left)} == {ERASED}
        assert {words_of(session, release_id=line.release_id) for line in lines} == {"", ERASED}
        who = session.execute(text("SELECT id, who_sealed FROM legal_demand")).one()
        assert session.vault.open("legal_demand.who", who.id, bytes(who.who_sealed)) == "A registrar"


def _says_more(place: Clinic, field: Field) -> bool:
    """Whether a field of an erased client still opens, and says more than that they were erased."""
    said = opened(place.database.vault, field)
    return bool(said) and said not in (f"erased on {place.today}", "-", "1980-01-01")


def _password(place: Clinic) -> dict[str, object]:
    return {"p": password_hash(PASSWORD), "i": place.pharmacist.account_id}


def test_what_the_house_sealed_before_goes_with_them_too(place: Clinic, left: ClientId) -> None:
    """As an older program left it: everything under the house's key. An erasure waits for no sealing anew."""
    house = Vault(place.database.vault.keyring)
    with place.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for field in fields(place.database, left):
            plain = session.vault.open_bytes(field.column.bound_by, field.row, field.sealed)
            older = house.seal(field.column.bound_by, field.row, plain)
            column = field.column
            session.execute(
                text(f'UPDATE "{column.table}" SET "{column.column}" = :s WHERE "{column.row}" = :r'),
                {"s": older, "r": field.row},
            )
        session.execute(text("INSERT INTO account_password (account_id, hash) VALUES (:i, :p)"), _password(place))
    with place.database.reading() as session:
        assert sum(count.stale for count in count_fields(session)) > 20
    erased(place, left)
    for field in fields(place.database):
        assert MARK not in opened(place.database.vault, field), field.column.name


def test_what_lay_under_the_houses_key_is_carried_over_on_a_full_table(place: Clinic, left: ClientId) -> None:
    assert {c.column.table for c in _stale(place)} == {"legal_demand", "legal_demand_step"}
    before = {(f.column.name, f.row): opened_by(place, f) for f in fields(place.database)}
    assert seal_anew(place.database, at_once=3).unread == []
    assert _stale(place) == []
    assert {(f.column.name, f.row): opened_by(place, f) for f in fields(place.database)} == before
    under = {f.column.column for f in fields(place.database, left) if f.column.table == "legal_demand"}
    assert under == {"about_sealed", "wants_sealed", "reference_sealed"}
    assert all(whose(f.sealed) == left for f in fields(place.database, left))


def _stale(place: Clinic) -> list[Any]:
    with place.database.reading() as session:
        return [count for count in count_fields(session) if count.stale]


def opened_by(place: Clinic, field: Field) -> bytes:
    with place.database.reading() as session:
        return session.vault.open_bytes(field.column.bound_by, field.row, field.sealed)


def test_a_file_of_results_that_waits_may_name_them(place: Clinic, left: ClientId) -> None:
    with place.database.writing() as session:
        session.execute(text("INSERT INTO account_password (account_id, hash) VALUES (:i, :p)"), _password(place))
        laboratory, file = uuid4(), uuid4()
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("""INSERT INTO result_file (id, site_id, laboratory_id, format, name, digest, content_sealed,
                uploaded_at, left_out) VALUES (:i, :s, :l, 'csv', 'x', 'x', :c, :at, '[]')"""),
            {"i": file, "s": place.site_id, "l": laboratory, "at": place.now,
             "c": session.vault.seal("result_file.content", file, MARK)},
        )  # fmt: skip
    assert codes(lambda: erased(place, left)) == {"results-wait"}


def test_every_page_about_them_still_answers(
    database: Database, now: datetime, tmp_path: Path, place: Clinic, left: ClientId
) -> None:
    """Whoever opens what is left reads that it was erased, and no page breaks at it."""
    with place.database.writing() as session:
        session.execute(text("INSERT INTO account_password (account_id, hash) VALUES (:i, :p)"), _password(place))
    erased(place, left)
    rows = [line for line in (Path(__file__).parent / "permissions.csv").read_text().splitlines() if line[0] != "#"]
    paths = {
        row["route"]
        for row in csv.DictReader(rows)
        if row["method"] == "GET" and row["doctor"] == "yes" and row["route"].count("{") == 1
        and "{client_id}" in row["route"]
    }  # fmt: skip
    assert len(paths) > 25
    clock = MovableClock(now)
    here = Desks(database, place, lent_app(demo_settings(tmp_path), database, clock), clock)
    broken = []
    for path in sorted(paths):
        answered = here.doctor.get(path.replace("{client_id}", str(left)))
        if answered.status_code >= 500 or MARK in answered.text:
            broken.append((path, answered.status_code))
    assert broken == []
