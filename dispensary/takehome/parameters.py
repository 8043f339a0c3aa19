"""The figures that a policy leaves to whoever adopts it: named in its document, set in another version of it. Pure.

A document says `"$name"` where a figure belongs, and `${name}` in a sentence that names it, and describes it under
[[parameters]]. Until each has a value under [values] the document is a draft, which answers nothing but “refer to the
prescriber”.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dispensary.documents import BadDocument, Reader, toml_table

Value = int | Decimal | str
_NAME = re.compile(r"\$([a-z][a-z0-9_]*)")
_IN_WORDS = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")
_UNSET = "…"
_LARGEST = 36_500


@dataclass(frozen=True)
class Parameter:
    """A figure, or one of some words, that a site must set before a policy answers."""

    name: str
    text: str
    unit: str
    least: int
    most: int
    """The bounds in which a site may set it: against slips of the pen, no recommendation."""
    choices: tuple[str, ...]
    """The words to choose from, the strictest first; empty for a figure."""
    source: str
    value: Value | None

    def fault(self, value: object) -> str | None:
        """What is wrong with a value, as a person reads it; nothing when it may be set."""
        if self.choices:
            return None if value in self.choices else f"{self.name} is one of {', '.join(self.choices)}"
        is_number = type(value) is int or (isinstance(value, Decimal) and value.is_finite())
        if not is_number or not self.least <= Decimal(str(value)) <= self.most:
            return f"{self.name} is a number from {self.least} to {self.most}"
        return None


def take_parameters(table: Mapping[str, object]) -> tuple[dict[str, object], tuple[Parameter, ...], list[str]]:
    """A document's table with each `"$name"` replaced, its parameters, and what is wrong with them.

    Where a parameter has no value, the key that would hold it is left out, and a sentence has a gap.
    """
    rest = {key: value for key, value in table.items() if key not in ("parameters", "values")}
    reader = Reader({key: table[key] for key in ("parameters", "values") if key in table}, "the policy")
    parts = list(reader.parts("parameters", "parameter"))
    values = reader.take("values") or {}
    if not isinstance(values, dict):
        reader.problem("needs a table [values]")
        values = {}
    parameters = tuple(_parameter(part, values) for part in parts)
    named = {parameter.name: parameter for parameter in parameters}
    used = set(_used(rest))
    problems = [*reader.all_problems(), *_problems(parameters, values, used)]
    return _filled(rest, {name: one.value for name, one in named.items()}), parameters, problems


def fill(document: str, values: Mapping[str, Value], *, policy: str, version: str, title: str, set_by: str) -> str:
    """Another document: the same policy with every parameter set, under a name and version of the site's own.

    `set_by` says who answers for the figures. Raises BadDocument when a value is missing or out of its bounds, or when
    the document is not written as the shipped ones are.
    """
    table = toml_table(document)
    _, parameters, problems = take_parameters(table)
    for parameter in parameters:
        fault = parameter.fault(values[parameter.name]) if parameter.name in values else f"{parameter.name} is not set"
        problems += [f"{fault}."] if fault else []
    problems += [f"There is no parameter {name}." for name in sorted(set(values) - {one.name for one in parameters})]
    if problems:
        raise BadDocument(problems)
    head = {"policy": policy, "version": version, "title": title, "status": "active", "values_set_by": set_by}
    filled = _with_head(document.split("\n[values]\n")[0].rstrip("\n"), head)
    lines = [f"{one.name} = {_written(values[one.name])}" for one in parameters]
    filled += "\n\n[values]\n" + "\n".join(lines) + "\n"
    if toml_table(filled) != {**table, **head, "values": dict(values)}:
        raise BadDocument(["The document is not written so that its parameters can be set: write a version by hand."])
    return filled


def _parameter(reader: Reader, values: Mapping[str, object]) -> Parameter:
    name = reader.text("name")
    least, most = reader.whole("least", 0, _LARGEST), reader.whole("most", 0, _LARGEST)
    choices = reader.words("choices")
    if not choices and (least is None or most is None or least > most):
        reader.problem("needs choices, or least and most")
    if name and not _NAME.fullmatch(f"${name}"):
        reader.problem(f"has a name that is no plain word: {name}")
    parameter = Parameter(
        name=name,
        text=reader.text("text"),
        unit=reader.text("unit", required=False),
        least=least or 0,
        most=_LARGEST if most is None else most,
        choices=choices,
        source=reader.text("source"),
        value=None,
    )
    value = values.get(name)
    if value is None:
        return parameter
    fault = parameter.fault(value)
    if fault:
        reader.problem(f"has a value that it cannot have: {fault}")
        return parameter
    assert isinstance(value, int | Decimal | str), "it has no fault"
    return Parameter(**{**vars(parameter), "value": value})


def _problems(parameters: Sequence[Parameter], values: Mapping[str, object], used: set[str]) -> Iterator[str]:
    names = [parameter.name for parameter in parameters]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"Two parameters are called “{name}”."
    for name in sorted(used - set(names)):
        yield f"The policy uses ${name}, which no parameter describes."
    for name in sorted(set(names) - used):
        yield f"Parameter “{name}” is used nowhere."
    for name in sorted(set(values) - set(names)):
        yield f"There is a value for {name}, which is no parameter."


def _used(value: object) -> Iterator[str]:
    if isinstance(value, str):
        found = _NAME.fullmatch(value)
        yield from [found[1]] if found else _IN_WORDS.findall(value)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _used(each)
    elif isinstance(value, list):
        for each in value:
            yield from _used(each)


def _filled(table: Mapping[str, object], values: Mapping[str, Value | None]) -> dict[str, object]:
    filled: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, str) and (found := _NAME.fullmatch(value)):
            if values.get(found[1]) is not None:
                filled[key] = values[found[1]]
        elif isinstance(value, str):
            filled[key] = _IN_WORDS.sub(lambda found: str(values.get(found[1]) or _UNSET), value)
        elif isinstance(value, dict):
            filled[key] = _filled(value, values)
        elif isinstance(value, list):
            filled[key] = [_filled(each, values) if isinstance(each, dict) else each for each in value]
        else:
            filled[key] = value
    return filled


def _with_head(document: str, head: Mapping[str, str]) -> str:
    """The document with these keys of its head, which stand one a line before its first table."""
    begins = re.search(r"^\[", document, re.MULTILINE)
    at = begins.start() if begins else len(document)
    before, after = document[:at], document[at:]
    for key, value in head.items():
        line = f"{key} = {_written(value)}"
        known = re.search(rf"^{key} = .*$", before, re.MULTILINE)
        before = before[: known.start()] + line + before[known.end() :] if known else f"{before.rstrip()}\n{line}\n\n"
    return before + after


def _written(value: Value) -> str:
    """A value as TOML: its strings are those of JSON, but for one character that JSON leaves as it is."""
    return (
        str(value) if not isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    )
