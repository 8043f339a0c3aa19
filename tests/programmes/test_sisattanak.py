"""Sisattanak: ASSIST at entry, a plan of their own, weekly and then monthly follow-up, and how satisfied people are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from dispensary.care.offers import offers_of
from dispensary.care.sessions import plans_of
from dispensary.clients.goals import goals_of
from dispensary.clients.tasks import tasks_of
from dispensary.phone.feedback import told
from tests.programmes.conftest import Built
from tests.programmes.spoken import is_spoken


def test_entry_plan_follow_up_and_satisfaction_are_on_record(built: Callable[[str], Built], tmp_path: Path) -> None:
    sisattanak = built("sisattanak")
    assert sisattanak.not_equal() == {}
    groups = sisattanak.house.groups
    with sisattanak.database.reading() as session:
        bands = """SELECT g.band, count(*) FROM (SELECT max(c.band) FILTER (WHERE c.points > 0) AS band
            FROM screening s JOIN screening_score c ON c.screening_id = s.id GROUP BY s.id) AS g GROUP BY g.band"""
        assert dict(session.execute(text(bands)).all()) == {"low": 6, "moderate": 14, "high": 6}
        for client in groups["low"].values():
            assert plans_of(session, client_id=client) == [], "nobody at low risk is led into follow-up"
            assert [each.offer for each in offers_of(session, client_id=client)] == ["result"]

        monthly = plans_of(session, client_id=groups["moderate"][1])[0]
        assert (len(monthly.sessions), {each.state for each in monthly.sessions}) == (12, {"attended"})
        missed = plans_of(session, client_id=groups["moderate"][8])[0]
        assert [each.state for each in missed.sessions[8:]] == ["not_attended", "attended", "attended", "attended"]
        assert [each.kind for each in tasks_of(session, client_id=groups["moderate"][8])] == ["call"]
        ended = plans_of(session, client_id=groups["high"][6])[0]
        assert ended.over
        assert {each.state for each in ended.sessions[9:]} == {"called_off"}
        assert [each.words for each in goals_of(session, client_id=groups["high"][1])] == ["ຢາກຢູ່ກັບຄອບຄົວ"]

        # A no changes nothing: no task, no alert, no flag, and the stay goes on.
        for n in (9, 10):
            declined = groups["moderate"][n]
            assert [each.answer for each in offers_of(session, client_id=declined)] == ["declined"]
            assert tasks_of(session, client_id=declined) == []
            follows = """SELECT (SELECT count(*) FROM alert WHERE client_id = :c),
                (SELECT count(*) FROM stop_flag WHERE client_id = :c),
                (SELECT count(*) FROM episode WHERE client_id = :c AND ended_on IS NULL)"""
            assert tuple(session.execute(text(follows), {"c": declined}).one()) == (0, 0, 1)

        said = told(session, site=sisattanak.house.sites["SST"])
        assert sum(month.answered for month in said.months) == sum(month.asked for month in said.months) == 8
        assert [list(month.visit) for month in said.months if month.visit] == [[7, 1, 0]]
    is_spoken(sisattanak, tmp_path)
