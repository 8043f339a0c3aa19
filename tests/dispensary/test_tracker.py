"""Treatment for DHIS2's tracker: the documented form to the letter, the figures of the rows, and nobody's name."""

# ruff: noqa: N815 - names as DHIS2 has them

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from dispensary.cli import main
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database
from dispensary.evaluation.crowds import OPEN, SHIELDED, Shield
from dispensary.evaluation.queries import Period
from dispensary.evaluation.tracker import Sent, export_tracker, read_tracker_mapping
from dispensary.refusals import BadInput
from dispensary.staff.queries import sites
from tests.builders import Clinic, clinic
from tests.dispensary.measured import START, YEAR, history

MAPPING = """
program = "OAMT"
trackedEntityType = "CLIENT"
[orgUnits]
HRP = "MY_KL_HRP"
untold = "MY"
[attributes]
sex = "SEX"
entry_year = "ENTRY_YEAR"
[month]
programStage = "FOUR_WEEKS"
[month.dataElements]
days_ordered = "DAYS_ORDERED"
days_covered = "DAYS_COVERED"
mg_ordered = "MG"
[exit]
programStage = "EXIT"
reason = "EXIT_REASON"
"""

Uid = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z][A-Za-z0-9]{10}$")]
Name = Annotated[str, msgspec.Meta(min_length=1)]
Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?$")]


# The objects of the tracker as docs.dhis2.org describes them, with what an import may and must say.
class DataValue(msgspec.Struct, forbid_unknown_fields=True):
    dataElement: Name
    value: str


class Attribute(msgspec.Struct, forbid_unknown_fields=True):
    attribute: Name
    value: str


class Event(msgspec.Struct, forbid_unknown_fields=True):
    event: Uid
    programStage: Name
    enrollment: Uid
    orgUnit: Name
    occurredAt: Moment
    status: Literal["ACTIVE", "COMPLETED", "VISITED", "SCHEDULE", "OVERDUE", "SKIPPED"]
    dataValues: list[DataValue]


class Enrollment(msgspec.Struct, forbid_unknown_fields=True):
    enrollment: Uid
    program: Name
    orgUnit: Name
    enrolledAt: Moment
    occurredAt: Moment
    status: Literal["ACTIVE", "COMPLETED", "CANCELLED"]
    events: list[Event]
    completedAt: Moment | None = None


class TrackedEntity(msgspec.Struct, forbid_unknown_fields=True):
    trackedEntity: Uid
    trackedEntityType: Name
    orgUnit: Name
    attributes: list[Attribute]
    enrollments: list[Enrollment]


class Payload(msgspec.Struct, forbid_unknown_fields=True):
    trackedEntities: list[TrackedEntity]


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    """Six clients who came in January 2026 and one a year earlier; one left in prison, and one missed two days."""
    here = clinic(database, now)
    history(here, *((f"K-{n}", n, 60) for n in range(5)), ("GONE-1", 0, 30), ("OLD-1", -300, 60))
    history(here, ("GAP-1", 0, 10), ("GAP-1", 12, 30))
    with database.writing() as session:
        sql = "SELECT e.id FROM episode e JOIN client c ON c.id = e.client_id WHERE c.number = 'GONE-1'"
        end_episode(
            session, actor=here.doctor, episode_id=session.execute(text(sql)).scalar_one(),
            ended_on=START + timedelta(days=30), reason=ExitReason.IMPRISONED, at=here.now,
        )  # fmt: skip
    return here


def mapping(folder: Path, content: str = MAPPING) -> Path:
    path = folder / "mapping.toml"
    path.write_text(content)
    return path


def write(here: Clinic, folder: Path, *, shield: Shield = OPEN, period: Period = YEAR, content: str = MAPPING) -> Sent:
    with here.database.reading() as session:
        return export_tracker(
            session, places=sites(session), period=period, as_of=here.now, now=here.now,
            mapping=read_tracker_mapping(mapping(folder, content)), path=folder / "tracker.json", shield=shield,
        )  # fmt: skip


def read(folder: Path) -> list[TrackedEntity]:
    return msgspec.json.decode((folder / "tracker.json").read_bytes(), type=Payload).trackedEntities


def test_it_has_the_documented_form_and_the_figures_of_the_days(here: Clinic, tmp_path: Path) -> None:
    sent = write(here, tmp_path)
    entities = read(tmp_path)
    assert sent.clients == len(entities) == 8
    assert sent.events == sum(len(each.events) for one in entities for each in one.enrollments)
    by_length = {
        tuple(value.value for event in each.events for value in event.dataValues): each
        for one in entities
        for each in one.enrollments
    }
    gone = next(each for each in by_length.values() if each.completedAt)
    assert (gone.enrolledAt, gone.completedAt, gone.status) == (
        "2000-01-01T00:00:00.000", "2000-01-31T00:00:00.000", "COMPLETED",
    )  # fmt: skip
    assert [(event.programStage, event.occurredAt[:10]) for event in gone.events] == [
        ("FOUR_WEEKS", "2000-01-01"), ("FOUR_WEEKS", "2000-01-29"), ("EXIT", "2000-01-31"),
    ]  # fmt: skip
    assert [(value.dataElement, value.value) for value in gone.events[2].dataValues] == [("EXIT_REASON", "imprisoned")]
    assert ("28", "26", "2240.00", "2", "2", "160.00") in by_length, "who missed two days of the first four weeks"
    ids = [each.event for one in entities for enrolled in one.enrollments for each in enrolled.events]
    ids += [one.trackedEntity for one in entities]
    ids += [enrolled.enrollment for one in entities for enrolled in one.enrollments]
    assert len(ids) == len(set(ids))
    assert all(
        event.enrollment == enrolled.enrollment
        for one in entities for enrolled in one.enrollments for event in enrolled.events
    )  # fmt: skip


def test_the_same_twice_is_the_same_bytes_and_another_question_has_other_uids(here: Clinic, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    write(here, folders[0])
    write(here, folders[1])
    write(here, folders[2], period=Period(YEAR.from_day, YEAR.until_day + timedelta(days=1)))
    first, again, other = ((folder / "tracker.json").read_bytes() for folder in folders)
    assert first == again
    uid = re.compile(rb'"(?:trackedEntity|enrollment|event)":"(\w{11})"')
    assert not set(uid.findall(first)) & set(uid.findall(other))


def test_nobody_is_told_apart_in_it(here: Clinic, tmp_path: Path) -> None:
    sent = write(here, tmp_path, shield=SHIELDED)
    assert sent.clients == 7, "the one who came in a year of few is not in it"
    found = (tmp_path / "tracker.json").read_text()
    assert not re.search(r"K-\d|GONE-|OLD-|GAP-|2026-", found)
    assert {tuple(each.value for each in one.attributes) for one in read(tmp_path)} == {("unknown", "2026")}
    manifest = json.loads((tmp_path / "tracker.manifest.json").read_text())
    assert manifest["exclusions"][0]["count"] == "fewer than 5"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("program = 1", "no mapping"),
        (MAPPING + "[more]\n", "no mapping"),
        (MAPPING.replace("sex =", "shoe_size ="), "no shoe_size under attributes"),
        (MAPPING.replace("mg_ordered", "mg"), "no mg under month.dataElements"),
        ('scheme = "uid"\n' + MAPPING, "No uid of DHIS2: OAMT, CLIENT"),
        (MAPPING.replace("HRP =", "OTHER ="), "No unit for HRP"),
    ],
    ids=["not whole", "unknown key", "attribute", "figure", "no uids", "no unit"],
)
def test_a_mapping_that_does_not_do_is_refused_and_nothing_is_written(
    here: Clinic, tmp_path: Path, content: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        write(here, tmp_path, content=content)
    assert [path.name for path in tmp_path.iterdir()] == ["mapping.toml"]


def test_the_command_writes_it(
    here: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("dispensary.commands.parts.vault_of", lambda settings: here.database.vault)
    days = ("--from", f"{date(2026, 1, 1)}", "--to", f"{date(2026, 6, 30)}", "--out", f"{tmp_path}")
    made = CliRunner().invoke(main, ["export", "tracker", *days, "--mapping", str(mapping(tmp_path))])
    assert made.exit_code == 0, made.output
    assert "7 clients" in made.output
    assert len(read(tmp_path)) == 7
