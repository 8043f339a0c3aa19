"""Reception, the nurse, the office and the evaluator in front of the pages of wishes, news and questions."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from litestar import Litestar
from pypdf import PdfReader
from sqlalchemy import text

from dispensary.clients.wish_rules import Wishes
from dispensary.clients.wishes import set_wishes, wishes_of
from dispensary.database import Database
from dispensary.phone.news import preview, refuse_bad_words
from dispensary.refusals import BadInput
from dispensary.staff.rules import Role
from notifications.texts import CATALOGUES
from tests.dispensary.lending import lent_app
from tests.dispensary.phones import KL, Line, line
from tests.dispensary.test_desk_weekly import works
from tests.dispensary.visiting import MovableClock, demo_settings, text_of


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    return line(database, now)


@pytest.fixture
def app(database: Database, now: datetime, tmp_path: Path) -> Litestar:
    return lent_app(demo_settings(tmp_path), database, MovableClock(now))


def counted(here: Line, sql: str) -> object:
    with here.database.reading() as session:
        return session.execute(text(sql)).scalar()


def test_reception_sets_which_texts_a_client_wants_and_sends_them_to_itself_first(app: Litestar, here: Line) -> None:
    desk, client = works(app, here, Role.RECEPTION), here.client()
    page = f"/reception/clients/{client}"
    shown = text_of(desk.get(page))
    assert "reminder the evening before, bookings." in shown
    assert "Not asked yet" in shown

    form = {"wish": ["bookings", "news"], "reminder": "hours", "reminder_hours": "3"}
    refused = desk.post(page + "/texts", form | {"reminder_hours": "99"})
    assert "1 to 24" in text_of(refused)
    assert 'value="99"' in refused.text
    assert desk.post(page + "/texts", form).headers["location"].endswith("done=texts")
    shown = text_of(desk.get(page + "?done=texts"))
    assert "reminder 3 hours before, bookings, news." in shown
    assert "Asked on" in shown
    with here.database.reading() as session:
        assert wishes_of(session, client) == Wishes(hours=3, news=True)

    assert "what is to be settled" in text_of(desk.post(page + "/first", {"note": ""}))
    assert desk.post(page + "/first", {"note": "a new card"}).headers["location"].endswith("done=first")
    assert "a new card" in text_of(desk.get("/reception/tasks"))


def test_the_nurse_keeps_them_in_the_record(app: Litestar, here: Line) -> None:
    nurse, client = works(app, here, Role.NURSE), here.client()
    record = f"/consulting/clients/{client}"
    assert "Which texts they want" in text_of(nurse.get(record))
    form = {"wish": ["missed"], "reminder": "none", "reminder_hours": "", "onward": "record"}
    kept = nurse.post(f"/reception/clients/{client}/texts", form)
    assert kept.headers["location"] == record + "?done=texts"
    assert "no reminder, missed" in text_of(nurse.get(record))


def test_the_office_looks_at_news_in_every_language_then_sends_it_once_to_those_who_want_it(
    app: Litestar, here: Line
) -> None:
    office, wants = works(app, here, Role.ADMINISTRATOR), here.client(language="th")
    here.client()
    form = {"words": "From Monday on we open at 06:30.", "key": str(uuid4())}
    assert "nobody would get it" in text_of(office.post("/office/news", form))
    assert "Nobody has asked for news" in text_of(office.post("/office/news", form | {"act": "send"}))
    with here.database.writing() as session:
        set_wishes(session, actor=here.clinic.pharmacist, client_id=wants, wishes=Wishes(news=True), at=here.at)

    looked = text_of(office.post("/office/news", form))
    assert "1 client gets it." in looked
    assert "News: From Monday on we open at 06:30." in looked
    assert counted(here, "SELECT count(*) FROM message") == 0
    for _ in range(2):
        assert office.post("/office/news", form | {"act": "send"}).headers["location"].endswith("done=sent")
    assert counted(here, "SELECT count(*) FROM message WHERE kind = 'news'") == 1
    assert here.bodies()[0].endswith("From Monday on we open at 06:30.")
    assert "1 text · Waiting 1" in text_of(office.get("/office/news"))
    assert counted(here, "SELECT count(*) FROM audit_entry WHERE act = 'sent news'") == 1

    assert office.post("/office/news/reviews", {"review_days": "10"}).headers["location"].endswith("done=kept")
    assert "from 1 to 30" in text_of(office.post("/office/news/reviews", {"review_days": "31"}))
    assert works(app, here, Role.RECEPTION).get("/office/news").status_code == 403


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "nothing to send"),
        ("The clinic opens at nine.", "gives away"),
        ("Bring your empty bottles.", "gives away"),
        ("Write STOP for no more of it.", "end their texts"),
        ("We open early. " * 11, "too long"),
    ],
    ids=["empty", "clinic", "bottles", "stop", "long"],
)
def test_words_that_may_not_be_sent_are_refused(words: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        refuse_bad_words(words, zone=KL)


def test_a_preview_has_the_words_as_they_were_written_in_every_language() -> None:
    found = preview("Tea at nine.", zone=KL)
    assert [each.language for each in found] == list(CATALOGUES)
    assert all("Tea at nine." in each.text and each.fits for each in found)


def test_the_evaluator_sees_counts_and_takes_them_away_and_reception_sees_none(app: Litestar, here: Line) -> None:
    evaluator = works(app, here, Role.EVALUATOR)
    assert "Nobody was asked yet" in text_of(evaluator.get("/evaluation/feedback"))
    with here.database.writing() as session:
        insert = "INSERT INTO feedback_answer SELECT gen_random_uuid(), :site, '2026-11-01', 1, 3, 40"
        session.execute(text(insert + " FROM generate_series(1, 6)"), {"site": here.site.id})
    assert "30 min and more" in text_of(evaluator.get("/evaluation/feedback"))
    rows = evaluator.get("/evaluation/feedback.csv").text.splitlines()
    assert "HRP,2026-11,,visit,good,6" in rows
    assert "HRP,,30,wait,too long,6" in rows
    assert counted(here, "SELECT count(*) FROM audit_entry WHERE act = 'exported feedback'") == 1
    sheet = evaluator.get("/evaluation/feedback.pdf")
    words = "".join(each.extract_text() for each in PdfReader(io.BytesIO(sheet.content)).pages)
    assert "What you told us" in words
    assert "November 2026" in words
    assert works(app, here, Role.RECEPTION).get("/evaluation/feedback").status_code == 403
