"""Reading a programme's folder: strictly, every mistake with its file, its table, what is wrong and what to do."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from dispensary.care.own_documents import KINDS, read_own
from dispensary.documents import BadDocument
from dispensary.evaluation.measures import measures
from dispensary.programmes.acts import acts
from dispensary.programmes.shapes import (
    ActTable,
    AreaTable,
    Count,
    GroupTable,
    Head,
    NamesTable,
    PaperTable,
    Programme,
    SiteTable,
    Spread,
    Who,
)
from dispensary.published.figures import figures
from dispensary.published.shapes import Published, Words
from dispensary.words import SOURCE, on_screens

FILES = ("programme.toml", "records.toml", "published.toml")
WORDS = "words.toml"
"""May be left out: the words of the programme in other languages."""
CARE = "care.toml"
"""May be left out: schedules of sessions, offers and pathways of the programme's own."""
_ACT = {"act": str, "day": int | str | Spread, "who": Who, "times": Count, "apart": Count}
_SITES_ACT = {**_ACT, "site": str, "count": Count}
_ENROLLED = re.compile(r"enrolled(?:\+(\d{1,4}))?")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`(?: - at `\$\.?(.*)`)?")
_MISSING = re.compile(r"Object missing required field `(.+?)`(?: - at `\$\.?(.*)`)?")
_OTHER = re.compile(r"(.+?)(?: - at `\$\.?(.*)`)?")
Kind = TypeVar("Kind")


class BadProgramme(ValueError):
    """A programme that cannot be built. `problems` names each thing that is wrong, and what to do about it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def shipped() -> tuple[str, ...]:
    """The programmes that come with the program, by their folders' names."""
    found = files("dispensary.programmes").iterdir()
    return tuple(sorted(each.name for each in found if each.is_dir() and each.joinpath(FILES[0]).is_file()))


def read_programme(name: str) -> Programme:
    """A programme that comes with the program, by its name, or one's own, by its folder. Raises BadProgramme."""
    if name in shipped():
        return _read(files("dispensary.programmes").joinpath(name), name)
    folder = Path(name)
    if not folder.is_dir():
        known = ", ".join(shipped())
        raise BadProgramme([f"There is no programme and no folder “{name}”. Those that come with it: {known}."])
    return _read(folder, folder.resolve().name)


def read_place(name: str) -> Programme:
    """The place of one's own folder alone, to open a clinic by: nobody of its records, and no figure of it.

    Its other files may be there or not. Raises BadProgramme, also for a programme that comes with the program: its
    staff are invented.
    """
    if name in shipped():
        told = f"“{name}” comes with the program, and its staff are invented"
        raise BadProgramme([f"{told}. Copy its folder, and write into it who works there."])
    if not Path(name).is_dir():
        raise BadProgramme([f"There is no folder “{name}”. Name the one that has your {FILES[0]}."])
    return _read(Path(name), Path(name).resolve().name, only=FILES[:1])


def _read(folder: Traversable, key: str, *, only: Sequence[str] = FILES) -> Programme:
    reading = _Reading()
    place, records, published = (reading.file(folder, name) if name in only else {} for name in FILES)
    programme = Programme(
        key=key,
        head=reading.one("programme.toml", "[programme]", place.pop("programme", {}), Head, _NO_HEAD),
        areas=reading.several("programme.toml", "area", place, AreaTable),
        sites=reading.several("programme.toml", "site", place, SiteTable),
        names={
            language: reading.one("programme.toml", f"[names.{language}]", table, NamesTable, _NO_NAMES)
            for language, table in reading.table("programme.toml", "names", place).items()
        },
        paper=(
            reading.one("programme.toml", "[paper]", place.pop("paper"), PaperTable, None) if "paper" in place else None
        ),
        care=reading.care(folder),
        groups=(groups := reading.several("records.toml", "group", records, GroupTable)),
        group_acts={
            group.name: tuple(
                reading.act(f"group “{group.name}”, act {n}", table, _ACT)[2] for n, table in enumerate(group.act, 1)
            )
            for group in groups
        },
        acts=tuple(
            reading.act(f"act {n}", table, _SITES_ACT)
            for n, table in enumerate(reading.tables("records.toml", "act", records), 1)
        ),
        published=reading.several("published.toml", "figure", published, Published),
        words=reading.words(folder) if only is FILES else {},
    )
    for name, rest in zip(FILES, (place, records, published), strict=True):
        for word in rest:
            reading.wrong(name, f"[{word}]", "this table means nothing here", "take it out, or correct its name")
    if not reading.problems:
        reading.problems += _faults(programme)
    if reading.problems:
        raise BadProgramme(reading.problems)
    return programme


_NO_HEAD = Head(title="-", says="-", source="-", opened=0)
_NO_NAMES = NamesTable(women=(), men=(), families=())
_NO_ACT = ActTable(act="", day=0, who=Who(), times=1, apart=1, details=None, where="")


class _Reading:
    """Reads tables, and keeps every problem."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def wrong(self, file: str, table: str, what: str, todo: str) -> None:
        self.problems.append(f"{file}, {table}: {what}. {todo[0].upper()}{todo[1:]}.")

    def file(self, folder: Traversable, name: str) -> dict[str, Any]:
        path = folder.joinpath(name)
        if not path.is_file():
            self.wrong(
                name, "the file", "it is not in the folder", f"make it beside the other two of {', '.join(FILES)}"
            )
            return {}
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as reason:
            self.wrong(name, "the file", f"it is not TOML: {reason}", "correct the line")
            return {}

    def table(self, file: str, key: str, tables: dict[str, Any]) -> Mapping[str, Any]:
        found = tables.pop(key, {})
        if isinstance(found, dict):
            return found
        self.wrong(file, f"[{key}]", "it is no table", f"write [{key}] on a line of its own, and its keys below")
        return {}

    def words(self, folder: Traversable) -> Mapping[str, Mapping[str, str]]:
        read = self.file(folder, WORDS) if folder.joinpath(WORDS).is_file() else {}
        try:
            return msgspec.convert(read, dict[str, dict[str, Words]])
        except msgspec.ValidationError:
            self.wrong(
                WORDS, "the file", "it is no table of words", "write [ms], and below it “words” = “what is said”"
            )
            return {}

    def care(self, folder: Traversable) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """Its own schedules, offers and pathways, as far as they can be used; every problem of them is kept."""
        read = self.file(folder, CARE) if folder.joinpath(CARE).is_file() else {}
        found = {kind: tuple(self.tables(CARE, kind, read)) for kind in KINDS}
        for word in read:
            self.wrong(CARE, f"[{word}]", "this table means nothing here", f"write [[{']], [['.join(KINDS)}]]")
        try:
            read_own(found)
        except BadDocument as bad:
            for problem in bad.problems:
                self.problems.append(f"{CARE}: {problem}")
        return found

    def tables(self, file: str, key: str, tables: dict[str, Any]) -> Sequence[Mapping[str, Any]]:
        found = tables.pop(key, [])
        if isinstance(found, list) and all(isinstance(each, dict) for each in found):
            return found
        self.wrong(file, f"[[{key}]]", "it is no list of tables", f"write [[{key}]] before each of them")
        return []

    def several(self, file: str, key: str, tables: dict[str, Any], kind: type[Kind]) -> tuple[Kind, ...]:
        read = []
        for n, table in enumerate(self.tables(file, key, tables), 1):
            named = next((table[each] for each in ("code", "name", "key") if each in table), n)
            found = self.one(file, f"[[{key}]] {named}", table, kind, None)
            if found is not None:
                read.append(found)
        return tuple(read)

    def one(self, file: str, where: str, table: object, kind: type[Kind], otherwise: Kind | None) -> Kind:
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as reason:
            self.wrong(file, where, *_in_words(str(reason), kind))
            return otherwise  # type: ignore[return-value]

    def act(self, where: str, table: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[str, int, ActTable]:
        """The site, the count, and the act; what the act itself takes is read as it has it."""
        words = {key: value for key, value in table.items() if key not in own}
        name = table.get("act", "")
        kind = acts().get(name)
        said = f"{where} (“{name}”)"
        if kind is None:
            self.wrong("records.toml", where, f"there is no act “{name}”", f"choose one of {', '.join(acts())}")
            return "", 1, _NO_ACT
        frame: dict[str, Any] = {}
        for key, shape in own.items():
            if key not in table:
                continue
            try:
                frame[key] = msgspec.convert(table[key], shape)
            except msgspec.ValidationError as reason:
                what, todo = _in_words(str(reason), Spread if key == "day" else Who)
                self.wrong("records.toml", said, f"{key}: {what}", todo)
        day = frame.get("day")
        if day is None and "day" not in table:
            self.wrong("records.toml", said, "it has no day", "say how many days ago it was")
        if isinstance(day, str) and (not _ENROLLED.fullmatch(day) or "site" in own):
            self.wrong("records.toml", said, f"“{day}” is no day", "write a number of days ago, or “enrolled+14”")
        details = self.one("records.toml", said, words, kind, None)
        return (
            frame.get("site", ""),
            frame.get("count", 1),
            ActTable(
                act=name,
                day=day if day is not None else 0,
                who=frame.get("who", Who()),
                times=frame.get("times", 1),
                apart=frame.get("apart", 1),
                details=details,
                where=said,
            ),
        )


def after_enrolment(day: str) -> int:
    """How many days after enrolment `enrolled+14` says."""
    found = _ENROLLED.fullmatch(day)
    assert found is not None, "it was read before"
    return int(found[1] or 0)


def _in_words(reason: str, kind: type) -> tuple[str, str]:
    """What is wrong and what to do, as a person reads it, of what msgspec said."""
    if found := _UNKNOWN.fullmatch(reason):
        known = ", ".join(_fields_at(kind, found[2] or ""))
        return f"“{found[1]}”{_within(found[2])} means nothing here", f"it knows {known}" if known else "take it out"
    if found := _MISSING.fullmatch(reason):
        return f"“{found[1]}”{_within(found[2])} is missing", "add it"
    found = _OTHER.fullmatch(reason)
    assert found is not None, "anything fits"
    said = found[1].replace("`", "").rstrip(".")
    at = f"{found[2]}: " if found[2] else ""
    choices = _choices_at(kind, found[2] or "")
    return f"{at}{said[0].lower()}{said[1:]}", f"choose one of {', '.join(choices)}" if choices else "correct it"


def _within(path: str | None) -> str:
    return f" in {path}" if path else ""


def _fields_at(kind: Any, path: str) -> Sequence[str]:
    """The keys that a table knows, where it stands within another one."""
    for part in _parts(path):
        kind = _inner(_fields(kind).get(part), msgspec.Struct)
    return tuple(_fields(kind))


def _choices_at(kind: Any, path: str) -> Sequence[str]:
    """The words that can be chosen at a place of a table; nothing where anything may stand there."""
    *above, last = _parts(path) or ("",)
    for part in above:
        kind = _inner(_fields(kind).get(part), msgspec.Struct)
    chosen = _inner(_fields(kind).get(last), StrEnum)
    return tuple(chosen) if chosen else ()


def _parts(path: str) -> Sequence[str]:
    return [part for part in re.split(r"[.\[\]]+", path) if part and not part.isdigit()]


def _fields(kind: Any) -> Mapping[str, Any]:
    return {each.encode_name: each.type for each in msgspec.structs.fields(kind)} if kind else {}


def _inner(shape: Any, of: type) -> Any:
    """The table or the list of words that a shape is, or has as a part."""
    if isinstance(shape, type) and issubclass(shape, of):
        return shape
    return next((found for part in get_args(shape) if (found := _inner(part, of)) is not None), None)


def _faults(programme: Programme) -> Iterator[str]:
    """What is wrong between the tables."""
    sites = {site.code for site in programme.sites}
    areas = {area.code for area in programme.areas}
    if not sites:
        yield "programme.toml, [[site]]: there is no site. Add one."
    for code in _twice([*(site.code for site in programme.sites), *areas]):
        yield f"programme.toml, [[site]] {code}: the code is there twice. Give each its own."
    for username in _twice([each.username for site in programme.sites for each in site.staff]):
        yield f"programme.toml, [[site.staff]]: the account {username} is there twice. Give each person their own."
    for area in programme.areas:
        if area.parent and area.parent not in areas:
            yield f"programme.toml, [[area]] {area.code}: “{area.parent}” is no area. Write the area before it."
    for site in programme.sites:
        if site.parent not in areas | (sites - {site.code}):
            yield f"programme.toml, [[site]] {site.code}: it lies in “{site.parent}”, which is nowhere. Add the area."
        if site.policy is None and site.parent not in sites and not programme.head.take_home:
            where = f"programme.toml, [[site]] {site.code}"
            yield f"{where}: it follows no policy. Add `policy`, or say by `take_home` of [programme] how it is then."
    for name in _twice([group.name for group in programme.groups]):
        yield f"records.toml, [[group]] {name}: the name is there twice. Give each group its own."
    for prefix in _twice([f"{group.site} {group.prefix}" for group in programme.groups]):
        yield f"records.toml, [[group]]: two groups number their people alike ({prefix}). Give each its own prefix."
    for group in programme.groups:
        if group.site not in sites:
            where = f"records.toml, [[group]] {group.name}"
            yield f"{where}: there is no site “{group.site}”. Choose one of {_said(sites)}."
        if group.women > group.count:
            yield f"records.toml, [[group]] {group.name}: there are more women than people. Correct either."
    for code, _, act in programme.acts:
        if code not in sites and act.act:
            yield f"records.toml, {act.where}: there is no site “{code}”. Choose one of {_said(sites)}."
    for key in _twice([each.key for each in programme.published]):
        yield f"published.toml, [[figure]] {key}: the key is there twice. Give each its own."
    for figure in programme.published:
        yield from _faults_of(figure, sites)
    said = programme.publication.to_be_spoken()
    spoken = set(on_screens()) - {SOURCE}
    for language, words in programme.words.items():
        if language not in spoken:
            yield f"{WORDS}, [{language}]: no screen is read in “{language}”. Choose one of {_said(spoken)}."
        for word in words.keys() - said:
            yield f"{WORDS}, [{language}]: “{word}” is not said by the programme. Write it as the other files have it."


def _faults_of(figure: Published, sites: set[str]) -> Iterator[str]:
    where = f"published.toml, [[figure]] {figure.key}"
    answered = [bool(figure.measure), bool(figure.figure), bool(figure.not_from_records)]
    if sum(answered) != 1:
        yield f"{where}: nothing of ours answers it, or two things do. Write one of measure, figure, not_from_records."
    if figure.figure and figure.figure not in figures():
        yield f"{where}: there is no figure “{figure.figure}”. Choose one of {', '.join(figures())}."
    if figure.measure:
        yield from _faults_of_measure(figure, where)
    if figure.part not in ("value", "numerator", "denominator"):
        yield f"{where}: “{figure.part}” is no part. Write value, numerator or denominator."
    for code in figure.sites:
        if code not in sites:
            yield f"{where}: there is no site “{code}”. Choose one of {_said(sites)}."


def _faults_of_measure(figure: Published, where: str) -> Iterator[str]:
    chosen = measures().get(figure.measure)
    if chosen is None:
        yield f"{where}: there is no measure “{figure.measure}”. Choose one of {_said(set(measures()))}."
        return
    known = {
        "indicator": {each.key for each in chosen.indicators},
        "split": {*chosen.strata, *(each.key for each in chosen.own_strata)},
        "parameter": {each.key for each in chosen.parameters},
    }
    asked = (("indicator", figure.indicator), *(("split", key) for key in figure.split))
    for kind, word in (*asked, *(("parameter", key) for key in figure.parameters)):
        if word not in known[kind]:
            yield f"{where}: {chosen.key} has no {kind} “{word}”. Choose one of {_said(known[kind]) or 'none'}."


def _twice(words: Sequence[str]) -> list[str]:
    return sorted({word for word in words if words.count(word) > 1})


def _said(words: set[str]) -> str:
    return ", ".join(sorted(words))
