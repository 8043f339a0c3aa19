"""The wording of PEPFAR and WHO, line by line, each with a worked example that the figure must give."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import text

from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database
from dispensary.evaluation.queries import Period
from tests.builders import Clinic, clinic
from tests.dispensary.measured import START, YEAR, asked, figures, history

Stretch = tuple[str, int, int]
HALF = Period(date(2026, 1, 1), date(2026, 7, 1))
FEBRUARY = Period(date(2026, 2, 1), date(2026, 3, 1))


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


# Stretches of doses (a client, the first day and the day after the last, counted from 10 January 2026; six calendar
# months are 181 days; the figures are as of 24 November, day 318), who left on which day and why, and the figure.
WORKED = [
    pytest.param("kp-mat", YEAR, [("A", 0, 200)], {}, {"on_mat": ("1", "None")},
                 id="KP_MAT: completed at least 6 months ... even if they drop-out"),
    pytest.param("kp-mat", YEAR, [("A", 0, 200)], {"A": (200, ExitReason.DIED)}, {"on_mat": ("1", "None")},
                 id="KP_MAT: ... even if they die"),
    pytest.param("kp-mat", YEAR, [("A", 0, 181), ("A", 250, 318)], {}, {"on_mat": ("1", "None")},
                 id="KP_MAT: ... even if they experience interruption; a person counts once"),
    pytest.param("kp-mat", YEAR, [("A", 0, 100), ("A", 140, 240)], {}, {"on_mat": ("0", "None")},
                 id="KP_MAT: six months of one treatment, not two halves with an interruption between"),
    pytest.param("kp-mat", YEAR, [("A", 0, 180)], {}, {"on_mat": ("0", "None")},
                 id="KP_MAT: a day less than six months is less"),
    pytest.param("kp-mat", HALF, [("A", 0, 318)], {}, {"on_mat": ("0", "None")},
                 id="KP_MAT: do not count who initiates too late in the period to reach 6 months in it"),
    pytest.param("prv-11", YEAR, [("A", 0, 318), ("B", 0, 100)], {}, {"on_oamt": ("1", "2")},
                 id="PRV.11: on OAMT at the census date, of those accessing the service"),
    pytest.param("prv-11", YEAR, [("A", 0, 318)], {"A": (318, ExitReason.DIED)}, {"on_oamt": ("0", "1")},
                 id="PRV.11: who died by the census date is not on OAMT"),
    pytest.param("prv-12", FEBRUARY, [("A", 0, 318)], {}, {"person_days": ("28", "None")},
                 id="PRV.12: the time during the period, from the later start to the earlier end"),
    pytest.param("prv-12", FEBRUARY, [("A", 30, 40)], {}, {"person_days": ("10", "None")},
                 id="PRV.12: a stay inside the period counts itself"),
    pytest.param("prv-12", FEBRUARY, [("A", 0, 10), ("A", 100, 110)], {}, {"person_days": ("0", "None")},
                 id="PRV.12: no time on OAMT in the period is none"),
    pytest.param("prv-13", HALF, [("A", 0, 318), ("B", 100, 318)], {}, {"retained": ("2", "2")},
                 id="PRV.13: six months after each one's own initiation, not after the period's end"),
    pytest.param("prv-13", HALF, [("A", 0, 181), ("B", 0, 180)], {}, {"retained": ("1", "2")},
                 id="PRV.13: at least six months"),
    pytest.param("prv-13", YEAR, [("A", -400, -200), ("A", 0, 200), ("B", 0, 200)], {}, {"retained": ("1", "1")},
                 id="PRV.13: people starting OAMT in the recruitment period, not starting again"),
    pytest.param("prv-13", FEBRUARY, [("A", 0, 318), ("B", 22, 318)], {}, {"retained": ("1", "1")},
                 id="PRV.13: started within the recruitment period"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "period", "stretches", "left", "told"), WORKED)
def test_each_line(
    here: Clinic,
    key: str,
    period: Period,
    stretches: list[Stretch],
    left: dict[str, tuple[int, ExitReason]],
    told: dict[str, tuple[str, str]],
) -> None:
    history(here, *stretches)
    for number, (day, reason) in left.items():
        with here.database.writing() as session:
            sql = "SELECT e.id FROM episode e JOIN client c ON c.id = e.client_id WHERE c.number = :n ORDER BY began_on"
            episode = session.execute(text(sql), {"n": number}).scalars().all()[-1]
            end_episode(
                session, actor=here.doctor, episode_id=episode, ended_on=START + timedelta(days=day), reason=reason,
                at=here.now,
            )  # fmt: skip
    found = figures(asked(here, key, period=period))
    assert {indicator: found[indicator] for indicator in told} == told


@pytest.mark.parametrize(
    ("mg", "boundary", "told"),
    [
        ("59.99", "from", "0"),
        ("60", "from", "1"),
        ("60", "above", "0"),
        ("60.01", "above", "1"),
    ],
    ids=[
        "PRV.14: less than 60 mg",
        "PRV.14: greater than or equal to 60 mg",
        "an older indicator: exactly 60 is not more",
        "an older indicator: more than 60",
    ],
)  # fmt: skip
def test_the_recommended_minimum(here: Clinic, mg: str, boundary: str, told: str) -> None:
    here.client(mg=mg)
    assert figures(asked(here, "prv-14", boundary=boundary)) == {"minimum": (told, "1")}


@pytest.mark.parametrize(
    ("kind", "told", "excluded"),
    [
        ("induction", ("0", "0"), {"induction": 1, "taper": 0}),
        ("titration", ("0", "0"), {"induction": 1, "taper": 0}),
        ("taper", ("0", "0"), {"induction": 0, "taper": 1}),
        ("stabilisation", ("1", "1"), {"induction": 0, "taper": 0}),
    ],
)
def test_who_is_inducted_or_on_reducing_doses_is_in_neither(
    here: Clinic, kind: str, told: tuple[str, str], excluded: dict[str, int]
) -> None:
    here.client()
    with here.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                "INSERT INTO dose_plan (id, episode_id, client_id, site_id, kind, steps, reason, signed_by, signed_at)"
                " SELECT id, episode_id, client_id, site_id, :kind, '[]', 'as agreed', ordered_by, ordered_at"
                " FROM dose_order"
            ),
            {"kind": kind},
        )
        session.execute(text("UPDATE dose_order SET plan_id = id"))
    found = asked(here, "prv-14")
    assert (figures(found)["minimum"], found.excluded) == (told, excluded)
