"""Thonburi and 25 courts: sessions before and after sentence; the judge hears of attendance alone, with consent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from dispensary.care.sessions import plans_of
from dispensary.clients.consent_rules import Information
from dispensary.clients.consents import consents_of
from dispensary.clients.disclosing import disclosures_of, register_of
from dispensary.clients.telling import tell_by_consent
from dispensary.refusals import NotThere, Refused
from dispensary.staff.rules import Act
from dispensary.supplies.told import Period, parts_of
from dispensary.units import ClientId
from tests.programmes.conftest import Built
from tests.programmes.spoken import is_spoken


def test_sessions_run_as_published_and_the_judge_hears_of_attendance_alone(
    built: Callable[[str], Built], tmp_path: Path
) -> None:
    thonburi = built("thonburi")
    assert thonburi.not_equal() == {}
    here, nurse = thonburi.house.sites["THB"], thonburi.house.staff["THB"]["nurse"]
    today = here.dose_day(thonburi.now)
    people = thonburi.house.groups["four sessions"]

    def report(client: ClientId, consent: UUID, kind: Information = Information.ATTENDANCE) -> None:
        with thonburi.database.writing() as session:
            tell_by_consent(
                session,
                actor=nurse,
                client_id=client,
                consent_id=consent,
                kinds=frozenset({kind}),
                event_not_come=False,
                what="attendance",
                key=uuid4(),
                today=today,
                at=thonburi.now,
                by=Act.REPORT_PROGRESS,
            )

    with thonburi.database.reading() as session:
        courts = "SELECT count(DISTINCT site_id) FROM session_plan"
        assert session.scalar(text(courts)) == 26, "each of the clinics has somebody in their sessions"
        after = plans_of(session, client_id=thonburi.house.groups["after sentence, each three months"][1])[0]
        assert {each.state for each in after.sessions} == {"attended"}

        lines = register_of(session, site_id=here.id)
        assert len(lines) == 5
        for line in lines:
            assert (line.kinds, line.ground, line.clients) == ((Information.ATTENDANCE,), "consent", 1)
            assert line.recipient == "ผู้พิพากษาเจ้าของคดี ธนบุรี"
        (known,) = consents_of(session, client_id=people[1])
        (ended,) = consents_of(session, client_id=people[5])
        assert disclosures_of(session, client_id=people[6]) == consents_of(session, client_id=people[6]) == []
        period = Period(today - timedelta(days=200), today, today)
        attended = frozenset({Information.ATTENDANCE})
        (part,) = parts_of(session, client_id=people[1], kinds=attended, period=period)
        said = " ".join(part.lines)
        assert "came to 4 of 4 sessions that were agreed" in said
        for never in ("ASSIST", "moderate", "amphetamine", "substance", "risk", "points", "mg"):
            assert never not in said

    report(people[1], known.id)
    with pytest.raises(NotThere):
        report(people[6], known.id)  # nobody reports on them by another one's consent
    with pytest.raises(Refused, match="revoked"):
        report(people[5], ended.id)
    with pytest.raises(Refused, match="does not name all of that"):
        report(people[1], known.id, Information.RESULTS)
    nurse = replace(thonburi.house.staff["C01"]["nurse.c01"])
    with pytest.raises(NotThere):
        report(people[1], known.id)  # another court's clinic does not know them
    with thonburi.database.reading() as session:
        assert len(register_of(session, site_id=here.id)) == 6, "what was refused is nowhere on the register"
    is_spoken(thonburi, tmp_path)
