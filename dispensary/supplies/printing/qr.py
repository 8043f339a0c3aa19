"""A QR code as plain squares: for a page of the browser, a picture, and paper."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qrcode.main import QRCode

QUIET_ZONE = 4
"""White modules around the code, without which readers do not find it (ISO/IEC 18004, 6.3.8)."""
_APART = 2
"""How many digits in a row, at least, are packed as such beside letters."""

Modules = tuple[tuple[bool, ...], ...]


def modules(text: str) -> Modules:
    """The code's rows, dark or not, with the quiet zone: error correction Q, the smallest size that holds the text.

    Digits alone and upper-case base32 are packed as such, which is always smaller than bytes; letters before digits are
    packed apart where that saves a size, as it does for a bottle. Level Q survives blots of a quarter of the code
    (ISO/IEC 18004).
    """
    code = min((_fitted(text, optimize) for optimize in (0, _APART)), key=lambda code: code.version)
    code.make(fit=False)
    return tuple(tuple(bool(dark) for dark in row) for row in code.get_matrix())


def _fitted(text: str, optimize: int) -> QRCode[Any]:
    from qrcode.constants import ERROR_CORRECT_Q
    from qrcode.main import QRCode

    code = QRCode(error_correction=ERROR_CORRECT_Q, border=QUIET_ZONE)
    code.add_data(text, optimize=optimize)
    code.best_fit()
    return code


def runs(rows: Modules) -> Iterator[tuple[int, int, int]]:
    """Dark modules that touch in a row, as column, row and length."""
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            length = 1
            while x + length < len(row) and row[x + length] == row[x]:
                length += 1
            if row[x]:
                yield x, y, length
            x += length


def qr_svg(text: str) -> str:
    """The code as an SVG element to put into a page: no style, script or link in it, so the strictest CSP shows it.

    It fills the width that it is given; white stands behind it, so that it reads on a dark page as well.
    """
    rows = modules(text)
    side = len(rows)
    path = "".join(f"M{x} {y}h{length}v1h-{length}z" for x, y, length in runs(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" role="img" aria-label="QR" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/>'
        f'<path fill="#000" d="{path}"/></svg>'
    )


def qr_png(text: str, scale: int = 8) -> bytes:
    """The code as a PNG picture of black and white, each module `scale` pixels wide."""
    lines = []
    for row in modules(text):
        bits = "".join(("0" if dark else "1") * scale for dark in row)
        padded = bits + "0" * (-len(bits) % 8)
        line = b"\0" + int(padded, 2).to_bytes(len(padded) // 8, "big")
        lines.append(line * scale)
    side = len(lines) * scale
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)  # one bit a pixel, grey
    data = zlib.compress(b"".join(lines), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
