"""What is found of one client, of everything that is known of their health on a day. Pure.

Each finding has a cause, under which an alert is open at most once, and the results that it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from dispensary.monitoring import adherence, heart, liver, viral
from dispensary.monitoring.adherence import Fill, Window
from dispensary.monitoring.analytes import Comparator
from dispensary.monitoring.findings import REFER, Finding, Severity
from dispensary.monitoring.heart import Formula
from dispensary.monitoring.interactions import known_as, substance_of
from dispensary.staff.rules import Role

ADHERENCE_DAYS = 90
"""Over how many days up to today refills are counted. A parameter of the product, not of medicine."""
SYMPTOMS, SYMPTOMS_NONE, SYMPTOMS_PRESENT = "liver_symptoms", "none", "present"
"""The test, and its choices, that say whether somebody has symptoms of a harmed liver."""
MAY_BE_QUIET = ("adherence", "alt", "apri", "fib-4", "qtc", "viral-load")
"""Rules whose warnings a site can do without: neither stops of medicines nor what moves methadone are among them."""
LIVER_TB_DRUGS = frozenset(("isoniazid", "rifampicin", "rifampin", "pyrazinamide", "rifater", "rifamate"))


@dataclass(frozen=True)
class Known:
    """One result that stands, in the unit that is kept."""

    id: UUID
    on: date
    number: Decimal | None = None
    comparator: Comparator = Comparator.EXACT
    choice: str = ""
    upper: Decimal | None = None
    panel: UUID | None = None
    formula: str = ""


@dataclass(frozen=True)
class Part:
    """A medicine of a treatment: its refills, and from which day to which it was part of it."""

    fills: Sequence[Fill]
    since: date
    until: date | None = None
    """The first day without it; nothing while it goes on."""


@dataclass(frozen=True)
class Running:
    """A treatment that goes on: since when, and its medicines, also those that were switched for others lately."""

    since: date
    parts: Mapping[str, Part] = field(default_factory=dict)


@dataclass(frozen=True)
class Supported:
    """Adherence support on a day."""

    id: UUID
    on: date


@dataclass(frozen=True)
class Health:
    """What is known of a client: the results of each test, the oldest first, and what they are treated with."""

    sex: str = ""
    age: int | None = None
    results: Mapping[str, Sequence[Known]] = field(default_factory=dict)
    treatments: Mapping[str, Running] = field(default_factory=dict)
    medicines: Sequence[str] = ()
    support: Sequence[Supported] = ()


@dataclass(frozen=True)
class Setting:
    """What the site judges by."""

    viral_load_version: str = viral.NEWEST
    adherence_from: Fraction | None = None
    quiet: frozenset[str] = frozenset()
    """Rules whose warnings open no alert here; what is urgent always does."""


@dataclass(frozen=True)
class Caused:
    """A finding, what an alert of it is about, who must act, and what it rests on."""

    cause: str
    role: Role
    finding: Finding
    evidence: tuple[str, ...]


def judge(health: Health, on: date, setting: Setting) -> list[Caused]:
    """Everything that the rules find, grave or not; a test that was never done finds nothing."""
    found = [*_liver(health), *_heart(health), *_viral(health, setting), *_adherence(health, on, setting)]
    return [each for each in found if each is not None]


def worth_an_alert(found: Sequence[Caused], quiet: frozenset[str] = frozenset()) -> list[Caused]:
    """Those on which somebody must act; of one cause, the gravest. Of `quiet` rules only what is urgent."""
    gravest: dict[str, Caused] = {}
    for each in found:
        least = Severity.URGENT if each.finding.kind in quiet else Severity.WARNING
        if each.finding.severity >= least and each.finding.finding != REFER:
            first = gravest.get(each.cause)
            if first is None or each.finding.severity > first.finding.severity:
                gravest[each.cause] = each
    return list(gravest.values())


def _last(health: Health, code: str) -> Known | None:
    results = health.results.get(code, ())
    return results[-1] if results else None


def _measured(known: Known) -> liver.Measured:
    return liver.Measured(known.on, known.number if known.number is not None else Decimal(0), known.upper)


def _liver(health: Health) -> list[Caused | None]:
    all_alt = [each for each in health.results.get("alt", ()) if each.number is not None]
    last = {code: _last(health, code) for code in ("ast", "bilirubin", "albumin", "inr", "platelets")}
    found: list[Caused | None] = []
    if all_alt:
        alt = all_alt[-1]
        found.append(_of("alt", liver.alt([_measured(each) for each in all_alt]), alt))
        bilirubin = last["bilirubin"]
        if bilirubin is not None and bilirubin.on == alt.on:
            found.append(_of("alt", liver.hy(_measured(alt), _measured(bilirubin)), alt, bilirubin))
        if "tb" in health.treatments and _harms_liver(health) and alt.on >= health.treatments["tb"].since:
            found.append(_tb_alt(health, alt))
        found += _scores(health, alt, last)
    return [*found, _child_pugh(health, last)]


def _harms_liver(health: Health) -> bool:
    """Whether somebody takes a TB medicine that can harm the liver, or anything of which nobody knows what is in it."""
    return any(substance_of(name) in LIVER_TB_DRUGS or not known_as(name) for name in health.medicines)


def _tb_alt(health: Health, alt: Known) -> Caused:
    """The ALT of TB medicines with what is known of symptoms.

    Symptoms go on until somebody says that there are none; that there are none is known only when it was asked on the
    day of the ALT or later, and since the treatment began.
    """
    last = _last(health, SYMPTOMS)
    asked = last is not None and last.on >= health.treatments["tb"].since
    if last is not None and asked and last.choice == SYMPTOMS_PRESENT:
        return _of("tb-alt", liver.tb_alt(_measured(alt), symptoms=True), alt, last)
    none = last is not None and asked and last.on >= alt.on
    return _of("tb-alt", liver.tb_alt(_measured(alt), symptoms=False if none else None), alt)


def _scores(health: Health, alt: Known, last: Mapping[str, Known | None]) -> list[Caused | None]:
    ast, platelets = last["ast"], last["platelets"]
    if ast is None or platelets is None or ast.on != alt.on or platelets.number is None or ast.number is None:
        return []
    found: list[Caused | None] = [_of("apri", liver.apri(_measured(ast), platelets.number), ast, platelets)]
    if health.age is not None and alt.number is not None:
        score = liver.fib4(age=health.age, ast=ast.number, alt_value=alt.number, platelets=platelets.number)
        found.append(_of("fib-4", score, alt, ast, platelets))
    return found


def _child_pugh(health: Health, last: Mapping[str, Known | None]) -> Caused | None:
    bilirubin, albumin, inr = last["bilirubin"], last["albumin"], last["inr"]
    ascites, mind = _last(health, "ascites"), _last(health, "encephalopathy")
    if bilirubin is None or albumin is None or inr is None or ascites is None or mind is None:
        return None
    if bilirubin.number is None or albumin.number is None or inr.number is None:
        return None
    finding = liver.child_pugh(
        bilirubin=bilirubin.number,
        albumin=albumin.number,
        inr=inr.number,
        ascites=liver.Ascites(ascites.choice),
        encephalopathy=liver.Encephalopathy(mind.choice),
    )
    return _of("child-pugh", finding, bilirubin, albumin, inr, ascites, mind)


def _heart(health: Health) -> list[Caused | None]:
    qt, reported = _last(health, "qt"), _last(health, "qtc")
    rate = None
    if qt is not None:
        rate = next((each for each in health.results.get("heart_rate", ()) if each.panel == qt.panel), None)
    if qt is not None and rate is not None and (reported is None or qt.on >= reported.on):
        return [_of("qtc", heart.qtc(qt_ms=qt.number, heart_rate=rate.number, sex=health.sex), qt, rate)]
    if reported is None:
        return []
    formula = Formula(reported.formula) if reported.formula else None
    finding = heart.qtc(reported_ms=reported.number, reported_by=formula, sex=health.sex)
    return [_of("qtc", finding, reported)]


def _viral(health: Health, setting: Setting) -> list[Caused | None]:
    results = [each for each in health.results.get("viral_load", ()) if each.number is not None]
    if not results:
        return []
    loads = [viral.ViralLoad(each.on, int(each.number or 0), each.comparator is Comparator.BELOW) for each in results]
    days = [each.on for each in health.support]
    finding = viral.viral_load(loads, version=setting.viral_load_version, support_on=days)
    if finding.severity is not Severity.URGENT:
        return [_of("viral-load", finding, results[-1], role=Role.NURSE)]
    since = date.fromisoformat(str(finding.figures["since"]))
    high = [each for each in results if each.on >= since]
    support = [str(each.id) for each in health.support if since <= each.on < results[-1].on]
    caused = _of("viral-load", finding, *high)
    return [replace(caused, evidence=(*caused.evidence, *sorted(support)))]


def _adherence(health: Health, on: date, setting: Setting) -> list[Caused | None]:
    found: list[Caused | None] = []
    for kind, running in health.treatments.items():
        window = Window(max(running.since, on - timedelta(days=ADHERENCE_DAYS)), on - timedelta(days=1))
        ran = {name: days for name, part in running.parts.items() if (days := _ran(part, window))}
        fills = {name: running.parts[name].fills for name in ran}
        if window.days < ADHERENCE_DAYS or not any(fills.values()):
            continue  # too short a time, or a treatment whose refills nobody writes down here
        finding = adherence.adherence(fills, window, good_from=setting.adherence_from, ran=ran)
        month = f"{on:%Y-%m}"  # asked about once a month, not at each day of a gap
        found.append(Caused(f"adherence {kind}", Role.NURSE, finding, (month,)))
    return found


def _ran(part: Part, window: Window) -> Window | None:
    return adherence.within(window, part.since, part.until)


def _of(cause: str, finding: Finding, *results: Known, role: Role = Role.DOCTOR) -> Caused:
    return Caused(cause, role, finding, tuple(sorted(str(each.id) for each in results)))
