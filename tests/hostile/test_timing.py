"""The time of an answer does not tell whether an account exists, nor whether a phone is a client's.

By phone nobody is looked up but by a text: pages find people for whoever is signed in, and a kiosk hears codes alone.
What a text is answered comes by the outbox, seconds later and to that phone; the answer to the gateway's call is what
somebody between the two could time.
"""

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
from tests.dispensary.phones import line
from tests.dispensary.test_hooks import INBOUND, PUBLIC, TOKEN, Twilio
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


class TestTexts:
    """Calls in the name of a client's phone and of a stranger's, signed and not, taken in turn."""

    def test_a_call_tells_nobody_whose_phone_it_is(
        self, database: Database, now: datetime, tmp_path: Path, record_property: Callable[[str, object], None]
    ) -> None:
        clock, phones = MovableClock(now), line(database, now)
        client = phones.client()
        settings = demo_settings(
            tmp_path,
            PUBLIC_BASE_URL=PUBLIC,
            TWILIO_ACCOUNT_SID="AC" + "0" * 32,
            TWILIO_AUTH_TOKEN=TOKEN,
            TWILIO_FROM="+60111000000",
        )
        twilio = Twilio(create_app(settings, database, clock), phones, clock)
        taken: dict[tuple[bool, bool], list[float]] = {(signed, known): [] for signed in (1, 0) for known in (1, 0)}
        told: dict[bool, set[tuple[int, str, tuple[str, ...]]]] = {True: set(), False: set()}
        for number in range(2 * ROUNDS):
            clock.goes_on(minutes=2)
            for known in (True, False) if number % 2 else (False, True):
                phone = phones.numbers[client] if known else f"+6019{number:07d}"
                for signed in (True, False):
                    form = twilio.text(client, "when", sid=f"SM{number}{known}{signed}", From=phone)
                    began = time.perf_counter()
                    answer = twilio.posts(INBOUND, form, signed=None if signed else "x")
                    taken[signed, known].append(time.perf_counter() - began)
                    told[signed].add((answer.status_code, answer.text, tuple(sorted(set(answer.headers)))))
        assert [len(ways) for ways in told.values()] == [1, 1], "the same words, whoever it is"
        ms = {key: median(times) * 1000 for key, times in taken.items()}
        record_property("tries", 8 * ROUNDS)
        record_property(
            "figure",
            f"texts, median: unsigned {ms[False, True]:.1f} ms known, {ms[False, False]:.1f} ms unknown; "
            f"signed {ms[True, True]:.1f} and {ms[True, False]:.1f} ms",
        )
        assert 0.6 < ms[False, False] / ms[False, True] < 1.6
        assert 0.5 < ms[True, False] / ms[True, True] < 2, "the gateway itself is told little, too"
