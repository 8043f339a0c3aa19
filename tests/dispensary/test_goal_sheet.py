"""A client's goals on paper: their words in their language, and nothing that says who or what unless they want it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from dispensary.clients.goal_steps import LONGEST_STEP, Mark, Step, add_step, finish_step
from dispensary.clients.goals import LONGEST_GOAL, Goal, assign, close_goal, set_goal
from dispensary.clients.queries import face_at
from dispensary.database import Database
from dispensary.staff.models import Account, AuditEntry, Site
from dispensary.staff.rules import Role
from dispensary.staff.text_languages import withdraw_language
from dispensary.supplies.printing.fonts import NoLetters
from dispensary.supplies.printing.my_goals import GoalSheet, my_goals_pdf
from dispensary.units import AccountId, ClientId
from dispensary.web.consultation import Phone, reach
from notifications import help_sheet as words
from notifications.discretion import reveals
from notifications.help_sheet import say
from notifications.texts import CATALOGUES
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_help_sheet import letters, read
from tests.dispensary.visiting import text_of
from tests.paper import pages_of, words_of

DAY = date(2026, 11, 2)
HELD = Goal(
    uuid4(),
    "work at my uncle's shop again",
    "open",
    DAY,
    None,
    (Step(uuid4(), "ask my uncle", (Mark(True, DAY, "Nurse Lim"),)), Step(uuid4(), "buy shoes", ())),
)


@pytest.mark.parametrize("language", CATALOGUES)
def test_it_speaks_each_language_and_names_nobody(language: str) -> None:
    pdf = my_goals_pdf(GoalSheet(language, [HELD], DAY))
    text = letters(read(pdf, "-raw"))
    for said in (say(words.MY_GOALS, language), HELD.words, "ask my uncle", "buy shoes"):
        assert letters(said) in text, said
    assert "NurseLim" not in text, "nobody of the staff stands on it"
    assert "?" not in text
    assert not reveals(text)
    assert pdf == my_goals_pdf(GoalSheet(language, [HELD], DAY)), "the same sheet is the same bytes"


def test_long_words_and_many_steps_go_on_on_another_page() -> None:
    steps = tuple(Step(uuid4(), f"{number} " + "word " * (LONGEST_STEP // 5 - 2), ()) for number in range(20))
    long = replace(HELD, words="w" * LONGEST_GOAL, steps=steps)
    pages = pages_of(my_goals_pdf(GoalSheet("en", [long, HELD], DAY)))
    assert len(pages) > 1
    assert "buy shoes" in words_of(my_goals_pdf(GoalSheet("en", [long, HELD], DAY)))


def test_a_machine_without_letters_prints_no_empty_boxes(tmp_path: Path) -> None:
    with pytest.raises(NoLetters):
        my_goals_pdf(GoalSheet("km", [HELD], DAY), folders=[tmp_path])


@pytest.mark.parametrize(
    ("goal", "step", "word"),
    [
        ("be with my children", "visit them", ""),
        ("no more heroin", "sleep", "heroin"),
        ("sleep", "tell my doctor", "doctor"),
    ],
)
def test_a_goal_gives_away_what_its_words_or_steps_do(goal: str, step: str, word: str) -> None:
    assert replace(HELD, words=goal, steps=(Step(uuid4(), step, ()),)).gives_away == word


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def wants(here: Desks, client: ClientId, said: str) -> UUID:
    with here.database.writing() as session:
        return set_goal(
            session, actor=here.place.doctor, client_id=client, words=said, today=here.today, at=here.place.now
        ).id


def acts(here: Desks, client: ClientId) -> list[AuditEntry]:
    with here.database.reading() as session:
        kept = select(AuditEntry).where(AuditEntry.subject_id == client, AuditEntry.act == "printed goals")
        return list(session.scalars(kept).all())


class TestAtTheDesks:
    def test_it_is_printed_in_their_language_without_what_tells_and_the_look_is_kept(self, here: Desks) -> None:
        client = here.place.client()
        at = f"/consulting/clients/{client}"
        assert here.doctor.get(f"{at}/goals.pdf").status_code == 409, "there is nothing to print"
        assert acts(here, client) == [], "and nothing was seen"
        children, heroin = wants(here, client, "be with my children"), wants(here, client, "no more heroin")
        with here.database.writing() as session:
            about = {"actor": here.place.doctor, "client_id": client, "at": here.place.now}
            step = add_step(session, goal_id=children, words="visit them", **about).id  # type: ignore[arg-type]
            finish_step(session, step_id=step, on_day=here.today, today=here.today, **about)  # type: ignore[arg-type]
            phone = Phone(number="+60123456789", language="vi", consented=True)
            reach(session, client_id=client, phone=phone, region="MY", at=here.place.now)
        page = text_of(here.doctor.get(at))
        assert "Print them for the client" in page
        assert "It says “heroin”" in page
        answered = here.doctor.get(f"{at}/goals.pdf")
        assert answered.headers["content-disposition"] == 'inline; filename="page.pdf"'
        assert answered.headers["cache-control"] == "no-store"
        printed = words_of(answered.content)
        assert "Mục tiêu của tôi" in printed
        assert "be with my children" in printed
        assert "visit them" in printed
        assert "heroin" not in printed
        with here.database.writing() as session:
            administrator = replace(here.place.pharmacist, roles=frozenset({Role.ADMINISTRATOR}))
            withdraw_language(session, actor=administrator, language="vi", at=here.place.now)
        whole = words_of(here.doctor.get(f"{at}/goals.pdf?also={heroin}").content)
        assert "My goals" in whole, "the site writes Vietnamese no more"
        assert "no more heroin" in whole, "they wanted it there"
        assert [entry.details for entry in acts(here, client)] == ['{"goals":1}', '{"goals":2}']
        assert "Printed your goals for you" in text_of(here.doctor.get(f"{at}/looks"))

    def test_nothing_on_it_names_the_client_or_the_place(self, here: Desks) -> None:
        client = here.place.client()
        wants(here, client, "be with my children")
        printed = words_of(here.doctor.get(f"/consulting/clients/{client}/goals.pdf").content)
        with here.database.reading() as session:
            face = face_at(session, site_id=here.place.site_id, client_id=client)
            place = session.get_one(Site, here.place.site_id).name
        for said in (face.name, face.name.split()[0], face.number, place):
            assert said not in printed
        assert not reveals(printed)

    def test_a_closed_goal_is_not_on_it(self, here: Desks) -> None:
        client = here.place.client()
        goal = wants(here, client, "be with my children")
        wants(here, client, "sleep")
        with here.database.writing() as session:
            close_goal(
                session,
                actor=here.place.doctor,
                client_id=client,
                goal_id=goal,
                state="reached",
                today=here.today,
                at=here.place.now,
            )
        printed = words_of(here.doctor.get(f"/consulting/clients/{client}/goals.pdf").content)
        assert "sleep" in printed
        assert "children" not in printed

    def test_a_peer_worker_prints_it_for_their_own_alone(self, here: Desks) -> None:
        client, other = here.place.client(), here.place.client()
        peer = here.seat(Role.PEER_WORKER)
        for each in (client, other):
            wants(here, each, "be with my children")
        with here.database.writing() as session:
            azman = AccountId(session.scalars(select(Account.id).where(Account.username == "peer-worker")).one())
            assign(session, account_id=azman, client_id=client, actor=here.place.doctor, at=here.place.now)
        assert "be with my children" in words_of(peer.get(f"/peers/clients/{client}/goals.pdf").content)
        assert peer.get(f"/peers/clients/{other}/goals.pdf").status_code == 404
        assert acts(here, other) == []
        assert here.doctor.get(f"/consulting/clients/{uuid4()}/goals.pdf").status_code == 404
        assert here.seat(Role.RECEPTION).get(f"/consulting/clients/{client}/goals.pdf").status_code == 403
