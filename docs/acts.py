"""Writes acts.md from the acts as they are: what the records of a programme can be made of, and the words of each."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import msgspec

from dispensary.programmes.acts import Act, acts
from dispensary.published.figures import figures

PAGE = Path(__file__).with_name("acts.md")

OPENING = """\
# Acts and figures of a programme

What `records.toml` of a programme can say that somebody did, and what `published.toml` can ask beside the
[measures](measures.md). This page is written (`make acts`) from the acts as they are, and a test fails when it is not
current. [How a programme is made](new-programme.md) says where they stand.

An act under `[[group.act]]` is about each person of the group, or those of `who`; one under `[[act]]` is about nobody
on record. Besides its own words each takes `act`, `day` (so many days ago, `{ first = 60, last = 20 }` for a spread
over those whom it is about, or `"enrolled+14"`), `times` and `apart` (again so many days later); under a group `who`
(`{ first = 1, last = 40, every = 2 }`), and else `site` and `count`.

## Acts

| act | what it is | its words |
| --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    rows = (f"| `{name}` | {_said(kind)} | {'; '.join(_words(kind)) or 'none'} |\n" for name, kind in acts().items())
    more = (f"| `{name}` | {_said(answers)} |\n" for name, answers in figures().items())
    return OPENING + "".join(rows) + "\n## Figures\n\n| figure | what it is |\n| --- | --- |\n" + "".join(more)


def _said(of: Any) -> str:
    return " ".join((of.__doc__ or "").split()).replace("|", "\\|")


def _words(kind: type[Act]) -> Iterator[str]:
    for each in msgspec.structs.fields(kind):
        choices = _choices(each.type)
        said = f" ({', '.join(choices)})" if choices else ""
        yield f"`{each.encode_name}`{'' if each.required else ', may be left out'}{said}"


def _choices(shape: Any) -> tuple[str, ...]:
    if isinstance(shape, type) and issubclass(shape, StrEnum):
        return tuple(shape)
    parts = get_args(shape)
    if parts and all(isinstance(part, str) for part in parts):
        return parts
    return next((found for part in parts if (found := _choices(part))), ())


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
