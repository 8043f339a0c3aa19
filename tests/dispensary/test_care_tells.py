"""Every way by which care could tell somebody outside: by consent and on the register, or not at all."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

import dispensary
from dispensary.care.intake_consents import end_consent, tell_referrer
from dispensary.care.intakes import Heard, take_in
from dispensary.care.meetings import About, note_meeting
from dispensary.care.naloxone import give_kit, receive_kits, report_use
from dispensary.care.naloxone_rules import Outcome, ToWhom
from dispensary.care.offer_models import Answer
from dispensary.care.offers import offer
from dispensary.care.outreach import Kind, Met, note_met
from dispensary.care.referral_models import Service
from dispensary.care.referral_words import Heard as Word
from dispensary.care.referral_words import note_word
from dispensary.care.referrals import refer
from dispensary.care.visits import Purpose, plan_visit
from dispensary.clients.consent_rules import Revoked
from dispensary.clients.contacts import note_visit_wish
from dispensary.clients.rules import EntryRoute
from dispensary.clients.surveys import new_link, open_survey, shipped_questions, type_in
from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_consents import revoked, taken

WRITE = {"care/intake_consents.py", "clients/demands.py", "clients/disclosing.py", "clients/telling.py"}
"""Where the register of disclosures is written. What care has of it is in the table below."""
_REGISTER = text(
    "SELECT r.ground, r.kinds, r.what, (SELECT count(*) FROM disclosure d WHERE d.release_id = r.id), r.notice"
    " FROM release r ORDER BY r.at, r.id"
)
SENT = Heard("Minh", EntryRoute.POLICE, "his aunt's shop", "to sleep", "Ward police, Sgt. Hoa", "")


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def register(here: Desks) -> list[tuple[object, ...]]:
    with here.database.reading() as session:
        return [tuple(row) for row in session.execute(_REGISTER)]


def test_the_register_is_written_in_these_places_alone() -> None:
    root = Path(dispensary.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "put_on_register"
    }
    assert found == WRITE


def reports(here: Desks, consent: str) -> tuple[int, str]:
    """A progress report to a court, by a nurse."""
    client = here.place.client()
    one = None if consent == "none" else taken(here.place, client)
    if one is not None and consent == "revoked":
        revoked(here.place, client, one)
    days = {"first": (here.today - timedelta(days=7)).isoformat(), "last": here.today.isoformat()}
    on = {"on": str(one.id)} if one is not None else {}
    answer = here.seat(Role.NURSE).post(f"/consulting/clients/{client}/disclosing/progress.pdf", {**days, **on})
    return answer.status_code, answer.text if answer.status_code != 200 else ""


def hears(here: Desks, consent: str) -> tuple[int, str]:
    """Whoever sent somebody asks whether they came."""
    heard = replace(SENT, name=f"Minh {consent}", consent="" if consent == "none" else "folder 12")
    with here.database.writing() as session:
        intake = take_in(session, actor=here.place.doctor, heard=heard, today=here.today, at=here.place.now)
    if consent == "revoked":
        with here.database.writing() as session:
            end_consent(session, actor=here.place.doctor, intake_id=intake.id, how=Revoked.SAID, at=here.place.now)
    try:
        with here.database.writing() as session:
            tell_referrer(
                session, actor=here.place.doctor, intake_id=intake.id, days=True, key=uuid4(), today=here.today,
                at=here.place.now,
            )  # fmt: skip
    except Refused as refused:
        return refused.status, refused.refusals[0].code
    return 200, ""


@pytest.mark.parametrize(
    ("tells", "kinds", "of_clients"),
    [(reports, ["attendance"], 1), (hears, ["attendance", "presence"], 0)],
    ids=["progress report", "whoever sent them"],
)
def test_by_consent_it_is_told_and_registered_and_without_it_is_neither(
    here: Desks, tells: Callable[[Desks, str], tuple[int, str]], kinds: list[str], of_clients: int
) -> None:
    for consent in ("none", "revoked"):
        status, why = tells(here, consent)
        assert status in (404, 409), (consent, why)
        assert register(here) == [], consent
    assert tells(here, "given")[0] == 200
    ((ground, told, what, clients, notice),) = register(here)
    assert (ground, sorted(told), clients) == ("consent", kinds, of_clients)
    assert what
    assert bool(notice) == bool(of_clients), "a paper has the notice on it; a sentence that is said has none"
    with here.database.reading() as session:
        sealed = session.execute(text("SELECT recipient_sealed, authority_sealed, reason_sealed FROM release")).one()
    assert all(sealed)


def everything_else(session: WriteSession, here: Desks, client: ClientId) -> None:
    """What care does that concerns somebody outside, and by which nobody outside hears anything."""
    place, key = here.place, uuid4
    when = {"today": here.today, "at": place.now}
    sent = refer(
        session, actor=place.doctor, client_id=client, service=Service.LEGAL_AID, place="Biro Bantuan", agreed=True,
        ask_on=here.today, **when,
    )  # fmt: skip
    note_word(
        session, actor=place.doctor, client_id=client, referral_id=sent.id, heard=Word.ACCEPTED, words="Thursday",
        on=here.today, key=key(), **when,
    )  # fmt: skip
    offer(
        session, actor=place.doctor, client_id=client, what="support_group", answer=Answer.DECLINED,
        screening_id=None, key=key(), **when,
    )  # fmt: skip
    lot = receive_kits(
        session, actor=place.doctor, batch="N1", product="spray", expires_on=here.today + timedelta(days=99), kits=9,
        **when,
    )  # fmt: skip
    for to_whom, whose in ((ToWhom.FAMILY, client), (ToWhom.COMMUNITY, None)):
        give_kit(
            session, actor=place.doctor, lot_id=lot.id, to_whom=to_whom, client_id=whose, kits=1, trained=True,
            key=key(), **when,
        )  # fmt: skip
    report_use(
        session, actor=place.doctor, client_id=client, told_by=ToWhom.FAMILY, happened_on=here.today, kits=1,
        outcome=Outcome.LIVES, key=key(), **when,
    )  # fmt: skip
    note_visit_wish(session, actor=place.doctor, client_id=client, agreed=True, where="Blue house", **when)
    plan_visit(
        session, actor=place.doctor, client_id=client, visitor_id=place.doctor.account_id, on=here.today,  # type: ignore[arg-type]
        purpose=Purpose.LOOK, **when,
    )  # fmt: skip
    met = Met(here.today, Kind.OUTREACH, "Chow Kit", "K14", ("hiv_test",), {})
    note_met(session, actor=place.doctor, met=met, key=key(), **when)
    note_meeting(
        session, actor=place.doctor, about=About.FAMILY, on=here.today, clients=[client], others=3, key=key(), **when
    )
    runs = replace(place.doctor, roles=frozenset({Role.ADMINISTRATOR}))
    open_survey(session, actor=runs, document=shipped_questions(), address="", at=place.now)
    type_in(session, actor=place.doctor, given={"help": "yes"}, **when)
    assert new_link(session, site_id=place.site_id, at=place.now)


def test_whatever_else_care_does_tells_nobody(here: Desks) -> None:
    client = here.place.client()
    with here.database.writing() as session:
        everything_else(session, here, client)
    with here.database.reading() as session:
        left = (
            "SELECT (SELECT count(*) FROM release), (SELECT count(*) FROM disclosure), (SELECT count(*) FROM message)"
        )
        assert tuple(session.execute(text(left)).one()) == (0, 0, 0)
    acts = here.acts_about(client)
    assert "disclosed" not in acts
    assert {"referred", "heard of referral", "offered service", "gave naloxone", "planned visit", "came to group"} <= {
        *acts
    }
