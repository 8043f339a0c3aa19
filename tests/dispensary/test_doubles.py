"""Enrolled twice: found across sites by digests, told without a name or a site, settled by whoever runs both."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from dispensary.clients.circumstances import Circumstances
from dispensary.clients.rules import ExitReason, Identity
from dispensary.clients.service import end_episode, enrol
from dispensary.database import Database
from dispensary.monitoring.doubles import TOLD, TWICE, Outcome, index_next, look_for_everybody, pairs, settle
from dispensary.refusals import NotAllowed
from dispensary.staff.rules import the_program
from dispensary.units import ClientId
from dispensary.wall import behind
from dispensary.web.consultation import enrol_client
from tests.builders import Clinic
from tests.dispensary.branch_place import Programme, programme
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, demo_settings, text_of

BORN = date(1984, 2, 3)


@pytest.fixture
def here(database: Database, now: datetime) -> Programme:
    return programme(database, now)


def enrolled(place: Clinic, number: str, name: str, *, born: date | None = BORN, national_id: str = "") -> ClientId:
    identity = Identity(name=name, born=born, national_id=national_id, second_identifier="a scar")
    with behind(place.site_id), place.database.writing() as session:
        client = enrol_client(
            session, actor=place.doctor, number=number, identity=identity, phone=None, region="MY",
            circumstances=Circumstances(), began_on=place.today, today=place.today, at=place.now,
        )  # fmt: skip
    return ClientId(client.id)


def told(here: Programme) -> list[tuple[str, str]]:
    with here.database.reading() as session:
        rows = session.execute(
            text("SELECT s.code, a.sentence FROM alert a JOIN site s ON s.id = a.site_id WHERE resolved_at IS NULL"
                 " ORDER BY 1, 2")
        )  # fmt: skip
        return [(row[0], row[1]) for row in rows]


@pytest.mark.parametrize(
    ("name", "born", "national_id", "found"),
    [
        ("TRẦN  van an", BORN, "", True),
        ("An Tran Van", BORN, "", True),
        ("Tran Van An", date(1984, 2, 4), "", False),
        ("Somebody Else", None, "7901 2345-67", True),
        ("Tran Van", BORN, "79012345-68", False),
    ],
)
def test_is_found_by_name_and_birth_date_or_by_national_id_however_they_are_written(
    here: Programme, name: str, born: date | None, national_id: str, found: bool
) -> None:
    enrolled(here.main, "H1", "Trần Văn An", national_id="790123 4567")
    enrolled(here.other, "O1", name, born=born, national_id=national_id)

    assert told(here) == ([("HRP", TOLD), ("OTH", TOLD)] if found else [])
    for site in ("HRP", "OTH"):
        assert site not in TOLD


def test_two_sites_that_enrol_somebody_in_the_same_moment_find_each_other(here: Programme) -> None:
    with ThreadPoolExecutor(3) as pool:
        coming = [
            pool.submit(enrolled, place, "N1", "Trần Văn An") for place in (here.main, here.satellite, here.other)
        ]
        for each in coming:
            each.result()
    with here.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM double_enrolment")) == 3


def test_nobody_is_found_who_has_left_and_nobody_twice(here: Programme) -> None:
    first = enrolled(here.main, "H1", "Trần Văn An")
    with here.database.writing() as session:
        episode = session.scalar(text("SELECT id FROM episode WHERE client_id = :c"), {"c": first})
        end_episode(
            session, actor=here.main.doctor, episode_id=episode, ended_on=here.main.today,
            reason=ExitReason.TRANSFERRED, at=here.main.now,
        )  # fmt: skip
    enrolled(here.other, "O1", "Trần Văn An")
    assert told(here) == []


def test_is_settled_by_whoever_runs_both_sites_and_by_nobody_else(here: Programme) -> None:
    enrolled(here.main, "H1", "Trần Văn An")
    enrolled(here.other, "O1", "Trần Văn An")
    every = [place.site_id for place in (here.main, here.satellite, here.other)]
    assert here.chief.account_id is not None
    with behind(*every), here.database.reading() as session:
        (pair,) = pairs(session, account_id=here.chief.account_id)
        assert pairs(session, account_id=here.other.doctor.account_id) == []  # type: ignore[arg-type]
    assert sorted(pair.numbers) == ["H1@HRP", "O1@OTH"]
    with pytest.raises(NotAllowed), here.database.writing() as session:
        settle(session, actor=here.other.doctor, pair_id=pair.id, outcome=Outcome.TWO_PEOPLE, at=here.main.now)
    for _ in range(2):
        with behind(*every), here.database.writing() as session:
            settle(session, actor=here.chief, pair_id=pair.id, outcome=Outcome.ONE_LEFT, at=here.main.now)
    assert told(here) == [("HRP", TWICE), ("OTH", TWICE)]
    with here.database.reading() as session:
        acts = session.scalars(
            text("SELECT s.code || ' ' || act FROM audit_entry a JOIN site s ON s.id = a.site_id"
                 " WHERE act LIKE '%two records%' OR act LIKE '%twice%' ORDER BY 1")
        ).all()  # fmt: skip
    assert acts == ["HRP settled two records", "OTH may be enrolled twice", "OTH settled two records"]
    enrolled(here.satellite, "K1", "Somebody Else", national_id="5")
    assert len(told(here)) == 2


def test_those_who_were_on_record_before_are_found_by_the_command_once(here: Programme) -> None:
    identity = Identity(name="Trần Văn An", born=BORN, second_identifier="a scar")
    for place, number in ((here.main, "H1"), (here.other, "O1")):
        with here.database.writing() as session:
            enrol(
                session, actor=place.doctor, number=number, identity=identity, began_on=place.today, today=place.today,
                at=place.now,
            )  # fmt: skip
    for expected in (1, 0):
        with here.database.writing() as session:
            last = index_next(session, after=UUID(int=0))
            assert (last is None) is (expected == 0)
            actors = {place.site_id: the_program(place.site_id) for place in (here.main, here.other)}
            assert look_for_everybody(session, actors=actors, at=here.main.now) == expected


def test_the_page_shows_numbers_alone_and_takes_a_reason(here: Programme, tmp_path: Path) -> None:
    enrolled(here.main, "H1", "Trần Văn An")
    enrolled(here.other, "O1", "Trần Văn An")
    chief = Visitor(lent_app(demo_settings(tmp_path), here.database, MovableClock(here.main.now)))
    assert chief.signs_in("chief", PASSWORD).status_code == 303
    page = chief.get("/programme/doubles")
    assert "H1@HRP · O1@OTH" in text_of(page) or "O1@OTH · H1@HRP" in text_of(page)
    assert "Trần" not in page.text
    with here.database.reading() as session:
        pair_id = session.scalar(text("SELECT id FROM double_enrolment"))
    assert chief.post(f"/programme/doubles/{pair_id}", {}).status_code == 422
    assert chief.post(f"/programme/doubles/{pair_id}", {"outcome": "two_people"}).status_code == 303
    assert "Nobody is found twice." in text_of(chief.get("/programme/doubles"))
