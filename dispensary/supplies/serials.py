"""What a bottle's label says to a scanner: a prefix, the bottle's serial and a check digit. Pure.

It names nobody. The check digit makes a scan that lost or swapped a digit known as such before anything is looked up.
"""

from __future__ import annotations

import re

from stdnum import damm

SERIAL_DIGITS = 15
BOTTLE_PREFIX = "TB"
_SHAPE = re.compile(rf"(?:{BOTTLE_PREFIX})?(\d{{{SERIAL_DIGITS}}})(\d)", re.ASCII)


def checked_serial(serial: str) -> str:
    """The serial with its Damm digit behind it, which misses no single wrong digit and no swap of neighbours."""
    return serial + str(damm.calc_check_digit(serial))


def bottle_code(serial: str) -> str:
    """The content of a label's QR."""
    return BOTTLE_PREFIX + checked_serial(serial)


def spoken_serial(serial: str) -> str:
    """As it is printed beside the QR, to be read aloud or typed: four times four digits, the last the check digit."""
    digits = checked_serial(serial)
    return " ".join(digits[n : n + 4] for n in range(0, len(digits), 4))


def is_bottle_shaped(text: str) -> bool:
    """Whether this can be nothing else than a bottle's code: with the prefix, and as long as one."""
    return text.startswith(BOTTLE_PREFIX) and _SHAPE.fullmatch(text) is not None


def serial_in(text: str) -> str | None:
    """The serial in a scanned code, or in its sixteen digits as somebody typed them; nothing when a digit is wrong."""
    found = _SHAPE.fullmatch(text)
    if found is None or str(damm.calc_check_digit(found[1])) != found[2]:
        return None
    return found[1]
