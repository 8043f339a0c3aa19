"""The client flow of the Philippines: who may ask what, a draft that stays off, and nobody at low risk led anywhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

import dispensary.programmes
from dispensary.care.instruments import instruments, questions
from dispensary.care.offers import follow_pathway, offers_of, opens, pathway_of
from dispensary.care.pathways import OfferKind, shipped
from dispensary.care.screening import Ever, assist_injecting, srq20
from dispensary.care.screenings import screen, screenings_of
from dispensary.clients.tasks import tasks_of
from dispensary.programmes.reading import BadProgramme
from dispensary.refusals import NotAllowed
from dispensary.staff.permissions import own_of
from tests.programmes.conftest import Built
from tests.programmes.spoken import is_spoken


def test_risk_and_role_decide_what_is_offered_and_nothing_is_forced(
    built: Callable[[str], Built], tmp_path: Path
) -> None:
    flow = built("philippines")
    assert flow.not_equal() == {}
    here, staff = flow.house.sites["RHU"], flow.house.staff["RHU"]
    low, more = flow.house.groups["low"], flow.house.groups["more"]
    today = here.dose_day(flow.now)

    def asks(username: str, instrument: str) -> None:
        with flow.database.writing() as session:
            screen(
                session,
                actor=replace(staff[username], own=own_of(session, here.id)),
                client_id=low[1],
                instrument=instrument,
                answers={each.name: "no" for each in questions(instruments()[instrument])},
                taken_on=today,
                key=uuid4(),
                today=today,
                at=flow.now,
            )

    for anybody in ("nurse", "pharmacist", "doctor.new"):
        asks(anybody, "dast10")
    for instrument in ("assist", "srq20"):
        with pytest.raises(NotAllowed, match="asked here by: doctor"):
            asks("nurse", instrument)
        with pytest.raises(NotAllowed, match="accredited for"):
            asks("doctor.new", instrument)
        asks("doctor", instrument)

    def opened(n: int, people: dict[int, object], instrument: str, username: str) -> list[str]:
        with flow.database.reading() as session:
            taken = screenings_of(session, client_id=people[n])  # type: ignore[arg-type]
            one = next(each for each in reversed(taken) if each.instrument.key == instrument)
            return [each.key for each in opens(session, actor=staff[username], taken=one)]

    # The pathway is a draft: until a doctor signs for it the site follows none, and what is uncertain is the doctor's.
    assert not shipped().pathways["ph-client-flow"].used
    with flow.database.reading() as session:
        assert pathway_of(session, site_id=here.id) is None
    assert opened(1, more, "dast10", "nurse") == opened(1, more, "assist", "doctor") == []
    assert srq20([False] * 20).finding == "refer_to_prescriber"
    injecting = assist_injecting(Ever.PAST_THREE_MONTHS, 5)
    assert injecting is not None
    assert injecting.finding == "refer_to_prescriber"

    with flow.database.writing() as session:
        follow_pathway(
            session, actor=staff["doctor"], pathway="ph-client-flow", reason="The flow in force", at=flow.now
        )
    assert opened(7, low, "dast10", "nurse") == ["result", "leaflet"]
    assert {shipped().offers[each].kind for each in ("result", "leaflet")} == {OfferKind.INFORMATION}
    assert opened(1, more, "dast10", "nurse") == ["result", "severity"]
    assert opened(1, more, "assist", "doctor") == ["result", "sessions", "specialist", "support_group"]
    assert opened(1, more, "assist", "nurse") == [], "severity opens nothing by whoever did not assess it"

    with flow.database.reading() as session:
        for client in low.values():
            assert {each.offer for each in offers_of(session, client_id=client)} == {"result"}
        for n in (9, 10):
            assert [each.answer for each in offers_of(session, client_id=more[n])] == ["declined"]
            assert tasks_of(session, client_id=more[n]) == []
            assert [each.instrument.key for each in screenings_of(session, client_id=more[n])] == ["dast10"]

    _where_a_doctor_has_signed_the_flow_is_walked(flow)
    is_spoken(flow, tmp_path)


def _where_a_doctor_has_signed_the_flow_is_walked(flow: Built) -> None:
    """By records: what each result opened, to whom, what they said, and where those went who said yes."""
    here = flow.house.sites["RHS"]
    with flow.database.reading() as session:
        followed = pathway_of(session, site_id=here.id)
        assert followed is not None
        assert followed.key == "ph-client-flow"
        answered = """SELECT split_part(c.number, '0', 1), o.offer, o.answer, s.instrument, count(*)
            FROM service_offer o
            JOIN client c ON c.id = o.client_id JOIN screening s ON s.id = o.screening_id
            WHERE o.site_id = :site GROUP BY 1, 2, 3, 4"""
        rows = {tuple(row[:-1]): row[-1] for row in session.execute(text(answered), {"site": here.id})}
        assert rows == {
            ("SL", "result", "accepted", "dast10"): 6,
            ("SL", "leaflet", "accepted", "dast10"): 4,
            ("SL", "leaflet", "declined", "dast10"): 2,
            ("SM", "result", "accepted", "dast10"): 6,
            ("SM", "severity", "accepted", "dast10"): 5,
            ("SM", "severity", "declined", "dast10"): 1,
            ("SM", "result", "accepted", "assist"): 5,
            ("SM", "brief_intervention", "accepted", "assist"): 5,
            ("SM", "sessions", "accepted", "assist"): 3,
            ("SM", "sessions", "declined", "assist"): 1,
            ("SM", "sessions", "", "assist"): 1,
            ("SH", "result", "accepted", "dast10"): 4,
            ("SH", "severity", "accepted", "dast10"): 4,
            ("SH", "result", "accepted", "assist"): 4,
            ("SH", "sessions", "accepted", "assist"): 4,
            ("SH", "specialist", "accepted", "assist"): 3,
            ("SH", "specialist", "declined", "assist"): 1,
            ("SH", "support_group", "accepted", "assist"): 2,
        }
        referred = "SELECT service, outcome, count(*) FROM referral WHERE site_id = :site GROUP BY 1, 2"
        assert {tuple(row) for row in session.execute(text(referred), {"site": here.id})} == {
            ("hospital", "attended", 1),
            ("hospital", "", 2),
            ("support_group", "", 2),
        }
        no = flow.house.groups["moderate, signed"][6]
        assert [each.instrument.key for each in screenings_of(session, client_id=no)] == ["dast10"]
        assert tasks_of(session, client_id=no) == [], "a no leads to nothing"


def test_what_the_pathway_does_not_open_is_not_offered_by_it(built: Callable[[Path], Built], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(Path(dispensary.programmes.__path__[0]) / "philippines", tmp_path / "philippines"))
    words = (folder / "records.toml").read_text("utf-8")
    (folder / "records.toml").write_text(words.replace('what = "leaflet"', 'what = "sessions"'), "utf-8")

    with pytest.raises(BadProgramme, match=r"opens result, leaflet by this result, and not “sessions”"):
        built(folder)
