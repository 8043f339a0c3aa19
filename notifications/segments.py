"""How many segments a text costs: GSM 03.38 when every character is in it, UCS-2 otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""Each is an escape and a second septet."""


class Encoding(StrEnum):
    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


_ALONE = {Encoding.GSM7: 160, Encoding.UCS2: 70}
_JOINED = {Encoding.GSM7: 153, Encoding.UCS2: 67}
"""What is left of a segment (septets, UTF-16 units) beside the header that joins it to the others."""


@dataclass(frozen=True)
class Size:
    encoding: Encoding
    units: int
    """Septets of GSM-7, or UTF-16 code units."""
    segments: int


def _units(character: str, encoding: Encoding) -> int:
    if encoding is Encoding.GSM7:
        return 2 if character in _EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1


def measure(text: str) -> Size:
    """The size of a text as networks bill it; an empty text is one segment.

    A character of two units is never cut in two: where only one unit is left, the next segment begins.
    """
    encoding = Encoding.GSM7 if all(c in _BASIC or c in _EXTENDED for c in text) else Encoding.UCS2
    sizes = [_units(character, encoding) for character in text]
    units = sum(sizes)
    if units <= _ALONE[encoding]:
        return Size(encoding, units, 1)
    segments, used = 1, 0
    for size in sizes:
        if used + size > _JOINED[encoding]:
            segments, used = segments + 1, 0
        used += size
    return Size(encoding, units, segments)
