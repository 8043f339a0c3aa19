"""SCDI: police send people to an assessment in place of detention, and hear nothing without consent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from dispensary.care.intake_consents import tell_referrer
from dispensary.care.intakes import intakes_open, parts_of, the_intake
from dispensary.clients.consent_rules import Information
from dispensary.clients.disclosing import register_of
from dispensary.refusals import Refused
from tests.programmes.conftest import Built
from tests.programmes.spoken import is_spoken


def test_six_hundred_are_assessed_and_whoever_sent_them_hears_nothing_without_consent(
    built: Callable[[str], Built], tmp_path: Path
) -> None:
    scdi = built("scdi")
    assert scdi.not_equal() == {}
    assert (scdi.table["people"].ours, scdi.table["officers"].ours) == (600, None)
    here, nurse = scdi.house.sites["HN"], scdi.house.staff["HN"]["nurse"]
    with scdi.database.reading() as session:
        became = dict(session.execute(text("SELECT outcome, count(*) FROM intake GROUP BY outcome")).all())
        assert became == {"elsewhere": 460, "not_wanted": 60, "enrolled": 40, "": 40}
        named = """SELECT count(*) FROM intake WHERE outcome <> ''
            AND num_nonnulls(name_sealed, referrer_sealed, words_sealed, reach_sealed, consent_sealed) > 0"""
        assert session.scalar(text(named)) == 0, "who is no more waited for, and who sent them, is named nowhere"

        lines = register_of(session, site_id=here.id)
        assert [(line.kinds, line.ground) for line in lines] == [((Information.PRESENCE,), "consent")] * 6
        assert all(line.recipient.startswith("Công an phường, cán bộ ") for line in lines)
        waiting = intakes_open(session, site_id=here.id)
        assert len(waiting) == 20
        shown = [the_intake(session, site_id=here.id, intake_id=intake.id) for intake, _, _ in waiting]
        silent = [each for each in shown if not each.heard.consent]
        assert (len(silent), {each.told for each in silent}) == (14, {0})
        assert {part.kind for part, _ in silent[0].parts} == {"health", "legal", "social"}

        client = scdi.house.groups["clients of HN"][1]
        kept = parts_of(session, client_id=client)
        assert {part.kind: list(part.services) for part, _ in kept} == {
            "health": ["hiv_test", "mental_health"],
            "legal": ["legal_aid"],
            "social": ["vocational"],
        }
        assert "police" not in " ".join(words for _, words in kept).lower()
        referred = "SELECT count(*) FROM referral WHERE client_id = :c"
        assert session.scalar(text(referred), {"c": client}) == 2, "what the assessment opened was gone on with"

    def told(intake_id: object) -> None:
        with scdi.database.writing() as session:
            tell_referrer(
                session, actor=nurse, intake_id=intake_id, days=True, key=uuid4(), today=here.dose_day(scdi.now),  # type: ignore[arg-type]
                at=scdi.now,
            )  # fmt: skip

    with pytest.raises(Refused, match="told nothing"):
        told(silent[0].intake.id)
    told(next(each for each in shown if each.heard.consent).intake.id)
    with scdi.database.reading() as session:
        lines = register_of(session, site_id=here.id)
        assert (len(lines), lines[0].kinds) == (7, (Information.PRESENCE, Information.ATTENDANCE))
    is_spoken(scdi, tmp_path)
