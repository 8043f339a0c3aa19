"""Figures of care are read from what was done: sessions that were held, screenings that were taken, people who came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from dispensary.clients.disclosing import Ground
from dispensary.database import Database
from dispensary.evaluation.queries import Period
from dispensary.published.figures import Question, ours
from dispensary.published.figures.care import months_between
from dispensary.published.shapes import Published
from dispensary.units import months_after
from tests.programmes.conftest import Built


@pytest.mark.parametrize(
    ("before", "after", "months"),
    [
        (date(2026, 1, 1), date(2026, 7, 1), 6),
        (date(2026, 1, 1), date(2026, 7, 3), 6),
        (date(2026, 3, 1), date(2026, 8, 31), 6),
        (date(2025, 8, 31), date(2026, 2, 28), 6),
        (date(2026, 1, 1), date(2026, 1, 1), 0),
        (date(2026, 1, 1), date(2026, 1, 20), 1),
        (date(2026, 1, 1), date(2026, 1, 10), 0),
    ],
)
def test_months_between_are_the_nearest(before: date, after: date, months: int) -> None:
    assert months_between(before, after) == months


@given(st.dates(date(2000, 1, 1), date(2060, 1, 1)), st.integers(0, 120), st.integers(-9, 9))
def test_a_few_days_early_or_late_change_no_month(before: date, months: int, off: int) -> None:
    after = max(before, months_after(before, months) + timedelta(days=off))
    assert months_between(before, after) == months


def _ask(built: Built, name: str, parameters: dict[str, str], sites: tuple[str, ...]) -> int:
    with built.database.reading() as session:
        places = tuple(built.house.sites[code] for code in sites)
        today = places[0].dose_day(built.now)
        figure = Published(
            key="asked", says="asked", value=0, unit="any", source="here", figure=name, parameters=parameters
        )
        period = Period(today - timedelta(days=364), today + timedelta(days=1))
        return int(ours(session, Question(figure, places, period, built.now)))


def _did(database: Database, sql: str, **values: object) -> None:
    with database.writing() as session:
        session.execute(text("ALTER TABLE plan_session DISABLE TRIGGER USER"))
        session.execute(text(sql), values)
        session.execute(text("ALTER TABLE plan_session ENABLE TRIGGER USER"))


def test_sessions_count_as_they_were_held_and_tellings_without_consent_too(built: Callable[[str], Built]) -> None:
    thonburi = built("thonburi")
    before = {"plan": "before-sentence"}
    assert _ask(thonburi, "sessions-of-plan", {**before, "which": "most"}, ("THB",)) == 4
    assert _ask(thonburi, "places", {}, ("THB", "C01")) == 2
    assert _ask(thonburi, "told-besides", {"recipient": "court", "kinds": "attendance"}, ("THB",)) == 0

    # Four sessions were agreed with each of eight; two of them did not come to the last.
    _did(thonburi.database, "UPDATE plan_session SET state = 'not_attended' WHERE seq = 4")
    assert _ask(thonburi, "sessions-of-plan", {**before, "which": "most"}, ("THB",)) == 3
    # What is only agreed is no session: nothing is said of how far apart they are, nor how long they take.
    _did(
        thonburi.database,
        "UPDATE plan_session SET state = 'planned', marked_at = NULL, marked_by = NULL",
    )
    for name in ("sessions-of-plan", "session-minutes", "session-days"):
        assert _ask(thonburi, name, {**before, "which": "most"}, ("THB",)) == 0, name

    doctor = thonburi.house.staff["THB"]["nurse"]
    somebody = thonburi.house.groups["four sessions"][8]
    _did(
        thonburi.database,
        """WITH told AS (INSERT INTO release (id, site_id, at, account_id, what, ground, authority_sealed,
            recipient_sealed, reason_sealed, kinds, client_id)
            VALUES (:id, :site, :at, :by, 'what the hospital asked', :ground, '\\x00', '\\x00', '\\x00',
            '["doses"]', :client) RETURNING id)
        INSERT INTO disclosure (release_id, client_id) SELECT id, :client FROM told""",
        id=uuid4(),
        site=thonburi.house.sites["THB"].id,
        at=thonburi.now,
        by=doctor.account_id,
        client=somebody,
        ground=Ground.EMERGENCY.value,
    )
    assert _ask(thonburi, "told-besides", {"recipient": "court", "kinds": "attendance"}, ("THB",)) == 1


def test_months_until_asked_again_are_those_of_the_screenings(built: Callable[[str], Built]) -> None:
    sisattanak = built("sisattanak")
    assert _ask(sisattanak, "screening-months", {"instrument": "assist"}, ("SST",)) == 0, "nobody was asked twice"
    _did(
        sisattanak.database,
        """INSERT INTO screening (id, client_id, site_id, instrument, taken_on, taken_by, recorded_at, answers_sealed)
        SELECT gen_random_uuid(), client_id, site_id, instrument, taken_on + 92, taken_by, recorded_at, answers_sealed
        FROM screening WHERE instrument = 'assist'""",
    )
    assert _ask(sisattanak, "screening-months", {"instrument": "assist"}, ("SST",)) == 3
