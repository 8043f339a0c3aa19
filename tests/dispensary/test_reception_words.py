"""Reception, the kiosk and the waiting room know names and times: no word of health comes to any of their pages."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from dispensary.clients.groups import NOTED, note_groups
from dispensary.database import Database
from dispensary.monitoring.service import CONDITIONS, note_condition, open_alert
from dispensary.monitoring.treatments import start_medicine
from dispensary.phone import queueing
from dispensary.staff.rules import Role
from dispensary.supplies.exceptions import withhold
from dispensary.supplies.flags import set_flag
from dispensary.supplies.flags_rules import FlagKind
from dispensary.units import ClientId
from scheduling.queue_rules import Group
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_desk_queue import becomes, comes, sets
from tests.dispensary.visiting import Visitor, text_of

CLINICAL = re.compile(
    r"methad|bupren|nalox|rifamp|efavir|dolutegr|heroin|opioid|\bmg\b|\bmL\b|\bdos(?:e|es|ing|age)\b|take-home|bottle"
    r"|pregnan|\bhiv\b|\bart\b|hepat|\bhcv\b|\bhbv\b|tubercul|\btb\b|liver|\becg\b|\bqtc?\b|viral|positive|urine|relaps"
    r"|drows|intoxic|overdos|\bill\b|symptom|diagnos|medicine|allerg|flag",
    re.IGNORECASE,
)
_LEFT_OUT = {
    "/schema": "describes the interface for programs, and nobody in it",
    "/static": "what every page is drawn with",
    "/reception/help": "names nobody: words that every client may be handed",
    "/second-factor": "one's own sign-in",
    "/break-glass": "names nobody: how two people open the sealed code",
    "/demands": "names nobody: what to say to somebody who asks",
}


_ASKED = {"/api/bookings": "?day=2026-11-24", "/api/slots": "?day=2026-11-24"}


def paths(client: ClientId) -> Iterator[str]:
    """Every address that reception may open, with the client in it."""
    with (Path(__file__).parent / "permissions.csv").open() as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            path = row["route"].replace("{client_id}", str(client))
            opens = row["method"] == "GET" and row["reception"] == "yes" and "{" not in path
            if opens and not path.startswith(tuple(_LEFT_OUT)):
                yield path + _ASKED.get(path, "")


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    """Somebody of whom there is everything to tell: conditions, medicines, alerts, a flag, a dose withheld, bottles."""
    place = here.place
    client = place.client(parts=("50", "30"))
    who, today, now = place.doctor, place.today, place.now
    place.decide(client, per_supply=6)
    with here.database.writing() as session:
        for kind in CONDITIONS:
            note_condition(session, actor=who, client_id=client, kind=kind, noted_on=today, at=now)
            for role in (Role.NURSE, Role.DOCTOR, Role.PHARMACIST):
                open_alert(
                    session,
                    site_id=place.site_id,
                    client_id=client,
                    cause=f"{kind} {role}",
                    severity="urgent",
                    role=role,
                    sentence=f"{kind} positive, relapse: 80 mg methadone with efavirenz",
                    at=now,
                )
        start_medicine(
            session, actor=who, client_id=client, substance="efavirenz", started_on=today, today=today, at=now
        )
        set_flag(
            session,
            actor=who,
            client_id=client,
            kind=FlagKind.STOP_DOSE,
            sentence="Overdose on the way here: HIV and hepatitis results first",
            from_day=today,
            last_day=None,
            owner_id=None,
            owner_role=None,
            today=today,
            at=now,
        )
        withhold(session, actor=place.pharmacist, client_id=client, observation="Drowsy, heroin", today=today, at=now)
        note_groups(session, actor=place.pharmacist, client_id=client, words=set(NOTED), at=now)
    sets(here, groups=(Group("pregnant", 30), Group("ill", 60)))
    visit = comes(here, client)
    with here.database.writing() as session:
        queueing.comes_sooner(session, actor=place.pharmacist, visit_id=visit.id, word="pregnant", at=now)
    return client


def said(visitor: Visitor, path: str) -> str:
    answer = visitor.get(path)
    assert answer.status_code in (200, 204, 303), path
    return answer.text if path.startswith("/api/") else text_of(answer)


def test_no_word_of_health_is_on_any_page_that_reception_opens(here: Desks, client: ClientId) -> None:
    desk = here.seat(Role.RECEPTION)
    asked = list(paths(client))
    assert {"/reception", "/reception/queue", f"/reception/clients/{client}", "/api/queue"} <= set(asked)
    found = {path: sorted(set(CLINICAL.findall(said(desk, path)))) for path in asked}
    assert {path: words for path, words in found.items() if words} == {}
    # The same words are there for whoever treats them, so that it is not the clinic that is empty.
    treats = here.seat(Role.DOCTOR, Role.PHARMACIST, Role.NURSE, Role.RECEPTION)
    for path in ("/reception/queue", f"/consulting/clients/{client}", f"/counter/clients/{client}"):
        assert CLINICAL.search(said(treats, path)), path


def test_no_word_of_health_is_on_a_kiosk_or_a_screen(here: Desks, client: ClientId) -> None:
    for kind in ("kiosk", "screen"):
        assert CLINICAL.findall(said(becomes(here, kind), f"/{kind}")) == []
