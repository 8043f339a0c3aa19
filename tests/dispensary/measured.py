"""What the tests of measures share: a question, its figures, imported days and records of health."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from dispensary.database import Database
from dispensary.evaluation.answering import Answer, answer, ask
from dispensary.evaluation.measures import measure
from dispensary.evaluation.queries import Period
from dispensary.monitoring.refills import refill
from dispensary.monitoring.results import Measurement, enter_results
from dispensary.monitoring.service import note_condition
from dispensary.monitoring.treatments import medicines_of, start_treatment, stop_treatment
from dispensary.staff.queries import sites
from dispensary.staff.rules import the_program
from dispensary.supplies.dose_files import DoseLine, Reading
from dispensary.supplies.history import import_doses
from dispensary.units import ClientId, DoseDay, milligrams
from tests.builders import Clinic

START = date(2026, 1, 10)
YEAR = Period(date(2026, 1, 1), date(2027, 1, 1))


def asked(
    here: Clinic,
    key: str,
    *,
    by: tuple[str, ...] = (),
    least: int = 1,
    period: Period = YEAR,
    as_of: datetime | None = None,
    **typed: str,
) -> Answer:
    with here.database.reading() as session:
        question = ask(
            measure(key),
            places=sites(session),
            period=period,
            as_of=as_of or here.now,
            now=here.now,
            by=by,
            typed=typed,
            least=least,
        )
        return answer(session, question)


def what_is_counted(database: Database) -> list[Sequence[object]]:
    """Every row of the facts, in order."""
    with database.reading() as session:
        return [
            tuple(row)
            for table in ("fact_client", "fact_gap", "fact_month")
            for row in session.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2"))
        ]


def figures(found: Answer) -> dict[str, tuple[str, str]]:
    """Numerator and denominator of everybody, by indicator."""
    return {
        row.indicator: (f"{row.numerator}", f"{row.denominator}") for row in found.rows if set(row.strata) <= {"all"}
    }


def history(here: Clinic, *stretches: tuple[str, int, int], mg: str = "80") -> None:
    """Imported doses: a client, the first day and the day after the last, counted from the 10th of January."""
    days = [(number, day) for number, first, end in stretches for day in range(first, end)]
    lines = tuple(
        DoseLine(n, number, DoseDay(START + timedelta(days=day)), milligrams(mg))
        for n, (number, day) in enumerate(days, start=2)
    )
    with here.database.writing() as session:
        import_doses(session, actor=the_program(here.site_id), reading=Reading(lines, (), {}, 0), at=here.now)


def treat(here: Clinic, client: ClientId, kind: str, *, ago: int, of: tuple[str, ...] = ("dolutegravir",)) -> UUID:
    """A treatment that began so many days ago."""
    with here.database.writing() as session:
        return start_treatment(
            session,
            actor=here.doctor,
            client_id=client,
            kind=kind,
            substances=of,
            started_on=here.today - timedelta(days=ago),
            today=here.today,
            at=here.now,
        ).id


def stop(here: Clinic, treatment: UUID, *, ago: int) -> None:
    with here.database.writing() as session:
        stop_treatment(
            session,
            actor=here.doctor,
            treatment_id=treatment,
            stopped_on=here.today - timedelta(days=ago),
            reason="finished",
            today=here.today,
            at=here.now,
        )


def fill(here: Clinic, client: ClientId, *, ago: int, days: int, of: str = "") -> None:
    """A refill of every medicine of the client, or of one, so many days ago."""
    with here.database.writing() as session:
        for medicine in medicines_of(session, client_id=client):
            if not of or medicine.name == of:
                refill(
                    session,
                    actor=here.pharmacist,
                    medication_id=medicine.id,
                    on=here.today - timedelta(days=ago),
                    days=days,
                    key=f"{medicine.id}-{ago}",
                    today=here.today,
                    at=here.now,
                )


def measured_as(here: Clinic, client: ClientId, analyte: str, value: str, *, ago: int = 0, unit: str = "") -> None:
    with here.database.writing() as session:
        enter_results(
            session,
            actor=here.doctor,
            client_id=client,
            taken_on=here.today - timedelta(days=ago),
            measurements=[Measurement(analyte, value, unit=unit)],
            key=f"{analyte}-{ago}",
            today=here.today,
            at=here.now,
            sure=True,
        )


def has(here: Clinic, client: ClientId, kind: str, *, ago: int = 400) -> None:
    """A condition that was noted so many days ago."""
    with here.database.writing() as session:
        note_condition(
            session,
            actor=here.doctor,
            client_id=client,
            kind=kind,
            noted_on=here.today - timedelta(days=ago),
            at=here.now,
        )
