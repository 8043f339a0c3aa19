"""The letters that a document is printed in: Helvetica where Latin-1 suffices, else what this machine has, embedded.

No font file is part of the program. Where no font on the machine has a sign, a readable one stands in its place: a
paper must always come out, since a bottle without a label may not leave.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LATIN_1 = frozenset((*range(0x20, 0x7F), *range(0xA0, 0x100)))
"""What Helvetica, which every reader and printer has, can show."""

# Regular and bold, by file name: Linux, Windows, macOS. The first of the best ones is taken.
_UPRIGHT = (
    ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf"),
    ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf"),
    ("arial.ttf", "arialbd.ttf"),
    ("Arial.ttf", "Arial Bold.ttf"),
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
)
_CHINESE = (
    ("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc"),
    ("NotoSansCJKsc-Regular.otf", "NotoSansCJKsc-Bold.otf"),
    ("msyh.ttc", "msyhbd.ttc"),
    ("STHeiti Medium.ttc", "STHeiti Medium.ttc"),
    ("wqy-microhei.ttc", "wqy-microhei.ttc"),
    ("DroidSansFallbackFull.ttf", "DroidSansFallbackFull.ttf"),
)
_OTHER_SCRIPTS = (
    *((f"NotoSans{script}-Regular.ttf", f"NotoSans{script}-Bold.ttf") for script in
      ("Tamil", "Thai", "Lao", "Khmer", "Myanmar", "Devanagari", "Bengali", "Sinhala", "Arabic")),
    ("Lohit-Tamil.ttf", "Lohit-Tamil.ttf"),
    ("Nirmala.ttf", "NirmalaB.ttf"),
    ("Nirmala.ttc", "Nirmala.ttc"),
    ("leelawui.ttf", "leelauib.ttf"),
    ("mmrtext.ttf", "mmrtextb.ttf"),
    ("Tamil Sangam MN.ttc", "Tamil Sangam MN.ttc"),
    ("Thonburi.ttc", "Thonburi.ttc"),
    ("Khmer Sangam MN.ttf", "Khmer Sangam MN.ttf"),
    ("Lao Sangam MN.ttf", "Lao Sangam MN.ttf"),
    ("Arial Unicode.ttf", "Arial Unicode.ttf"),
)  # fmt: skip
_FACE_IN_COLLECTION = {"notosanscjk-regular.ttc": {"zh_Hant": 3, "ja": 0, "ko": 1}}
_SIMPLIFIED = 2
"""Noto's Chinese collection holds a face for each country's way of writing the same signs."""

_IN_ITS_PLACE = {
    **dict.fromkeys("‘’‚ʼ′", "'"),
    **dict.fromkeys("“”„″", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    "…": "...",
    "•": "-",
    "€": "EUR",
    "Đ": "D",
    "đ": "d",
}
_SHAPED = ((0x0590, 0x08FF), (0x0900, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))
"""Scripts whose letters join or change places: Arabic and its kin, India's, Thai and Lao, Burmese, Khmer."""


@dataclass(frozen=True)
class FontFile:
    """A face in a font file; a collection has several."""

    path: Path
    number: int = 0


@dataclass(frozen=True)
class Family:
    """A typeface with what it can show."""

    regular: FontFile
    bold: FontFile
    has: frozenset[int]


@dataclass(frozen=True)
class Letters:
    """What a document is set in: the first family, and others for the signs that it lacks. None: Helvetica."""

    families: tuple[Family, ...] = ()
    shaped: bool = False
    """Letters are joined and put in their places."""

    def show(self, text: str) -> str:
        """The text with each sign that cannot be shown replaced: é by e, a curly quote by a straight one, else `?`."""
        if text.isascii() and text.isprintable():
            return text
        return "".join(map(self._sign, unicodedata.normalize("NFC", text)))

    def lacking(self, signs: Iterable[str]) -> str:
        """The signs for which a question mark would stand, as nothing like them can be shown either."""
        return "".join(sorted(sign for sign in set(signs) if sign != "?" and self._sign(sign) == "?"))

    def _has(self, signs: str) -> bool:
        return all(any(ord(c) in has for has in self._covers()) for c in signs)

    def _covers(self) -> Iterable[frozenset[int]]:
        return (family.has for family in self.families) if self.families else (LATIN_1,)

    def _sign(self, sign: str) -> str:
        if sign.isspace():
            return " "
        if _unseen(sign):
            return sign if self.shaped and sign in "\u200c\u200d" else ""  # joiners mean something where letters join
        if self._has(sign):
            return sign
        bare = "".join(c for c in unicodedata.normalize("NFKD", sign) if not unicodedata.combining(c))
        for instead in (_IN_ITS_PLACE.get(sign, ""), bare):
            if instead and self._has(instead):
                return instead
        return "" if unicodedata.combining(sign) else "?"


HELVETICA = Letters()


class NoLetters(Exception):
    """This machine has no font, or none that can be embedded, for some of what is to be printed whole."""


def _unseen(sign: str) -> bool:
    """Whether a sign has no form: controls, joiners, halves of signs, private and unassigned codes."""
    return unicodedata.category(sign).startswith("C")


def readable(text: str) -> bool:
    """Whether anybody can read what came out: less than half of it is question marks that stand for other signs."""
    signs = [c for c in text if not c.isspace()]
    return bool(signs) and signs.count("?") * 2 < len(signs)


def standard_folders() -> tuple[Path, ...]:
    """Where Linux, macOS and Windows keep fonts, the machine's before a person's own."""
    home = Path.home()
    windows = Path(os.environ.get("WINDIR", "C:/Windows"))
    return (
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        home / ".local/share/fonts",
        home / ".fonts",
        Path("/System/Library/Fonts"),
        Path("/Library/Fonts"),
        home / "Library/Fonts",
        windows / "Fonts",
        Path(os.environ.get("LOCALAPPDATA", home)) / "Microsoft/Windows/Fonts",
    )


@cache
def _files(folders: tuple[Path, ...]) -> dict[str, Path]:
    """Every file in these folders by its name in small letters; the first of a name counts."""
    found: dict[str, Path] = {}
    for folder in folders:
        for where, subfolders, names in os.walk(folder):
            subfolders.sort()
            for name in sorted(names):
                found.setdefault(name.lower(), Path(where) / name)
    return found


@cache
def _characters(file: FontFile) -> frozenset[int]:
    """What a face can show; nothing when the file is damaged or of a kind that cannot be embedded."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    try:
        with TTFont(file.path, fontNumber=file.number, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except Exception:  # a damaged font raises whatever its first wrong byte leads to
        return frozenset()


def _family(names: tuple[str, str], files: dict[str, Path], language: str) -> Family | None:
    paths = [files.get(name.lower()) for name in names]
    if paths[0] is None:
        return None
    faces = _FACE_IN_COLLECTION.get(paths[0].name.lower())
    number = faces.get(language, _SIMPLIFIED) if faces is not None else 0
    regular = FontFile(paths[0], number)
    bold = FontFile(paths[1], number) if paths[1] else regular
    has = _characters(regular) & _characters(bold)
    return Family(regular, bold, has) if has else None


def letters_for(characters: Collection[str], *, language: str = "en", folders: Sequence[Path] | None = None) -> Letters:
    """The letters for a document with these characters, from the fonts in these folders (default: the standard ones).

    The language decides between the Chinese, Japanese and Korean way of writing a sign. Never raises.
    """
    wanted = {ord(c) for c in characters if not (c.isspace() or _unseen(c))}
    lacking = set(wanted - LATIN_1)
    if not lacking:
        return HELVETICA
    files = _files(tuple(folders if folders is not None else standard_folders()))
    upright = [family for names in _UPRIGHT if (family := _family(names, files, language))]
    chosen: list[Family] = []
    joined = {code for code in wanted if any(low <= code <= high for low, high in _SHAPED)}
    if upright:  # a font made for a script that joins its letters joins them better than one that has them too
        chosen.append(max(upright, key=lambda family: len((wanted - joined) & family.has)))
        lacking -= chosen[0].has
    for names in (*_CHINESE, *_OTHER_SCRIPTS, *_UPRIGHT):
        family = _family(names, files, language) if lacking else None
        if family and lacking & family.has:
            chosen.append(family)
            lacking -= family.has
    if not all(any(code in family.has for family in chosen) for code in wanted & LATIN_1):
        return HELVETICA  # a font of one script alone cannot set the rest of the page
    return Letters(tuple(chosen), shaped=bool(joined))
