"""Screenings: kept once, judged by the site's own cut-off, a risk told at once, due again, and who may ask."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.instrument_setting import Used, set_instrument
from dispensary.care.instruments import Asks, Question, Score, Wording, faults, instruments, kept, questions, score
from dispensary.care.screening import BadAnswers, Substance
from dispensary.care.screenings import Taken, due_screenings, screen, screening_of, screenings_of, take_back
from dispensary.database import Database
from dispensary.desks.care import band_word, charts_of, worst
from dispensary.monitoring.alerts import escalate
from dispensary.monitoring.models import Alert
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.reporting.course import course
from dispensary.reporting.drawing import Words
from dispensary.staff.accreditations import accredit, end_accreditation
from dispensary.staff.rules import Actor, Role
from dispensary.units import AccountId, ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.measured import asked as measured
from tests.dispensary.measured import figures

SRQ, PHQ = instruments()["srq20"], instruments()["phq9"]


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(place: Clinic) -> ClientId:
    return place.client()


def yes_to(*numbers: int, of: int = 20) -> dict[str, str]:
    return {f"q{n}": "yes" if n in numbers else "no" for n in range(1, of + 1)}


def nobody_used(**more: str) -> dict[str, str]:
    return {**{f"{each}_ever": "no" for each in Substance}, "injected": "no", **more}


def asked(
    place: Clinic, client: ClientId, instrument: str, answers: dict[str, str], *, key: UUID | None = None, ago: int = 0
) -> UUID:
    return place.database.write(
        lambda session: (
            screen(
                session,
                actor=place.doctor,
                client_id=client,
                instrument=instrument,
                answers=answers,
                taken_on=place.today - timedelta(days=ago),
                key=key or uuid4(),
                today=place.today,
                at=place.now,
            ).id
        )
    )


def setting(place: Clinic, instrument: str, **other: object) -> None:
    given = {
        "used": True,
        "every_months": None,
        "positive_from": None,
        "roles": [Role.DOCTOR],
        "accreditation": "",
        "risk_role": Role.NURSE,
        "reason": "as our own study found",
        **other,
    }
    with place.database.writing() as session:
        set_instrument(session, actor=place.doctor, key=instrument, at=place.now, **given)  # type: ignore[arg-type]


def alerts(place: Clinic) -> list[Alert]:
    with place.database.reading() as session:
        return list(session.scalars(select(Alert).where(Alert.resolved_at.is_(None)).order_by(Alert.opened_at)))


class TestTheInstruments:
    def test_say_of_each_whose_words_it_shows_and_show_none_that_are_not_free(self) -> None:
        full = {key for key, each in instruments().items() if each.words is Wording.FULL}
        assert full == {"phq9", "gad7"}
        assert all("no permission required" in instruments()[key].rights for key in full)
        assert all(len(each.rights) > 20 and each.source and each.used for each in instruments().values())
        topics = [q.label for each in instruments().values() if each.key not in full for q in questions(each)]
        assert max(map(len, topics)) < 60
        assert not [label for label in topics if label.endswith("?")], "a topic is no question of somebody's form"

    def test_skip_what_the_answers_before_make_needless(self) -> None:
        assist = instruments()["assist"]
        assert score(assist, kept(assist, nobody_used())).gravest.finding == "none"
        used = nobody_used(opioids_ever="yes", opioids_use="never", opioids_concern="earlier", opioids_cut_down="no")
        stray = {**used, "opioids_craving": "daily", "cannabis_use": "daily", "injected_days": "9"}
        assert kept(assist, stray) == used, "what is not asked is not kept"
        (only,) = score(assist, kept(assist, used)).scores
        assert (only.part, only.points, only.band) == ("opioids", 3, "low")
        assert "tobacco_failed" not in [each.name for each in questions(assist)]

    def test_name_every_item_that_is_wrong(self) -> None:
        assist = instruments()["assist"]
        used = nobody_used(alcohol_ever="yes", alcohol_use="hourly", injected="")
        assert [each.item for each in faults(assist, used)] == [
            "alcohol_use",
            "alcohol_craving",
            "alcohol_problems",
            "alcohol_failed",
            "alcohol_concern",
            "alcohol_cut_down",
            "injected",
        ]
        cows = {each.name: "0" for each in questions(instruments()["cows"])}
        assert [each.item for each in faults(instruments()["cows"], {**cows, "pulse": "19", "pupils": "3"})] == [
            "pulse",
            "pupils",
        ]

    def test_take_no_week_of_eight_days_and_no_half_answered_month(self) -> None:
        top = instruments()["top"]
        assert [each.item for each in faults(top, {"opioids_1": "8"})] == ["opioids_1"]
        with pytest.raises(BadAnswers) as half:
            score(top, {"opioids_1": "2"})
        assert half.value.item == "opioids_1"
        with pytest.raises(BadAnswers):
            score(top, {})

    @given(st.data())
    def test_score_every_whole_set_of_answers_within_their_bounds(self, data: st.DataObject) -> None:
        instrument = data.draw(st.sampled_from([each for each in instruments().values() if each.asks != Asks.WEEKS]))

        def answer(question: Question) -> st.SearchStrategy[str]:
            if question.choices:
                return st.sampled_from([value for value, _ in question.choices])
            return st.integers(question.least, question.most).map(str)

        given = {each.name: data.draw(answer(each)) for each in questions(instrument)}
        scored = score(instrument, kept(instrument, given), positive_from=8)
        assert all(0 <= each.points <= 48 and each.band for each in scored.scores)
        assert scored.gravest.sentence
        suicide = {"srq20": given.get("q17") == "yes", "phq9": given.get("q9", "0") != "0"}
        assert (scored.risk is not None) == suicide.get(instrument.key, False)


class TestAsking:
    def test_the_sites_own_cut_off_judges_and_stays_with_what_it_judged(self, place: Clinic, client: ClientId) -> None:
        first = asked(place, client, "srq20", yes_to(*range(1, 7)))
        setting(place, "srq20", positive_from=6)
        place.move_on()
        asked(place, client, "srq20", yes_to(*range(1, 7)))
        setting(place, "srq20", positive_from=10)
        with place.database.reading() as session:
            new, old = screenings_of(session, client_id=client)
            opened = screening_of(session, client_id=client, screening_id=new.id)
            assert (old.id, [s.band for s in old.scores], [s.band for s in new.scores]) == (first, [""], ["positive"])
            assert opened.scored.gravest.sentence == "SRQ-20: 6 points, positive from 6."
            assert opened.answers["q6"] == "yes"
            sealed = session.scalar(text("SELECT answers_sealed FROM screening LIMIT 1"))
        assert b"yes" not in bytes(sealed or b"yes")

    def test_a_thought_of_ending_their_life_is_told_whatever_the_sum_is(self, place: Clinic, client: ClientId) -> None:
        setting(place, "srq20", positive_from=8)
        asked(place, client, "srq20", yes_to(1, 2, 3, 4, 5, 6, 7, 8, 9))
        assert alerts(place) == []
        asked(place, client, "srq20", yes_to(17))
        asked(place, client, "phq9", {**{f"q{n}": "0" for n in range(1, 9)}, "q9": "1"})
        told = {each.cause: each for each in alerts(place)}
        assert {cause: (each.severity, each.role) for cause, each in told.items()} == {
            "screening: srq20": ("urgent", "nurse"),
            "screening: phq9": ("urgent", "doctor"),
        }
        assert "whatever the sum is" in told["screening: srq20"].advice
        place.move_on(2)
        with place.database.writing() as session:
            assert escalate(session, site_id=place.site_id, at=place.now) == 2, "nobody has read them"

    def test_the_same_form_is_one_screening_and_somebody_elses_is_refused(
        self, place: Clinic, client: ClientId
    ) -> None:
        key = uuid4()
        assert asked(place, client, "srq20", yes_to(17), key=key) == asked(place, client, "srq20", yes_to(17), key=key)
        assert len(alerts(place)) == 1
        with pytest.raises(BadInput), place.database.writing():
            asked(place, client, "srq20", {**yes_to(), "q3": "perhaps", "q20": ""})
        with pytest.raises(NotThere):
            asked(place, client, "cage", yes_to())
        with pytest.raises(BadInput, match="last year"):
            asked(place, client, "srq20", yes_to(), ago=-1)

    def test_it_is_taken_back_once_and_counts_no_more(self, place: Clinic, client: ClientId) -> None:
        setting(place, "srq20", every_months=6)
        taken = asked(place, client, "srq20", yes_to())

        def back(reason: str) -> None:
            with place.database.writing() as session:
                take_back(
                    session, actor=place.doctor, client_id=client, screening_id=taken, reason=reason, at=place.now
                )

        with pytest.raises(BadInput):
            back(" ")
        back("another client's paper")
        back("again")
        asked(place, client, "dast10", yes_to(1, 3, of=10))
        asked(place, client, "dast10", yes_to(1, 2, 4, of=10))
        counted = figures(measured(place, "screenings"))
        assert counted == {"screenings": ("2", "None"), "more_than_low": ("1", "2")}
        with place.database.reading() as session:
            assert screening_of(session, client_id=client, screening_id=taken).why_voided == "another client's paper"
            assert [each.last_on for each in due_screenings(session, site_id=place.site_id, until=place.today)] == [
                None
            ]
        for sentence in (
            "UPDATE screening SET voided_at = NULL, voided_by = NULL, void_reason_sealed = NULL",
            "UPDATE screening SET taken_on = '2020-01-01'",
            "DELETE FROM screening",
            "UPDATE screening_score SET points = 0",
            "TRUNCATE screening CASCADE",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(sentence))


def test_it_is_due_by_the_sites_interval_alone(place: Clinic, client: ClientId) -> None:
    def due(until: date) -> list[tuple[str, date]]:
        with place.database.reading() as session:
            found = due_screenings(session, site_id=place.site_id, until=until)
        return [(each.instrument.key, each.due_on) for each in found]

    began = place.today
    assert due(place.today + timedelta(days=999)) == [], "no interval ships"
    setting(place, "dast10", every_months=6)
    setting(place, "srq20", every_months=6, used=False)
    assert due(began) == [("dast10", began)]
    asked(place, client, "dast10", yes_to(3, of=10))
    half_a_year = began.replace(year=began.year + 1, month=5)
    assert due(half_a_year - timedelta(days=1)) == []
    assert due(half_a_year) == [("dast10", half_a_year)]


class TestWhoMay:
    def test_ask_follows_role_and_accreditation(self, place: Clinic, client: ClientId) -> None:
        setting(place, "assist", accreditation="Severity  assessment")
        asked(place, client, "dast10", yes_to(of=10))
        with pytest.raises(NotAllowed, match="accredited for “severity assessment”"):
            asked(place, client, "assist", nobody_used())

        def granted(from_day: date, until_day: date | None) -> UUID:
            assert place.doctor.account_id is not None
            who = place.doctor.account_id
            return place.database.write(
                lambda session: (
                    accredit(
                        session,
                        actor=place.doctor,
                        account_id=AccountId(who),
                        kind="severity assessment",
                        seen="DOH 2026-114",
                        from_day=from_day,
                        until_day=until_day,
                        at=place.now,
                    ).id
                )
            )

        granted(place.today - timedelta(days=9), place.today - timedelta(days=1))
        with pytest.raises(NotAllowed):
            asked(place, client, "assist", nobody_used())
        row = granted(place.today, None)
        assert granted(place.today, None) == row
        asked(place, client, "assist", nobody_used())
        with place.database.writing() as session:
            assert place.doctor.account_id is not None
            end_accreditation(
                session,
                actor=place.doctor,
                account_id=place.doctor.account_id,
                accreditation_id=row,
                at=place.now,
            )
        with pytest.raises(NotAllowed):
            asked(place, client, "assist", nobody_used())
        with pytest.raises(IntegrityError), place.database.writing() as session:
            session.execute(text("UPDATE accreditation SET until_day = NULL, from_day = '2020-01-01'"))

    def test_set_an_instrument_is_a_prescriber_with_a_reason(self, place: Clinic) -> None:
        nurse = Actor(place.doctor.account_id, place.site_id, frozenset({Role.NURSE}))
        with pytest.raises(NotAllowed), place.database.writing() as session:
            set_instrument(
                session, actor=nurse, key="srq20", used=True, every_months=None, positive_from=8,
                roles=[Role.NURSE], accreditation="", risk_role=Role.NURSE, reason="so", at=place.now,
            )  # fmt: skip
        with pytest.raises(BadInput) as wrong:
            setting(place, "dast10", positive_from=3, every_months=0, roles=[Role.EVALUATOR], reason=" ")
        fields = [each.field for each in wrong.value.refusals]
        assert fields == ["every_months", "positive_from", "roles", "reason"]


@given(
    st.lists(
        st.tuples(st.integers(0, 900), st.integers(0, 20)), min_size=2, max_size=24, unique_by=lambda each: each[0]
    )
)
def test_the_days_below_a_course_never_run_into_each_other(taken: list[tuple[int, int]]) -> None:
    scores = [(date(2025, 1, 1) + timedelta(days=ago), points) for ago, points in sorted(taken)]
    days = [f"{day:%d} Sep {day:%Y}" for day, _points in scores]
    drawn = course("SRQ-20", scores, most=20, bands={"positive": 8}, days=days, says="")
    written = [each for each in drawn.shapes if isinstance(each, Words) and each.text in days]
    spans = sorted(
        {"start": (x, x + 88), "middle": (x - 44, x + 44), "end": (x - 88, x)}[each.side]
        for each in written
        for x in [each.at[0]]
    )
    assert written[0].text == days[-1], "the last is always there"
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert all(left >= 0 and right <= drawn.width for left, right in spans)


def test_nobody_is_asked_or_opened_who_was_erased(place: Clinic, client: ClientId) -> None:
    taken = asked(place, client, "srq20", yes_to())
    with place.database.writing() as session:
        session.execute(
            text(
                "INSERT INTO erasure (client_id, site_id, at, ground, authority_sealed, account_id, second_id)"
                " VALUES (:client, :site, now(), 'request', '\\x00', :one, :other)"
            ),
            {
                "client": client,
                "site": place.site_id,
                "one": place.doctor.account_id,
                "other": place.pharmacist.account_id,
            },
        )
    with pytest.raises(Refused, match="erased"):
        asked(place, client, "srq20", yes_to())
    with pytest.raises(Refused, match="erased"), place.database.reading() as session:
        screening_of(session, client_id=client, screening_id=taken)


def test_what_weighs_most_is_the_band_and_not_the_points() -> None:
    """Ten points of alcohol are a low risk, nine of cannabis a moderate one (WHO ASSIST v3.1)."""
    scores = (Score("alcohol", 10, "low"), Score("cannabis", 9, "moderate"))
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assist = Taken(uuid4(), instruments()["assist"], now.date(), now, "the nurse", scores, voided=False)
    assert worst(assist) == f"9 · {band_word('moderate')}"


def test_the_course_of_assist_is_one_for_each_substance_by_its_own_bands() -> None:
    """Alcohol alone was drawn as nothing at all, and a day without cannabis as none of it."""
    assist = instruments()["assist"]

    def taken(on: int, *scores: Score) -> Taken:
        day = datetime(2026, on, 1, tzinfo=UTC)
        return Taken(uuid4(), assist, day.date(), day, "the nurse", scores, voided=False)

    alone = taken(1, Score("alcohol", 30, "high"))
    both = taken(4, Score("alcohol", 20, "moderate"), Score("cannabis", 26, "moderate"))
    last = taken(7, Score("alcohol", 12, "moderate"), Score("cannabis", 5, "moderate"))
    used = Used(assist, True, None, None, frozenset({Role.NURSE}), "", Role.DOCTOR)
    assert charts_of(used, [alone]) == []
    (alcohol,) = charts_of(used, [both, alone])
    assert f"{assist.name}: Alcohol" in alcohol
    assert "1 Jan 2026: 30, 1 Apr 2026: 20" in alcohol
    alcohol, cannabis = charts_of(used, [last, both, alone])
    assert "30, 1 Apr 2026: 20, 1 Jul 2026: 12" in alcohol
    assert "1 Apr 2026: 26, 1 Jul 2026: 5" in cannabis
    assert "1 Jan" not in cannabis, "that day nobody asked about it"
    assert 'id="course-assist-alcohol-title"' in alcohol
    assert 'id="course-assist-cannabis-title"' in cannabis
    moderate = {each: _line_of("moderate", each) for each in (alcohol, cannabis)}
    assert moderate[alcohol] < moderate[cannabis], "of alcohol it begins at 11 points, of cannabis at 4"


def test_the_course_of_top_is_one_for_each_line_that_is_told_in_days_or_on_its_scale() -> None:
    top = instruments()["top"]

    def taken(on: int, **told: int) -> Taken:
        day = datetime(2026, on, 1, tzinfo=UTC)
        scores = tuple(Score(part, points, "") for part, points in told.items())
        return Taken(uuid4(), top, day.date(), day, "the nurse", scores, voided=False)

    entry = taken(1, opioids_days=28, cocaine_days=0, work_days=0, physical=8, housing=1)
    later = taken(4, opioids_days=6, cocaine_days=0, work_days=12, physical=13, housing=0, alcohol_days=3)
    used = Used(top, True, None, None, frozenset({Role.NURSE}), "", Role.DOCTOR)
    assert charts_of(used, [entry]) == []
    opioids, work, physical = charts_of(
        used, [later, entry]
    )  # in their order, and of no line that was nought throughout
    assert "TOP: Opioids, not prescribed, days of 28" in opioids
    assert "1 Jan 2026: 28, 1 Apr 2026: 6" in opioids
    assert ">28<" in opioids
    assert "TOP: Paid work, days of 28" in work
    assert work.startswith('<p class="hint">TOP: Paid work, days of 28</p>'), "whoever looks reads whose course it is"
    assert "1 Jan 2026: 8, 1 Apr 2026: 13" in physical
    assert ">20<" in physical
    assert 'id="course-top-physical-title"' in physical


def _line_of(band: str, drawing: str) -> float:
    """How far from the top the name of a band stands."""
    found = re.search(rf'y="([0-9.]+)"[^>]*>{band_word(band)}<', drawing)
    assert found is not None, drawing
    return float(found[1])
