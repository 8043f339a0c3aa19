"""All that is known of one client's health on a day, as the pages of those who treat show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from uuid import UUID

from dispensary.database import ReadSession
from dispensary.desks.next_time import NextTime, next_time
from dispensary.desks.record import Record
from dispensary.desks.trend import Trend, trend
from dispensary.monitoring.adherence import Fill, Window, covered_days, pdc_of_all, runs_out_on, within
from dispensary.monitoring.analytes import Analyte, analytes
from dispensary.monitoring.due import Due, When
from dispensary.monitoring.findings import Finding, Severity
from dispensary.monitoring.interactions import Burden, Moment, burden, interaction
from dispensary.monitoring.judged import ADHERENCE_DAYS, Caused, judge
from dispensary.monitoring.judging import due_of, rules_of, see, setting_of
from dispensary.monitoring.liver import trend_of
from dispensary.monitoring.models import Alert
from dispensary.monitoring.refills import refills_of
from dispensary.monitoring.result_models import HealthResult
from dispensary.monitoring.results import results_of
from dispensary.monitoring.support import support_of
from dispensary.monitoring.support_models import AdherenceSupport
from dispensary.monitoring.treatment_models import Medication, Refill, ScheduledLook, Treatment
from dispensary.monitoring.treatments import medicines_of, open_looks_of, treatments_of
from dispensary.staff.queries import Place
from dispensary.units import ClientId

GROUPS = ("liver", "heart", "hiv", "hepatitis", "tb", "drug test", "general")
"""The cards, in their order."""
_GROUP_OF_DUE = {"liver": "liver", "ecg": "heart"}
_GROUP_OF_FINDING = {
    **dict.fromkeys(("alt", "hy", "fib-4", "apri", "child-pugh"), "liver"),
    "qtc": "heart",
    "viral-load": "hiv",
    "tb-alt": "tb",
}
_ONLY_WHEN_MET = frozenset(("hy", "tb-alt"))
"""Findings that are said only when they hold: nobody is told of a rule that does not apply."""
_BY_LOG = frozenset(("viral_load", "hcv_rna"))
_LEADING = frozenset(("alt", "bilirubin", "qtc", "qt", "viral_load", "cd4", "hcv_rna"))
_ALWAYS = frozenset(("liver", "heart"))
RECENT = timedelta(days=90)
"""For so long a medicine that has stopped stays in the list."""


@dataclass(frozen=True)
class Measured:
    """A test with its results that stand, the oldest first."""

    analyte: Analyte
    results: Sequence[HealthResult]

    @property
    def last(self) -> HealthResult:
        return self.results[-1]

    @property
    def trend(self) -> Trend | None:
        """Its line over the last twelve results; nothing for a test without numbers."""
        values = [(each.taken_on, each.number) for each in self.results[-12:] if each.number is not None]
        return trend(values, upper=self.last.upper, by_log=self.analyte.code in _BY_LOG)

    @property
    def goes(self) -> str:
        """Where the last few values go, in a word of the liver's rules; empty for fewer than two."""
        values = [each.number for each in self.results if each.number is not None]
        return trend_of(values) if len(values) > 1 else ""


@dataclass(frozen=True)
class Group:
    """A card: what was measured, what is found of it, and what is due."""

    name: str
    measured: Sequence[Measured]
    findings: Sequence[Finding]
    due: Sequence[Due]

    @property
    def first(self) -> Sequence[Measured]:
        """The tests that stand on the card, of those that were done: by which this group is judged first."""
        leading = [each for each in self.measured if each.analyte.code in _LEADING]
        return (leading or self.measured)[:2]

    @property
    def lead(self) -> Finding | None:
        """What nobody measured and everybody asks for: the corrected QT, worked out of what was measured."""
        return next((each for each in self.findings if each.kind == "qtc" and "qt_ms" in each.figures), None)

    @property
    def rest(self) -> list[Measured]:
        return [each for each in self.measured if each not in self.first]

    @property
    def slight(self) -> list[Finding]:
        """Findings on which nobody must act."""
        return [each for each in self.findings if each.severity < Severity.WARNING and each is not self.lead]

    def unsaid(self, alerts: Sequence[Alert]) -> list[Finding]:
        """Findings to act on that no open alert says already."""
        told = {each.sentence for each in alerts}
        return [
            each
            for each in self.findings
            if each.severity >= Severity.WARNING and each.sentence not in told and each is not self.lead
        ]

    def is_foremost(self, today: date) -> bool:
        """Whether somebody should see it without opening anything: something is found or due, or it moves methadone."""
        return (
            self.name in _ALWAYS
            or self.severity > Severity.NONE
            or any(each.when(today) is not When.LATER for each in self.due)
        )

    @property
    def severity(self) -> Severity:
        return max((each.severity for each in self.findings), default=Severity.NONE)


@dataclass(frozen=True)
class Part:
    """A medicine that is or was taken: what it does with methadone, and, where it is refilled here, its cover."""

    medicine: Medication
    effects: Sequence[Finding]
    refills: Sequence[Refill]
    """The newest first."""
    window: Window | None
    """Over which of the days its cover is counted: those on which it was taken."""
    covered: int
    """Days of the window with medicine."""
    runs_out: date | None

    @property
    def unsaid(self) -> list[Finding]:
        """Its effects but for those that are counted over the whole list."""
        return [each for each in self.effects if each.finding not in ("sedation", "qt", "serotonin")]

    @property
    def fills(self) -> list[Fill]:
        return [Fill(each.on_day, each.days) for each in self.refills]


@dataclass(frozen=True)
class Course:
    """A treatment with the medicines of it that run."""

    treatment: Treatment
    parts: Sequence[Part]
    switched: Sequence[Part]
    """Medicines that were part of it lately: they count for the days on which they were."""
    window: Window | None
    """Over which days cover is counted; nothing on its first day."""

    @property
    def percent(self) -> int | None:
        """Of a hundred days, on how many all of it was there; nothing where no refill is written down here."""
        counted = {part.medicine.id: part for part in (*self.parts, *self.switched) if part.window}
        if self.window is None or not any(part.refills for part in counted.values()):
            return None
        share = pdc_of_all(
            {str(id_): part.fills for id_, part in counted.items()},
            self.window,
            ran={str(id_): part.window for id_, part in counted.items() if part.window},
        )
        return (share * 100 + Fraction(1, 2)).__floor__()

    @property
    def least_covered(self) -> int:
        """Days with the medicine that was there least: those of the others are told only where they differ."""
        return min((part.covered for part in self.parts if part.refills), default=0)

    @property
    def runs_out(self) -> date | None:
        """The first day without one of its medicines, of those that are refilled here."""
        return min((part.runs_out for part in self.parts if part.runs_out), default=None)

    @property
    def last_day(self) -> date | None:
        """The last day with all of it."""
        return self.runs_out - timedelta(days=1) if self.runs_out else None

    def is_late(self, today: date) -> bool:
        return self.runs_out is not None and self.runs_out <= today


@dataclass(frozen=True)
class HealthRecord:
    """One client's health on a day."""

    groups: Sequence[Group]
    """Those with anything to say."""
    courses: Sequence[Course]
    alone: Sequence[Part]
    """Medicines that run and are part of no treatment."""
    stopped: Sequence[Medication]
    """Medicines that stopped lately."""
    earlier: Sequence[Medication]
    """Medicines that stopped before that."""
    ended: Sequence[Treatment]
    """Treatments that have ended."""
    looks: Sequence[ScheduledLook]
    adds_up: Burden
    due: Sequence[Due]
    next_time: NextTime
    medicine_names: Mapping[UUID, str]
    support: Sequence[AdherenceSupport]
    stops: Sequence[Alert]
    """Open alerts of medicines that have stopped, by which methadone changes back."""
    today: date

    @property
    def looks_by_why(self) -> dict[str, list[ScheduledLook]]:
        """The days to look, by the effect that is looked for, the earliest first."""
        found: dict[str, list[ScheduledLook]] = {}
        for each in self.looks:
            found.setdefault(each.why, []).append(each)
        return found

    @property
    def moving(self) -> list[Finding]:
        """What the medicines that run do to methadone, the gravest first; what adds up stands in the sums."""
        effects = [each for part in self.parts for each in part.unsaid if each.finding != "unknown"]
        return sorted(effects, key=lambda each: -each.severity)

    @property
    def foremost(self) -> list[Group]:
        """What stands open on the page, the gravest first."""
        shown = [each for each in self.groups if each.is_foremost(self.today)]
        return sorted(shown, key=lambda each: -each.severity)

    @property
    def last_support(self) -> AdherenceSupport | None:
        """The newest that was not taken back."""
        return next((each for each in self.support if each.voided_at is None), None)

    @property
    def others(self) -> list[Group]:
        return [each for each in self.groups if not each.is_foremost(self.today)]

    @property
    def parts(self) -> list[Part]:
        """All medicines that run."""
        return [part for course in self.courses for part in course.parts] + list(self.alone)

    def course(self, kind: str) -> Course | None:
        return next((each for each in self.courses if each.treatment.kind == kind), None)

    def group(self, name: str) -> Group | None:
        return next((each for each in self.groups if each.name == name), None)


def read_health(session: ReadSession, *, place: Place, record: Record, now: datetime) -> HealthRecord:
    """The health of the client whose record is open. Only for pages of those who treat."""
    client_id, today = ClientId(record.client.id), record.today
    seen = see(session, site_id=place.id, on=today, client_ids=[client_id]).get(client_id)
    setting = setting_of(session, site_id=place.id)
    due = due_of(seen, rules_of(session, site_id=place.id)) if seen else []
    caused = judge(seen.health, today, setting) if seen else []
    medicines = medicines_of(session, client_id=client_id)
    running = [each for each in medicines if each.stopped_on is None]
    refills = refills_of(session, client_id=client_id)
    courses, part_of = [], set()
    treatments = treatments_of(session, client_id=client_id)
    for treatment in treatments:
        if treatment.stopped_on is None:
            window = _window(treatment.started_on, today)
            own = [part_of_list(each, refills, window) for each in medicines if each.treatment_id == treatment.id]
            runs = [part for part in own if part.medicine.stopped_on is None]
            part_of |= {part.medicine.id for part in runs}
            switched = [part for part in own if part.medicine.stopped_on is not None and part.window]
            courses.append(Course(treatment, runs, switched, window))
    return HealthRecord(
        groups=_groups(results_of(session, client_id=client_id), caused, due),
        courses=courses,
        alone=[part_of_list(each, (), None) for each in running if each.id not in part_of],
        stopped=[each for each in medicines if each.stopped_on is not None and each.stopped_on >= today - RECENT],
        earlier=[each for each in medicines if each.stopped_on is not None and each.stopped_on < today - RECENT],
        ended=[each for each in treatments if each.stopped_on is not None],
        looks=open_looks_of(session, client_id=client_id),
        adds_up=burden([each.substance for each in running]),
        due=due,
        next_time=next_time(
            session,
            place=place,
            client_id=client_id,
            waiting=record.window.waiting,
            first_free=record.first_free_day,
            earliest=today,
            now=now,
        ),
        medicine_names={each.id: each.substance for each in medicines},
        support=support_of(session, client_id=client_id),
        stops=[each for each in record.window.alerts if each.rule == "interaction" and each.cause.startswith("stop ")],
        today=today,
    )


def _window(since: date, today: date) -> Window | None:
    window = Window(max(since, today - timedelta(days=ADHERENCE_DAYS)), today - timedelta(days=1))
    return window if window.days > 0 else None


def part_of_list(medicine: Medication, refills: Sequence[Refill], window: Window | None) -> Part:
    """A medicine as the list shows it, with those of the refills that are of it."""
    own = [each for each in refills if each.medication_id == medicine.id]
    fills = [Fill(each.on_day, each.days) for each in own]
    window = within(window, medicine.started_on, medicine.stopped_on) if window else None
    return Part(
        medicine=medicine,
        effects=[each for each in interaction(medicine.substance, Moment.START) if each.severity > Severity.NONE],
        refills=list(reversed(own)),
        window=window,
        covered=len(covered_days(fills, window)) if window else 0,
        runs_out=runs_out_on(fills),
    )


def _groups(results: Sequence[HealthResult], caused: Sequence[Caused], due: Sequence[Due]) -> list[Group]:
    by_test: dict[str, list[HealthResult]] = {}
    for each in reversed(results):
        by_test.setdefault(each.analyte, []).append(each)
    known = analytes()
    made = []
    for name in GROUPS:
        group = Group(
            name=name,
            measured=[
                Measured(each, by_test[code]) for code, each in known.items() if each.group == name and code in by_test
            ],
            findings=[
                each.finding
                for each in caused
                if _GROUP_OF_FINDING.get(each.finding.kind) == name
                and (each.finding.severity > Severity.NONE or each.finding.kind not in _ONLY_WHEN_MET)
            ],
            due=[each for each in due if group_of_test(each.test) == name],
        )
        if group.measured or group.due:
            made.append(group)
    return made


def group_of_test(test: str) -> str:
    """The card on which a test that is due stands."""
    return _GROUP_OF_DUE.get(test) or analytes()[test].group
