"""The community programmes: goals of their own, peers, and a relapse that neither blocks a dose nor ends a stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.clients.goals import goals_of
from dispensary.clients.own import own_clients, own_goals
from dispensary.refusals import NotAllowed
from dispensary.supplies.handover import hand_over
from dispensary.supplies.rules import Wanted
from tests.programmes.conftest import Built
from tests.programmes.spoken import is_spoken

COUNTRIES = {
    "cambodia": ("KH1", "km", "ចង់មានការងារធ្វើ"),
    "china": ("CN1", "zh_Hans", "想回去上班"),
    "india": ("IN1", "ta", "வேலைக்குத் திரும்ப வேண்டும்"),
    "indonesia": ("ID1", "id", "Ingin bekerja lagi"),
    "malaysia": ("MY1", "ms", "Nak balik kerja"),
    "viet-nam": ("VN1", "vi", "Muốn đi làm lại"),
}


@pytest.mark.parametrize("country", COUNTRIES)
def test_goals_are_their_own_and_a_relapse_costs_nothing(
    built: Callable[[str], Built], country: str, tmp_path: Path
) -> None:
    code, language, goal = COUNTRIES[country]
    community = built(f"community-{country}")
    assert community.not_equal() == {}
    here, staff = community.house.sites[code], community.house.staff[code]
    people = community.house.groups["people"]
    with community.database.reading() as session:
        assert [each.words for each in goals_of(session, client_id=people[1])] == [goal]
        assert [each.state for each in goals_of(session, client_id=people[5])] == ["reached"]
        assert {each.client_id for each in own_clients(session, actor=staff["peer"])} == set(people.values())
        assert [each.words for each in own_goals(session, actor=staff["peer"], client_id=people[1])] == [goal]
        with pytest.raises(NotAllowed):
            own_clients(session, actor=staff["nurse"])
        assert set(session.scalars(text("SELECT language FROM contact"))) == {language}

        used = """SELECT array_agg(o.outcome ORDER BY o.dose_day), (SELECT count(*) FROM episode e
                WHERE e.client_id = r.client_id AND e.ended_on IS NULL), (SELECT count(*) FROM hold h
                WHERE h.client_id = r.client_id)
            FROM health_result r JOIN day_outcome o ON o.client_id = r.client_id AND o.dose_day >= r.taken_on
            WHERE r.analyte = 'urine_opiates' AND r.choice = 'positive' GROUP BY r.client_id"""
        found = [tuple(row) for row in session.execute(text(used))]
        assert found == [(["observed"] * 6, 1, 0)] * 2, "on the day of the result and on each after it they had a dose"

    # Today too, at the counter itself.
    with community.database.writing() as session:
        given = hand_over(
            session,
            actor=staff["pharmacist"],
            client_id=people[1],
            wanted=Wanted(observed=True, identified_by="second_identifier", well=True),
            key="after the result",
            today=here.dose_day(community.now),
            zone=here.zone,
            at=community.now,
        )
        assert given.supply_id is not None
    is_spoken(community, tmp_path)
