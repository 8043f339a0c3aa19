"""The clinical figures of this room, read from the documents beside it; a draft answers with a referral. Pure."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Any

import msgspec

from dispensary.documents import Status

Times = Decimal
"""So many times the upper limit of the laboratory."""


class Sourced(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Figures, where they stand written, how sure they are and whether they are used."""

    source: str
    confidence: str
    """`source`: the text was read. `high`, `medium`: from knowledge of it; `low` is never used."""
    status: Status

    @property
    def used(self) -> bool:
        return self.status is Status.ACTIVE and self.confidence != "low"


class QtcFigures(Sourced, frozen=True):
    """Milliseconds, and beats a minute."""

    monitor_above_ms: int
    urgent_from_ms: int
    fridericia_above_bpm: int
    fridericia_below_bpm: int
    prolonged_from_ms: dict[str, int]
    """By sex: `male`, `female`."""
    prolonged_source: str


class AltFigures(Sourced, frozen=True):
    """All in times the upper limit of ALT, but Hy's bilirubin."""

    repeat_above_times: Times
    repeat_after_weeks: tuple[int, int]
    urgent_above_times: Times
    hy_alt_from_times: Times
    hy_bilirubin_from_times: Times
    grades_from_times: tuple[Times, Times, Times, Times]


class TbAltFigures(Sourced, frozen=True):
    stop_from_times_with_symptoms: Times
    stop_from_times: Times


class Fib4Figures(Sourced, frozen=True):
    low_below: Decimal
    high_above: Decimal


class ApriFigures(Sourced, frozen=True):
    fibrosis_above: Decimal
    cirrhosis_above: Decimal


class ChildPughFigures(Sourced, frozen=True):
    """Where two points begin and where they end, and from how many points a class is B or C."""

    bilirubin_mg_dl: tuple[Decimal, Decimal]
    albumin_g_dl: tuple[Decimal, Decimal]
    inr: tuple[Decimal, Decimal]
    b_from: int
    c_from: int


class ChildPughDosing(Sourced, frozen=True):
    a: Annotated[str, msgspec.Meta(min_length=1)] = msgspec.field(name="A")
    b: Annotated[str, msgspec.Meta(min_length=1)] = msgspec.field(name="B")
    c: Annotated[str, msgspec.Meta(min_length=1)] = msgspec.field(name="C")


class ViralLoadFigures(Sourced, frozen=True):
    """Copies per mL, and calendar months."""

    undetectable_below: int
    low_level: bool
    """Whether what lies between undetectable and failure is a finding of its own."""
    failure_above: int
    consecutive: int
    months_apart: tuple[int, int]
    repeat_after_months: int


class AdherenceFigures(Sourced, frozen=True):
    good_from: Decimal
    amber_from: Decimal


class Figures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything by which results are judged."""

    qtc: QtcFigures
    alt: AltFigures
    tb_alt: TbAltFigures
    fib4: Fib4Figures
    apri: ApriFigures
    child_pugh: ChildPughFigures
    child_pugh_dosing: ChildPughDosing
    viral_load: dict[str, ViralLoadFigures]
    adherence: AdherenceFigures


def document(name: str, *, room: str = "dispensary.monitoring") -> dict[str, Any]:
    """A document of a room as a table, its numbers exact."""
    text = files(room).joinpath("figures", f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text, parse_float=Decimal)


@lru_cache(maxsize=1)
def figures() -> Figures:
    """The figures that come with the program."""
    return msgspec.convert(document("findings"), Figures)
