"""A site's own questions: read strictly, answered once by nobody known, shown of whole months of five or more."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pypdf import PdfReader
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.clients.survey_rules import LEAST_SHOWN, Answered, read_questions, results
from dispensary.clients.surveys import answer, new_link, shipped_questions, told_by_surveys
from dispensary.database import Database
from dispensary.documents import BadDocument
from dispensary.refusals import NotThere
from dispensary.staff.rules import Role
from notifications.discretion import reveals
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor, text_of

WORDS = """name = "mine"
languages = ["en"]
[title]
en = "Ours"
[[scale]]
name = "yes"
answer = [ { name = "yes", en = "Yes" }, { name = "no", en = "No" } ]
[[question]]
name = "calm"
scale = "yes"
says = { en = "Was it calm?" }
"""
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


@pytest.mark.parametrize(
    ("wrong", "instead", "problem"),
    [
        ('says = { en = "Was it calm?" }', 'says = { en = "Was the methadone good?" }', "gives away"),
        ('en = "No" } ]', 'ms = "Tidak" } ]', "has no en"),
        ('scale = "yes"\n', 'scale = "no"\n', "which the document has not"),
        (', { name = "no", en = "No" } ]', " ]", "from 2 to 7 answers"),
        ('name = "calm"', 'name = "Calm down"', "small letters"),
        ('languages = ["en"]', "languages = []", "list of languages"),
        ("[[question]]", "[question]", "list of tables"),
        ("[title]", "extra = 1\n[title]", "means nothing here"),
        ("name =", "name", "not TOML"),
    ],
)
def test_a_document_that_cannot_be_asked_is_refused_with_its_problem(wrong: str, instead: str, problem: str) -> None:
    assert read_questions(WORDS, reveals).title == {"en": "Ours"}
    with pytest.raises(BadDocument, match=problem):
        read_questions(WORDS.replace(wrong, instead, 1), reveals)


def test_the_houses_own_questions_can_be_asked_in_each_of_their_languages() -> None:
    questions = read_questions(shipped_questions(), reveals)
    assert questions.languages == ("en", "ms")
    assert [questions.language_for(tag) for tag in ("ms", "vi")] == ["ms", "en"]
    assert all(len(each.choices) == 3 and set(each.says) == {"en", "ms"} for each in questions.asked)


@given(
    said=some.lists(
        some.tuples(some.sampled_from((OCTOBER, NOVEMBER)), some.sampled_from(("yes", "no", ""))), max_size=40
    )
)
def test_nothing_is_shown_of_fewer_than_five_or_of_a_month_that_goes_on(said: list[tuple[date, str]]) -> None:
    questions = read_questions(WORDS, reveals)
    answered = [Answered(month, {"calm": word} if word else {"other": "x"}) for month, word in said]
    found = results(questions, answered, today=date(2026, 11, 30))
    october = [word for month, word in said if month == OCTOBER]
    shown = [word for word in october if word]
    assert found.months == ([(OCTOBER, len(october))] if len(october) >= LEAST_SHOWN else [])
    assert found.waiting == len(said) - found.people
    counted = bool(found.months) and len(shown) >= LEAST_SHOWN
    assert list(found.counted[0].counts) == ([shown.count("yes"), shown.count("no")] if counted else [])


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def opened(here: Desks, document: str = WORDS) -> None:
    administrator = here.administrator
    sent = administrator.post("/office/survey", {"document": document})
    assert sent.status_code == 303, sent.text


def ticket(here: Desks) -> str:
    with here.database.writing() as session:
        link = new_link(session, site_id=here.place.site_id, at=here.place.now)
    assert link is not None
    return link.rpartition("/")[2]


def test_from_the_office_to_paper_and_phone_to_the_waiting_room(here: Desks) -> None:
    """One scenario: opened, typed from paper, answered by link once, shown when the month is over, a new version."""
    nurse, peer, phone = here.seat(Role.NURSE), here.seat(Role.PEER_WORKER), Visitor(here.app)
    assert "Nothing is asked now" in text_of(nurse.get("/care/survey"))
    assert nurse.get("/care/survey/paper.pdf").status_code == 404
    bad = here.administrator.post("/office/survey", {"document": WORDS.replace("calm?", "clinic?")})
    assert bad.status_code == 422
    assert "gives away what kind of place asks" in text_of(bad)
    opened(here)
    opened(here)  # sent twice, it is one version
    paper = PdfReader(BytesIO(nurse.get("/care/survey/paper.pdf").content)).pages[0].extract_text()
    assert "Was it calm?" in paper
    assert "Do not write your name" in paper
    for visitor, said in ((nurse, "yes"), (nurse, "no"), (peer, "yes")):
        assert visitor.post("/care/survey", {"calm": said}).status_code == 303
    assert "Nothing was answered" in text_of(nurse.post("/care/survey", {}))

    mine = ticket(here)
    asked = phone.get(f"/s/{mine}")
    assert asked.headers["referrer-policy"] == "no-referrer"
    assert "Was it calm?" in text_of(asked)
    assert "Takehome" not in asked.text
    assert "This is no answer" in text_of(phone.post(f"/s/{mine}", {"calm": "perhaps"}))
    assert "Thank you" in text_of(phone.post(f"/s/{mine.lower()}", {"calm": "yes", "tongue": "en"}))
    for again in (phone.get(f"/s/{mine}"), phone.post(f"/s/{mine}", {"calm": "no"}), phone.get("/s/0000000000")):
        assert again.status_code == 404
        assert "nothing here" in text_of(again)
    old = ticket(here)
    with here.database.writing() as session, pytest.raises(NotThere):
        answer(session, ticket=old, given={"calm": "no"}, today=here.today, at=here.place.now + timedelta(days=15))
    last = ticket(here)
    assert phone.post(f"/s/{last}", {"calm": "no"}).status_code == 200

    assert "5 answers are not shown yet" in text_of(nurse.get("/care/survey")), "the month goes on"
    evaluator = here.seat(Role.EVALUATOR)
    here.days_pass(31)
    for username, visitor in (("nurse", nurse), ("evaluator", evaluator), ("administrator", here.administrator)):
        assert visitor.signs_in(username).status_code == 303
    assert peer.signs_in("peer-worker").status_code == 303
    for visitor, path in ((nurse, "/care/survey"), (evaluator, "/evaluation/feedback")):
        shown = text_of(visitor.get(path))
        assert "5 people answered" in shown
        assert "Yes 3" in shown
        assert "No 2" in shown
    poster = PdfReader(BytesIO(evaluator.get("/evaluation/feedback.pdf").content)).pages[0]
    assert "Yes: 3 · No: 2" in poster.extract_text()

    waits = ticket(here)
    opened(here, WORDS.replace("Was it calm?", "Was it quiet?"))
    assert phone.get(f"/s/{waits}").status_code == 404, "what was asked before is asked no more"
    with here.database.reading() as session:
        told = told_by_surveys(session, site_id=here.place.site_id, today=here.place.today)
        assert [(each.survey.version, each.results.people) for each in told] == [(2, 0), (1, 5)]
        assert session.scalar(text("SELECT count(*) FROM survey_ticket")) == 0
        columns = set(session.scalars(text(
            "SELECT column_name FROM information_schema.columns WHERE table_name IN ('survey_answer', 'survey_ticket')"
        )))  # fmt: skip
        assert columns == {"id", "survey_id", "month", "answers", "digest", "good_until"}, "nothing to know anybody by"
        said = "SELECT details FROM audit_entry WHERE act = 'typed survey sheet'"
        assert all("yes" not in str(details) and "no" not in str(details) for details in session.scalars(text(said)))
    assert here.administrator.post("/office/survey/close", {}).status_code == 303
    assert "Nothing is asked now" in text_of(peer.get("/care/survey"))


def test_what_came_of_a_survey_that_is_over_is_read_by_whoever_answered_and_hangs_in_the_waiting_room(
    here: Desks,
) -> None:
    opened(here, shipped_questions())
    phone = Visitor(here.app)
    nurse = here.seat(Role.NURSE)
    with here.database.reading() as session:
        (asked,) = told_by_surveys(session, site_id=here.place.site_id, today=here.today)
    name, choice = asked.questions.asked[0].name, asked.questions.asked[0].choices[0]
    at = f"/s/told/{asked.survey.id}"
    for _each in range(4):
        nurse.post("/care/survey", {name: choice.name})
    open_still = phone.get(at)
    here.days_pass(31)
    assert nurse.signs_in("nurse").status_code == 303
    assert here.administrator.signs_in("administrator").status_code == 303
    with here.database.writing() as session:  # of a month that is over: four, and one by a link
        session.execute(text("ALTER TABLE survey_answer DISABLE TRIGGER USER"))
        session.execute(text("UPDATE survey_answer SET month = '2026-01-01'"))
        session.execute(text("ALTER TABLE survey_answer ENABLE TRIGGER USER"))
    assert here.administrator.post("/office/survey/close", {}).status_code == 303
    too_few, never = phone.get(at), phone.get("/s/told/0199c8a1-0000-7000-8000-000000000000")
    for nothing in (open_still, too_few, never):
        assert nothing.status_code == 404
        assert "nothing here" in text_of(nothing)
    assert nurse.get(f"/care/survey/{asked.survey.id}/poster.pdf").status_code == 404
    with here.database.writing() as session:
        session.execute(
            text(
                "INSERT INTO survey_answer SELECT gen_random_uuid(), survey_id, month, answers"
                " FROM survey_answer LIMIT 1"
            )
        )
    for tongue in asked.questions.languages:
        told = phone.get(f"{at}?tongue={tongue}")
        assert told.status_code == 200
        assert f"{choice.says[tongue]} 5" in text_of(told)
        assert asked.questions.title[tongue] in text_of(told)
        assert told.headers["referrer-policy"] == "no-referrer"
        site = here.place.site_id
        assert not [word for word in ("Takehome", "methadone", "clinic", str(site)) if word in told.text]
        paper = nurse.get(f"/care/survey/{asked.survey.id}/poster.pdf?tongue={tongue}")
        assert f"{choice.says[tongue]}: 5" in PdfReader(BytesIO(paper.content)).pages[0].extract_text()
    assert f"/s/told/{asked.survey.id}" in nurse.get("/care/survey").text
    assert phone.get(f"/care/survey/{asked.survey.id}/poster.pdf").status_code in (303, 401)

    opened(here)
    thanked = phone.post(f"/s/{ticket(here)}", {"calm": "yes", "tongue": "en"})
    assert f"{at}?tongue=en" in thanked.text, "whoever answers reads what others said before"


def test_a_ticket_is_answered_once_however_many_send_it_and_what_was_said_stands(here: Desks) -> None:
    opened(here)
    mine = ticket(here)

    def send(said: str) -> bool:
        try:
            given: Mapping[str, str] = {"calm": said}
            here.database.write(
                lambda session: answer(session, ticket=mine, given=given, today=here.today, at=here.place.now)
            )
        except NotThere:
            return False
        return True

    with ThreadPoolExecutor(6) as hands:
        assert sum(hands.map(send, ["yes", "no"] * 4)) == 1
    for statement in (
        "UPDATE survey SET document = 'x'",
        "DELETE FROM survey",
        "UPDATE survey_answer SET month = month",
        "DELETE FROM survey_answer",
    ):
        with pytest.raises(IntegrityError), here.database.writing() as session:
            session.execute(text(statement))
