"""One line that says how long a site's audit chain was and how it ended: to print, to copy, to read aloud. Pure.

    HRP 2026-11-24 10452 4f1c…(64 signs) 482913-507718-119340-662905-083317-904421

The groups are 80 bits of the SHA-256 of the rest: four digits each, a fifth for the place of the group, and a check
digit (Damm). A digit misheard, two swapped, a group left out or said twice is known before anything is compared.
Digits alone are read aloud in any language. The line names nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from stdnum import damm

GROUPS = 6
_DIGITS = 4
_BITS = 80
"""10^24 is a little less than 2^80: six groups of four digits hold 79.7 bits of the digest."""
OPENING = "Takehome audit anchor"
"""How the one line of a file begins; the line of a paper register begins with the site's code."""


class BadAnchor(ValueError):
    """What was typed or read is no anchor. The text is one line that says where."""


@dataclass(frozen=True)
class Anchor:
    """How a site's chain stood in a night: its length, and the hash of its last entry."""

    code: str
    day: date
    length: int
    head: bytes
    """Empty when only the short form was typed."""
    groups: tuple[str, ...]

    @property
    def spoken(self) -> str:
        """The groups as they are read aloud and glued into a register."""
        return "-".join(self.groups)

    @property
    def line(self) -> str:
        """The short line: site, day, length, groups."""
        return f"{self.code} {self.day.isoformat()} {self.length} {self.spoken}"

    @property
    def whole_line(self) -> str:
        """The line with the whole hash in it, as it stands in a file."""
        return f"{self.code} {self.day.isoformat()} {self.length} {self.head.hex()} {self.spoken}"

    @property
    def as_file(self) -> bytes:
        """What a file of this anchor holds, to the byte; a time stamp is over exactly this."""
        return f"{OPENING} {self.whole_line}\n".encode()


def anchor_of(*, code: str, day: date, length: int, head: bytes) -> Anchor:
    """The anchor of a chain that ended so. The site is part of the digest, so that two sites cannot be swapped."""
    text = f"{code}|{day.isoformat()}|{length}|{head.hex()}"
    number = int.from_bytes(sha256(text.encode()).digest()[: _BITS // 8], "big") % 10 ** (GROUPS * _DIGITS)
    digits = f"{number:0{GROUPS * _DIGITS}d}"
    return Anchor(code, day, length, head, tuple(_group(n, digits[n * _DIGITS :][:_DIGITS]) for n in range(GROUPS)))


def _group(place: int, digits: str) -> str:
    """Four digits, the place of the group (1 to 6), and a check digit over both."""
    numbered = f"{digits}{place + 1}"
    return f"{numbered}{damm.calc_check_digit(numbered)}"


def read_anchor(text: str) -> Anchor:
    """Reads a line, short or whole, as typed from paper or as a file has it. Raises BadAnchor, which says which group.

    The groups may be parted by blanks or dashes, or not at all.
    """
    words = text.replace(OPENING, "").split()
    if len(words) < 4:
        raise BadAnchor("A line of an anchor has a site, a day, a length and six groups of digits.")
    code, day_text, length_text, *rest = words
    try:
        day, length = date.fromisoformat(day_text), int(length_text.replace(",", ""))
    except ValueError:
        raise BadAnchor(f"“{day_text} {length_text}” is not a day and a number of entries.") from None
    head = b""
    if len(rest[0]) == 64:
        try:
            head = bytes.fromhex(rest.pop(0))
        except ValueError:
            raise BadAnchor("The long hash has signs that are none of 0-9 and a-f.") from None
    digits = "".join(rest).replace("-", "")
    if not digits.isdecimal() or not digits.isascii() or len(digits) != GROUPS * (_DIGITS + 2):
        raise BadAnchor(f"After the length there are {GROUPS} groups of {_DIGITS + 2} digits.")
    groups = tuple(digits[n * 6 :][:6] for n in range(GROUPS))
    for n, group in enumerate(groups):
        if not damm.is_valid(group) or group[_DIGITS] != str(n + 1):
            raise BadAnchor(f"Group {n + 1}, “{group}”, is misread: its check digit does not fit.")
    return Anchor(code.upper(), day, length, head, groups)


def agrees(anchor: Anchor, *, head: bytes) -> bool:
    """Whether a chain that had this hash at the anchor's length is the one that the anchor was made of."""
    made = anchor_of(code=anchor.code, day=anchor.day, length=anchor.length, head=head)
    return made.groups == anchor.groups and anchor.head in (b"", head)
