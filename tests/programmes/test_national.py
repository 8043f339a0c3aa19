"""Viet Nam and China as countries: their sites, provinces and clients, as the national dashboard counts them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import text

from dispensary.commands.programmes import begin
from dispensary.evaluation.answering import answer, ask
from dispensary.evaluation.measures import measure
from dispensary.evaluation.queries import Period
from dispensary.evaluation.rollup import site_figures
from dispensary.published.figures import Question, ours
from dispensary.staff.branch_queries import tree
from dispensary.staff.branch_rules import Kind
from dispensary.staff.branches import add_area, places_of
from dispensary.staff.rules import the_program
from tests.programmes.conftest import Built
from tests.programmes.spoken import is_spoken


def test_viet_nam_is_counted_by_province_with_satellites_that_have_no_clients(
    built: Callable[[str], Built], tmp_path: Path
) -> None:
    viet_nam = built("vn-national")
    assert viet_nam.not_equal() == {}
    today = viet_nam.house.sites["VN0001"].dose_day(viet_nam.now)
    assert {key: int(line.ours or 0) for key, line in viet_nam.table.items()} == {
        "clients": 52_200,
        "sites": 335,
        "provinces": 63,
    }
    with viet_nam.database.reading() as session:
        branches = tree(session)
        assert {branch.sites for branch in branches if branch.kind == "country"} == {67}
        assert sum(branch.sites for branch in branches if branch.kind == "province") == 67
        satellites = "SELECT count(*), count(c.id) FROM site s LEFT JOIN client c ON c.site_id = s.id"
        assert tuple(session.execute(text(f"{satellites} WHERE s.main_site_id IS NOT NULL")).one()) == (4, 0)
        commune = (
            "SELECT count(DISTINCT d.client_id), count(*), min(s.code) FROM dose d JOIN site s ON s.id = d.site_id"
        )
        given = session.execute(text(f"{commune} WHERE s.main_site_id IS NOT NULL")).one()
        assert tuple(given) == (5, 15, "VN0002"), "the health centre of the commune doses who is sent there"
        by_distance = answer(
            session,
            ask(
                measure("programme"),
                places=[viet_nam.house.sites["VN0001"]],
                period=Period(today - timedelta(days=30), today),
                as_of=viet_nam.now,
                now=viet_nam.now,
                by=("distance",),
                typed={},
                least=1,
            ),
        )
        in_care = {row.strata: row.numerator for row in by_distance.rows if row.indicator == "in_care"}
        assert (in_care[("under 5 km",)], in_care[("20 km and more",)]) == (12, 5)
        decided = "SELECT count(*), bool_and(reason <> '') FROM decision WHERE agreement_signed_on IS NOT NULL"
        assert tuple(session.execute(text(decided)).one()) == (3, True), (
            "the draft of the pilot leaves it to the doctor"
        )
        found = site_figures(session, site_ids=places_of(session, "VN"), seen={}, now=viet_nam.now)
        first = next(each for each in found if each.code == "VN0001")
        came, carried, before_the_commune = 12 * 10 - 3, 3 * 6, 5 * 7
        assert first.doses == came + carried + before_the_commune, "each day somebody had a dose, here or carried home"
        assert sum(each.active for each in found) == 522
        manages = (
            "SELECT count(*) FROM branch_grant g JOIN account a ON a.id = g.account_id WHERE a.username = 'programme'"
        )
        assert session.scalar(text(manages)) == 1
    _a_province_counts_by_what_was_given_in_it(viet_nam, today)
    begin(viet_nam.database, viet_nam.programme)  # started again, it finds itself, and makes nothing twice
    with viet_nam.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM site")) == 67
    is_spoken(viet_nam, tmp_path)


def _a_province_counts_by_what_was_given_in_it(viet_nam: Built, today: date) -> None:
    """Neither an area without a clinic that dispensed, nor a clinic whose dose was on another day."""
    asked = viet_nam.table["provinces"].figure
    places = (viet_nam.house.sites["VN0001"],)
    with viet_nam.database.writing() as session:
        program = the_program(places[0].id)
        named = {"code": "VN-99", "name": "A province without a clinic", "parent": "VN", "kind": Kind.PROVINCE}
        add_area(session, actor=program, at=viet_nam.now, **named)
    yesterday = Period(today - timedelta(days=1), today)
    the_week_before = Period(today - timedelta(days=8), today - timedelta(days=1))
    with viet_nam.database.reading() as session:
        counted = [
            int(ours(session, Question(asked, places, period, viet_nam.now)) or 0)
            for period in (yesterday, the_week_before)
        ]
    assert counted == [63, 1], "the counter of the first clinic alone was open in the week before"


def test_china_is_counted_by_clinic(built: Callable[[str], Built], tmp_path: Path) -> None:
    china = built("cn-national")
    assert china.not_equal() == {}
    assert {key: int(line.ours or 0) for key, line in china.table.items()} == {
        "clients": 91_000,
        "sites": 790,
        "carried": 0,
    }
    with china.database.reading() as session:
        kinds = "SELECT kind, count(*) FROM dose WHERE voided_at IS NULL GROUP BY kind"
        assert dict(session.execute(text(kinds)).all()) == {"observed": 100 + 78}, "each clinic gave one"
    is_spoken(china, tmp_path)
