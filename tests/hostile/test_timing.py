"""The time of an answer does not tell whether an account exists."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import median

import pytest

from dispensary.app import create_app
from dispensary.database import Database
from dispensary.staff import service
from dispensary.staff.rules import Role
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings, hire, open_site

ROUNDS = 12


@pytest.mark.usefixtures("real_argon2")
class TestSigningIn:
    def test_an_unknown_name_takes_as_long_as_a_known_one(
        self, database: Database, now: datetime, tmp_path: Path, record_property: Callable[[str, object], None]
    ) -> None:
        known, unknown = self._times(database, now, tmp_path)
        record_property("tries", 2 * ROUNDS)
        record_property("figure", f"median {known * 1000:.0f} ms known, {unknown * 1000:.0f} ms unknown")
        # Within the noise of a machine that works on other things; a hash that is left out is nine tenths of it.
        assert 0.6 < unknown / known < 1.6

    def test_that_it_is_measured_at_all(
        self, database: Database, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        verify = service._HASHER.verify

        class Hasty:
            """Looks at no hash of nobody, as a program does that was written without care."""

            def verify(self, kept: str, password: str) -> bool:
                return False if kept == service._NOBODY else verify(kept, password)

            def __getattr__(self, name: str) -> object:
                return getattr(service_hasher, name)

        service_hasher = service._HASHER
        monkeypatch.setattr(service, "_HASHER", Hasty())
        known, unknown = self._times(database, now, tmp_path)
        assert unknown / known < 0.6

    def _times(self, database: Database, now: datetime, tmp_path: Path) -> tuple[float, float]:
        """The median time of a wrong password for a known name and for unknown ones, taken in turn."""
        clock = MovableClock(now)
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
        visitor = Visitor(create_app(demo_settings(tmp_path), database, clock))
        drawn = visitor.drawn()
        taken: dict[bool, list[float]] = {True: [], False: []}
        for number in range(ROUNDS):
            for known in (True, False) if number % 2 else (False, True):
                clock.goes_on(minutes=16)  # else the door closes after five
                form = {**drawn, "username": "siti" if known else f"nobody{number}", "password": "a wrong one of hers"}
                began = time.perf_counter()
                answer = visitor.client.post("/signin", data=form, follow_redirects=False)
                taken[known].append(time.perf_counter() - began)
                assert answer.status_code in (401, 422), answer.text[:300]
        return median(taken[True]), median(taken[False])
