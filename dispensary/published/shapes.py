"""What `published.toml` holds: each figure with its source, and what of ours answers it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

import msgspec

from dispensary.words import language

Words = Annotated[str, msgspec.Meta(min_length=1)]
PERCENT = "percent"
"""The unit that is written as a sign."""
Ago = Annotated[int, msgspec.Meta(ge=0, le=3650)]
"""So many days before today; 0 is today."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a file: a key that it does not know is a mistake."""


class Published(Table, frozen=True, kw_only=True):
    """A figure that was published, and what of ours answers it."""

    key: Words
    says: Words
    value: Decimal
    unit: Words
    decimals: Annotated[int, msgspec.Meta(ge=0, le=4)] = 0
    at_least: bool = False
    """The source says “more than” or “about at least”: ours is equal when it is no less."""
    source: Words
    measure: str = ""
    indicator: str = ""
    part: str = "value"
    split: Mapping[str, str] = {}
    parameters: Mapping[str, str] = {}
    figure: str = ""
    not_from_records: str = ""
    sites: tuple[str, ...] = ()
    first: Ago | None = None
    last: Ago = 0


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """What was published of a programme, as it goes with its records wherever they are kept."""

    title: str
    says: str
    take_home: str
    period: int
    """A figure is asked of the last so many days, unless it says otherwise."""
    sites: tuple[str, ...]
    """The codes of the sites that its file has."""
    figures: tuple[Published, ...]
    words: Mapping[str, Mapping[str, str]] = {}
    """By language, what is said in its place of each sentence, unit or name above."""

    def spoken(self, words: str) -> str:
        """A sentence, unit or name of the programme in the language that is read now, or as the file has it."""
        return self.words.get(language(), {}).get(words, words)

    def to_be_spoken(self) -> set[str]:
        """Everything of it that a page shows in words."""
        own = {self.title, self.says, self.take_home}
        return own.union(*((each.says, each.unit, each.not_from_records) for each in self.figures)) - {"", PERCENT}
