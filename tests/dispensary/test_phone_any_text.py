from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from dispensary.database import Database
from dispensary.phone import answer
from dispensary.phone import rules as phone_rules
from dispensary.units import ClientId, new_id
from notifications.discretion import reveals
from notifications.gateways import Inbound
from notifications.models import Inbound as InboundRow
from notifications.words import LEXICONS
from tests.dispensary.phones import KL, Line, kl, line

STRANGER = "+60111111111"


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


WORDS = st.sampled_from(
    [
        *sorted({word for lexicon in LEXICONS.values() for word in lexicon.meanings}),
        "fri 7",
        "周五7点",
        "7.30",
        "28/11",
        "2",
        "9",
        "0",
        "99",
        "0001-01-01",
        "9999-12-31",
        "24:00",
        "am",
    ]
)


TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(WORDS, max_size=5).map(" ".join),
    st.lists(st.one_of(WORDS, st.text(max_size=6)), max_size=6).map(" ".join),
)


class TestAnyText:
    @pytest.fixture
    def numbers(self, phone_line: Line) -> list[str]:
        first = phone_line.client()
        shared = phone_line.numbers[first]
        phone_line.client(shared)
        phone_line.book(first, kl(27, 8))
        own = [phone_line.client(language=language) for language in ("en", "ms", "zh_Hans")]
        return [shared, *(phone_line.numbers[client] for client in own)]

    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(
        written=st.lists(TEXTS, min_size=1, max_size=4), who=st.integers(0, 4), phone=st.text(min_size=1, max_size=20)
    )
    @example(written=["book 9999-12-31 23:59", "0001-01-01 7", "1"], who=1, phone="x")
    @example(written=["\x00", "book fri 7\x00", "2"], who=2, phone="\x00")
    def test_from_any_number_is_answered_without_revealing_anything(
        self, phone_line: Line, numbers: list[str], written: list[str], who: int, phone: str
    ) -> None:
        if not phone.strip():
            phone = STRANGER
        for each in written:
            answered = phone_line.receives(numbers[who] if who < len(numbers) else phone, each)
            body = phone_line.body(answered)
            assert reveals(body) == ""
            assert answered.outcome

    def test_leaves_the_slots_as_full_as_their_bookings_are_many(self, phone_line: Line, numbers: list[str]) -> None:
        for written in ("book fri 8", "move 9", "move sat", "1", "drop", "book mon 7", "book tue 7", "drop", "1"):
            for number in numbers:
                phone_line.receives(number, written)
        with phone_line.database.reading() as session:
            from scheduling.queries import discrepancies

            assert discrepancies(session) == []


def test_a_text_without_a_number_or_an_id_is_a_mistake_of_the_gateway(phone_line: Line) -> None:
    for inbound in (Inbound("SM1", " ", "book"), Inbound("", STRANGER, "book"), Inbound("a\x00b", STRANGER, "book")):
        with pytest.raises(ValueError), phone_line.database.writing() as session:
            answer(session, gateway="console", inbound=inbound, at=phone_line.at)


def test_a_text_that_came_in_is_kept_sealed_with_its_outcome(phone_line: Line) -> None:
    client = phone_line.client()
    phone_line.says(client, "book fri 8 for ahmad")
    with phone_line.database.reading() as session:
        assert session.scalars(select(InboundRow.outcome)).all() == ["asked"]
        kept = session.execute(
            text("SELECT i::text || (SELECT string_agg(c::text, '') FROM conversation c) FROM inbound i")
        )
        assert b"ahmad".hex() not in kept.scalar_one()


class TestRules:
    def test_an_hour_without_its_half_is_the_one_at_which_slots_start(self) -> None:
        afternoon = [kl(27, 14), kl(27, 15)]
        assert phone_rules.meant(time(2), afternoon, KL, either_half=True) == time(14)
        assert phone_rules.meant(time(2), afternoon, KL, either_half=False) == time(2)
        assert phone_rules.meant(time(2), [kl(27, 2), *afternoon], KL, either_half=True) == time(2)
        assert phone_rules.meant(time(5), afternoon, KL, either_half=True) == time(5)

    @given(st.lists(st.integers(0, 2000), unique=True), st.one_of(st.none(), st.integers(0, 2000)))
    def test_what_is_offered_is_free_in_order_and_never_more_than_five(
        self, minutes: list[int], near: int | None
    ) -> None:
        free = [kl(27, 7) + timedelta(minutes=number) for number in minutes]
        wanted = None if near is None else kl(27, 7) + timedelta(minutes=near)
        offered = phone_rules.offered(free, near=wanted)
        assert len(offered) == min(5, len(free))
        assert offered == sorted(set(offered))
        assert set(offered) <= set(free)

    def test_a_lone_last_place_of_today_is_not_all_that_is_offered(self) -> None:
        free = [kl(27, 9, 45), *(kl(28, 7, minute) for minute in (0, 15, 30, 45)), kl(30, 7)]
        assert phone_rules.first_days(free, KL) == free[:5]
        assert phone_rules.first_days([], KL) == []

    @pytest.mark.parametrize(
        ("written", "rest", "whose"),
        [
            ("book fri 8 h0012", "book fri 8  ", "H0012"),
            ("H0012: drop", " : drop", "H0012"),
            ("book fri 8 h00123", "book fri 8 h00123", None),
            ("h0012 h0013 drop", "h0012 h0013 drop", None),
            ("book fri 1230", "book fri 1230", None),
            ("drop 200417", "drop  ", "200417"),
        ],
    )
    def test_a_card_number_is_read_where_it_cannot_be_a_time(self, written: str, rest: str, whose: str | None) -> None:
        numbers = {number: ClientId(new_id()) for number in ("H0012", "H0013", "1230", "200417")}
        assert phone_rules.named(written, numbers) == (rest, numbers[whose] if whose else None)

    def test_a_time_that_the_clock_skips_is_the_moment_at_which_it_would_be(self) -> None:
        paris = ZoneInfo("Europe/Paris")
        skipped = phone_rules.moment_at(date(2026, 3, 29), time(2, 30), paris)
        assert skipped is not None
        assert skipped.astimezone(paris).time() == time(3, 30)
        assert phone_rules.moment_at(date.max, time(23, 59), paris) is None
