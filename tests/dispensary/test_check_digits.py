"""The Damm digit of a pass's code and of a bottle's number catches every single wrong digit and every swap, always."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from stdnum import damm

from dispensary.supplies.passes import CODE_DIGITS, Reading, read
from dispensary.supplies.serials import SERIAL_DIGITS, bottle_code, checked_serial, serial_in, spoken_serial
from tests.builders import known_vault

KEYS = known_vault()
DIGITS = range(10)


def after(state: int, digits: str) -> int:
    """The check digit of `digits` when so much was in the state before them: one step of the quasigroup a digit.

    stdnum starts from 0 and keeps no state, so a state is entered by a digit that leads to it from 0.
    """
    entry = next(str(first) for first in DIGITS if damm.checksum(str(first)) == state)
    return int(damm.checksum(entry + digits))


STEP = [[after(state, str(digit)) for digit in DIGITS] for state in DIGITS]
"""STEP[state][digit]: the state after that digit."""


class TestOverEveryState:
    """Why this is exhaustive over all 10 million codes, and all serials, and every length.

    The check is a walk through ten states, one step a digit, and a number is right when the walk ends in 0. Take any
    two numbers that are equal but for one digit, or but for two neighbours that changed places. Both walks are in one
    state s before the place, and read the same digits behind it. What comes before matters only through s (ten values),
    and the digits behind it lead different states to different states (each column of the table is a permutation:
    first test). So the two walks end differently exactly if they differ right behind the place: 10 states x 90 pairs
    of digits that differ (second and third test). No code is left over.
    """

    @pytest.mark.parametrize("digit", DIGITS)
    def test_a_digit_never_leads_two_states_to_one(self, digit: int) -> None:
        assert len({STEP[state][digit] for state in DIGITS}) == 10

    @pytest.mark.parametrize("state", DIGITS)
    def test_no_wrong_digit_leads_where_the_right_one_does(self, state: int) -> None:
        assert len(set(STEP[state])) == 10

    @pytest.mark.parametrize("state", DIGITS)
    def test_no_swap_of_two_neighbours_leads_where_they_did(self, state: int) -> None:
        for one in DIGITS:
            for other in DIGITS:
                if one != other:
                    assert STEP[STEP[state][one]][other] != STEP[STEP[state][other]][one], (one, other)

    def test_the_steps_are_those_of_the_check_digit(self) -> None:
        """The table that was tried above is what makes the check digit of whole numbers."""
        for digits in ("0", "7", "5724", "0000000", "9876543", "019283746556473"):
            state = 0
            for digit in digits:
                state = STEP[state][int(digit)]
            assert state == int(damm.calc_check_digit(digits))


def spoilt(number: str) -> Iterator[str]:
    """The number with each digit wrong in each way, then with each two neighbours that differ swapped."""
    for place, right in enumerate(number):
        for wrong in "0123456789":
            if wrong != right:
                yield number[:place] + wrong + number[place + 1 :]
    for place in range(len(number) - 1):
        first, second = number[place : place + 2]
        if first != second:
            yield number[:place] + second + first + number[place + 2 :]


def numbers(length: int, how_many: int) -> list[str]:
    drawn = random.Random(4224)
    edges = ["0" * length, "9" * length, "1" + "0" * (length - 1), "0123456789876543"[:length]]
    return edges + [f"{drawn.randrange(10**length):0{length}d}" for _ in range(how_many)]


def test_a_typed_code_with_a_wrong_or_swapped_digit_is_never_read_as_a_code() -> None:
    tried = 0
    for digits in numbers(CODE_DIGITS, 1000):
        code = digits + str(damm.calc_check_digit(digits))
        assert read(KEYS, code) is Reading.CODE
        for wrong in spoilt(code):
            assert read(KEYS, wrong) is Reading.MISTYPED, (code, wrong)
            tried += 1
    assert tried > 75_000


def test_a_bottle_with_a_wrong_or_swapped_digit_is_never_read_as_a_bottle() -> None:
    tried = 0
    for serial in numbers(SERIAL_DIGITS, 500):
        assert serial_in(bottle_code(serial)) == serial_in(checked_serial(serial)) == serial
        assert read(KEYS, spoken_serial(serial)) is Reading.BOTTLE
        for wrong in spoilt(checked_serial(serial)):
            assert serial_in(wrong) is None
            assert read(KEYS, wrong) is Reading.MISTYPED
            assert read(KEYS, f"TB{wrong}") is Reading.BOTTLE_MISTYPED
            tried += 1
    assert tried > 75_000


@pytest.mark.parametrize("text", ["TB12345", "TBAHMAD", "TB 000123", "H0001", "TB" + "1" * 15, "TB" + "1" * 17])
def test_what_only_begins_like_a_bottle_is_looked_for_among_the_clients(text: str) -> None:
    assert read(KEYS, text) is Reading.NOT_A_PASS


@pytest.mark.parametrize("typed", ["tb0192 8374 6556 4734", "TB-0192-8374-6556-4734", "0192 8374 6556 4734"])
def test_a_bottle_is_read_however_its_number_is_typed(typed: str) -> None:
    assert read(KEYS, typed) is Reading.BOTTLE
