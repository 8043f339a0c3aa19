"""Karisma: outreach, screening each six months, and referrals by service to 42 health centres."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import dispensary.programmes
from dispensary.care.outreach import reached_since
from dispensary.care.referral_models import Service
from dispensary.care.referral_words import lost
from dispensary.care.referrals import refer
from dispensary.care.screenings import due_screenings, screenings_of
from dispensary.refusals import BadInput
from dispensary.units import months_after
from tests.programmes.conftest import Built
from tests.programmes.spoken import is_spoken

_SCREENS = """    act = "screen"
    day = "enrolled"
"""


def test_each_referral_is_counted_by_service_and_followed(built: Callable[[str | Path], Built], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(Path(dispensary.programmes.__path__[0]) / "karisma", tmp_path / "karisma"))
    records = (folder / "records.toml").read_text("utf-8")
    assert records.count(_SCREENS) == 6
    # Everybody is referred as they were; of screening every fortieth is enough.
    records = records.replace(_SCREENS, f"{_SCREENS}    who = {{ every = 40 }}\n")
    (folder / "records.toml").write_text(records, "utf-8")
    karisma = built(folder)
    assert karisma.not_equal() == {}
    assert sum(line.ours or 0 for line in karisma.table.values() if line.figure.unit == "referrals") == 2049

    jakarta, nurse = karisma.house.sites["KJ"], karisma.house.staff["KJ"]["nurse"]
    today = jakarta.dose_day(karisma.now)
    people = karisma.house.groups["jakarta"]
    with karisma.database.reading() as session:
        outcomes = "SELECT outcome, count(*) FROM referral WHERE service = 'hiv_test' GROUP BY outcome"
        assert dict(session.execute(text(outcomes)).all()) == {"attended": 216, "not_attended": 23, "": 412}
        silent = lost(session, site_id=jakarta.id, today=today)
        assert silent, "nobody has heard of some for more than thirty days"
        assert {each.referral.outcome for each in silent} == {""}
        assert max(each.last_word for each in silent) < today - timedelta(days=30)
        assert session.scalar(text("SELECT count(*) FROM referral WHERE centre_id IS NULL")) == 0

        (assist, distress, risk) = sorted(
            screenings_of(session, client_id=people[1]), key=lambda each: each.instrument.key
        )
        assert [each.instrument.key for each in (assist, distress, risk)] == ["dast10", "srq20", "top"]
        assert assist.whole is not None
        assert (assist.whole.points, assist.whole.band) == (2, "low")
        assert distress.whole is not None
        assert distress.whole.band == "", "no cut-off was found here: none is made up"
        until = months_after(assist.taken_on, 6)
        due = due_screenings(session, site_id=jakarta.id, until=until, client_id=people[1])
        assert [each.due_on for each in due] == [until] * 3
        assert due_screenings(session, site_id=jakarta.id, until=until - timedelta(days=1), client_id=people[1]) == []

        met = reached_since(session, site_id=jakarta.id, since=today - timedelta(days=100))
        assert (met.contacts, met.people, met.materials["needles"]) == (40, 40, 400)
    with karisma.database.writing() as session, pytest.raises(BadInput, match="without their consent"):
        refer(
            session,
            actor=nurse,
            client_id=people[1],
            service=Service.ART,
            place="Puskesmas J01",
            agreed=False,
            ask_on=today,
            today=today,
            at=karisma.now,
        )
    is_spoken(karisma, tmp_path)
