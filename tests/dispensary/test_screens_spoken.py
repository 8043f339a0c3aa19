"""What people look at each day at their own desks is said in every language that screens can be read in."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dispensary import words
from dispensary.clients.goals import assign, set_goal
from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.units import AccountId, ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_pages_in_malay import FILES, Message, said

LEAST = 0.95
"""Of the messages of a page; what is left is read in English."""
PAGES: dict[Role, tuple[str, ...]] = {
    Role.RECEPTION: (
        "/", "/reception", "/reception/day", "/reception/queue", "/reception/waiting", "/reception/tasks",
        "/reception/clients/{client}",
    ),
    Role.PHARMACIST: (
        "/", "/counter", "/counter/day", "/counter/close", "/counter/pickups", "/counter/clients/{client}",
        "/counter/clients/{client}/flags", "/carrying", "/moves", "/guests",
    ),
    Role.DOCTOR: (
        "/", "/consulting", "/consulting/clients/{client}", "/consulting/clients/{client}/order",
        "/consulting/clients/{client}/plan", "/consulting/clients/{client}/take-home",
        "/consulting/clients/{client}/health", "/consulting/health", "/consulting/clients/new", "/moves",
    ),
    Role.NURSE: (
        "/", "/care", "/care/clients/{client}", "/care/groups", "/care/outreach", "/care/visits", "/care/naloxone",
        "/care/naloxone/{client}", "/care/linkage", "/care/linkage/{client}", "/care/referrals", "/care/stopped",
        "/care/intakes", "/care/life/{client}", "/care/survey", "/care/centres",
    ),
    Role.PEER_WORKER: ("/", "/peers", "/peers/clients/{client}", "/care/groups", "/care/outreach", "/care/survey"),
    Role.EVALUATOR: ("/", "/evaluation", "/evaluation/feedback", "/evaluation/retention", "/programme"),
    Role.ADMINISTRATOR: ("/", "/care/centres", "/programme"),
}  # fmt: skip


class Heard:
    """Stands for the translations of a language, and hears what a page asks of them."""

    def __init__(self) -> None:
        self.asked: set[Message] = set()

    def ugettext(self, message: str) -> str:
        self.asked.add(("", message))
        return message

    def upgettext(self, about: str, message: str) -> str:
        self.asked.add((about, message))
        return message

    def ungettext(self, one: str, many: str, count: int) -> str:
        self.asked.add(("", one))
        return one if count == 1 else many


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    hears = Heard()
    monkeypatch.setattr(words, "_translations", lambda language, on_screen: hears)
    return hears


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> tuple[Desks, ClientId]:
    place = desks(database, now, tmp_path)
    place.follow()
    client = place.place.client()
    place.place.give(client)
    place.place.client()
    peer = place.seat(Role.PEER_WORKER)
    account = peer.client.get("/api/session").json()["signed_in"]["account_id"]
    with database.writing() as session:
        session.get_one(Site, place.place.site_id).language = "ms"
        given = {"actor": place.place.doctor, "client_id": client, "at": place.place.now}
        assign(session, account_id=AccountId(account), **given)
        set_goal(session, words="back to work", today=place.today, **given)
    place.clock.moment += timedelta(minutes=5)
    return place, client


def test_what_each_role_looks_at_each_day_is_said_in_every_language(here: tuple[Desks, ClientId], heard: Heard) -> None:
    place, client = here
    asked: dict[str, set[Message]] = {}
    for role, paths in PAGES.items():
        visitor = place.seat(role)
        for path in paths:
            heard.asked = set()
            answer = visitor.get(path.format(client=client))
            assert answer.status_code == 200, (role, path, answer.status_code, answer.headers.get("location"))
            assert 'lang="ms"' in answer.text, path
            assert len(heard.asked) > 10, path
            asked[f"{role.value}: {path}"] = heard.asked
    wanting = defaultdict(list)
    for file in FILES:
        translated = set(said(file))
        for page, messages in asked.items():
            missing = messages - translated
            if len(missing) > (1 - LEAST) * len(messages):
                wanting[f"{file.parent.parent.name} {page}"] = sorted(message for _, message in missing)
    assert dict(wanting) == {}
