"""Damage to the PINs of the phone line is found and named."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from dispensary.database import Database
from tests.dispensary.phones import Line, line, with_pin
from tests.dispensary.test_verification import damage, findings

DAMAGES: list[tuple[str, str]] = [
    ("UPDATE contact SET phone_index = '\\x01'", r"the PIN of client .* is for a number that they do not have"),
    ("DELETE FROM contact", r"is for a number that they do not have"),
    (
        "ALTER TABLE phone_pin DROP CONSTRAINT uq_phone_pin_pin_digest; UPDATE phone_pin SET pin_digest = '\\x01'",
        r"2 clients have the same PIN at one number",
    ),
    ("DELETE FROM phone_pin", r"a number is open for client .*, who has no PIN there"),
    ("DELETE FROM phone_pin", r"client .* asks for a number without having a PIN"),
    (
        "UPDATE number_change n SET phone_index = (SELECT phone_index FROM phone_pin WHERE client_id = n.client_id)",
        r"or for the one that they have",
    ),
]


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    """Two who share a number, each with a PIN; it is open for one of them, who asks for another number."""
    here = line(database, now)
    first = with_pin(here, here.client(), "7395")
    with_pin(here, here.client(here.numbers[first]), "4821")
    here.says(first, "7395 number 0198765432")
    return here


def test_numbers_with_pins_have_no_finding(here: Line) -> None:
    assert findings(here.database, here.at) == []


@pytest.mark.parametrize(("sql", "expected"), DAMAGES, ids=range(len(DAMAGES)))
def test_damage_is_found_and_named(here: Line, sql: str, expected: str) -> None:
    damage(here.clinic, sql)
    found = findings(here.database, here.at)
    assert any(re.search(expected, finding) for finding in found), found
