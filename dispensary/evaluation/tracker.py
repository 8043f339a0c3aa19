"""Treatment as DHIS2's tracker takes it (`POST /api/tracker`): a tracked entity a client, an enrolment an episode.

An event sums up four weeks of an episode: days ordered, covered, missed, held, taken at home, and mg. It comes from the
rows of dose days, de-identified as those are: a client is a uid that is made for this export alone, and their day of
entry is always the first of January 2000, from which every other day is counted. The mapping (TOML) says what things
are called there:

    program = "OAMT"
    trackedEntityType = "CLIENT"
    scheme = "code"
    [orgUnits]
    HRP = "MY_KL_HRP"
    untold = "MY"                    # of clients whose site too few share
    [attributes]                     # each may be left out
    sex = "SEX"
    age = "AGE_BAND"
    entry_year = "ENTRY_YEAR"
    [month]
    programStage = "FOUR_WEEKS"
    [month.dataElements]             # each may be left out
    days_ordered = "DAYS_ORDERED"
    [exit]                           # may be left out
    programStage = "EXIT"
    reason = "EXIT_REASON"

The form is that of DHIS2 2.36 and later (docs.dhis2.org, Tracker: tracker objects). Values are strings.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy import text

from dispensary.database import ReadSession, through
from dispensary.evaluation import queries
from dispensary.evaluation.crowds import SHIELDED, UNTOLD, Shield, Traits
from dispensary.evaluation.dhis2 import UID
from dispensary.evaluation.fhir_resources import ENTRY
from dispensary.evaluation.files import Export
from dispensary.evaluation.known import EPISODES
from dispensary.evaluation.queries import DoseDayRow, Period
from dispensary.evaluation.retention import check_moment
from dispensary.evaluation.stating import purpose_of, statement
from dispensary.evaluation.whom import shown, windows_of
from dispensary.keys import Vault
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.queries import Place
from dispensary.staff.vault_keys import signer_at
from dispensary.wall import Door

_SPAN = 28
_LETTERS = string.ascii_letters
_SIGNS = string.ascii_letters + string.digits
_FIGURES = ("days_ordered", "days_covered", "days_missed", "days_held", "days_at_home", "mg_ordered")

_EPISODES = text(f"""
WITH numbered AS (
    SELECT client_id, episode_id, dense_rank() OVER (PARTITION BY client_id ORDER BY min(dose_day)) AS number
    FROM day_outcome
    WHERE frozen_at <= :as_of AND client_id = ANY(CAST(:clients AS uuid[]))
    GROUP BY client_id, episode_id
)
SELECT e.client_id, numbered.number, e.id, e.began_on, CASE WHEN e.ended_on <= :as_of_day THEN e.ended_on END,
    CASE WHEN e.ended_on <= :as_of_day THEN e.exit_reason END
FROM numbered JOIN ({EPISODES}) AS e ON e.id = numbered.episode_id
""")


class Month(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The program stage of four weeks, with the data element of each figure."""

    programStage: str  # noqa: N815 - as DHIS2 and the file have it
    dataElements: dict[str, str]  # noqa: N815


class Exit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The program stage of the end of an episode."""

    programStage: str  # noqa: N815
    reason: str


class Mapped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping file: what things are called in the tracker."""

    program: str
    trackedEntityType: str  # noqa: N815
    orgUnits: dict[str, str]  # noqa: N815
    month: Month
    scheme: Literal["code", "uid"] = "code"
    attributes: dict[str, str] = {}
    exit: Exit | None = None


@dataclass(frozen=True)
class Sent:
    """What a payload has."""

    clients: int
    events: int


@dataclass(frozen=True)
class _Episode:
    id: UUID
    began_on: date
    ended_on: date | None
    exit_reason: str | None


def read_tracker_mapping(path: Path) -> Mapped:
    """The mapping in a file. Raises BadInput with all that is wrong in it."""
    try:
        mapping = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Mapped)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as reason:
        raise BadInput(
            Refusal("mapping", f"{path} is no mapping: {reason}.", "Mend it; the handbook has one.", field="mapping")
        ) from None
    faults = []
    for there, known, where in (
        (mapping.attributes, ("sex", "age", "entry_year"), "attributes"),
        (mapping.month.dataElements, _FIGURES, "month.dataElements"),
    ):
        wrong = sorted(set(there) - set(known))
        if wrong:
            sentence = f"There is no {', '.join(wrong)} under {where}."
            faults.append(Refusal("mapping", sentence, f"There are {', '.join(known)}.", field="mapping"))
    if mapping.scheme == "uid":
        named = [mapping.program, mapping.trackedEntityType, mapping.month.programStage, *mapping.orgUnits.values()]
        named += [*mapping.attributes.values(), *mapping.month.dataElements.values()]
        named += [mapping.exit.programStage, mapping.exit.reason] if mapping.exit else []
        wrong = [name for name in named if not UID.fullmatch(name)]
        if wrong:
            sentence = f"No uid of DHIS2: {', '.join(wrong[:10])}."
            faults.append(Refusal("uid", sentence, "A uid has a letter and ten letters or digits.", field="mapping"))
    if faults:
        raise BadInput(*faults)
    return mapping


@through(Door.FIGURES)
def export_tracker(
    session: ReadSession,
    *,
    places: Sequence[Place],
    period: Period,
    as_of: datetime,
    now: datetime,
    mapping: Mapped,
    path: Path,
    shield: Shield = SHIELDED,
) -> Sent:
    """Writes the payload to `path` and the manifest beside it, client by client. Raises BadInput.

    A site that the mapping does not name is an error, and nothing is written.
    """
    check_moment(period, as_of, now)
    purpose = purpose_of("tracker", places, period, as_of)
    clients = queries.clients(session, places=places, period=period, as_of=as_of)
    who = shown(session, clients=clients, places=places, period=period, as_of=as_of, purpose=purpose, shield=shield)
    lacking = sorted({traits.site for traits in who.told.values()} - mapping.orgUnits.keys())
    if lacking:
        sentence = f"No unit for {', '.join(lacking)}."
        raise BadInput(Refusal("unit", sentence, "Name it under orgUnits.", field="mapping"))
    windows = windows_of(session, purpose, who.names, places=places, period=period, as_of=as_of, shield=shield)
    as_of_day = max((place.dose_day(as_of) for place in places), default=period.from_day)
    payload = _Payload(
        signer_at(session, as_of), purpose, mapping, [who.told[each] for each in who.names], list(who.names)
    )
    payload.read_episodes(session, as_of=as_of, as_of_day=as_of_day)
    with Export(path) as out:
        rows = queries.dose_days(session, windows=windows, period=period, as_of=as_of)
        says = "tracked entities with their enrolments and events, for POST /api/tracker"
        table = out.array("", "trackedEntities", says, payload.entities(row for row in rows if row.in_window))
        definition = {
            "name": "tracker",
            "version": "1",
            "says": f"Clients, episodes, and what became of the dose days of each {_SPAN} days of an episode.",
            "entry": f"{ENTRY}: what each client's day of entry is called; other days are counted from it",
        }
        said = statement("tracker", places, period, as_of, definition) | {
            "names": mapping.scheme,
            "figures": {"clients": table.rows, "events": payload.events},
            "exclusions": [who.excluded(shield)],
            "hidden": who.hidden(shield),
            "parameters": {},
        }
        out.manifest(said, [table])
    return Sent(table.rows, payload.events)


class _Payload:
    """Makes the entities while the rows pass, in the order of the clients' pseudonyms."""

    def __init__(
        self, vault: Vault, purpose: str, mapping: Mapped, traits: Sequence[Traits], clients: Sequence[UUID]
    ) -> None:
        self.events = 0
        self._vault, self._purpose, self._mapping = vault, purpose, mapping
        self._traits, self._clients = traits, clients
        self._episodes: dict[tuple[UUID, int], _Episode] = {}
        self._entry: dict[UUID, date] = {}

    def read_episodes(self, session: ReadSession, *, as_of: datetime, as_of_day: date) -> None:
        """Which episodes the rows count, and when each began and ended."""
        bound = {"clients": list(self._clients), "as_of": as_of, "as_of_day": as_of_day}
        for client, number, *rest in session.execute(_EPISODES, bound):
            self._episodes[client, number] = episode = _Episode(*rest)
            self._entry[client] = min(self._entry.get(client, episode.began_on), episode.began_on)

    def entities(self, rows: Iterable[DoseDayRow]) -> Iterator[dict[str, Any]]:
        """One tracked entity a client who has a row."""
        for place, theirs in groupby(rows, key=lambda row: row.place):
            client, traits = self._clients[place - 1], self._traits[place - 1]
            unit = self._mapping.orgUnits[traits.site]
            told = {"sex": traits.sex, "age": traits.age, "entry_year": traits.year}
            yield {
                "trackedEntity": self._uid("entity", client),
                "trackedEntityType": self._mapping.trackedEntityType,
                "orgUnit": unit,
                "attributes": [
                    {"attribute": name, "value": told[key]}
                    for key, name in self._mapping.attributes.items()
                    if told[key] != UNTOLD
                ],
                "enrollments": [
                    self._enrolment(client, number, unit, list(days))
                    for number, days in groupby(theirs, key=lambda row: row.episode)
                ],
            }

    def _enrolment(self, client: UUID, number: int, unit: str, days: Sequence[DoseDayRow]) -> dict[str, Any]:
        episode = self._episodes[client, number]
        began = ENTRY + (episode.began_on - self._entry[client])
        events = [
            self._event(
                f"{span}", episode, unit, self._mapping.month.programStage, began + timedelta(days=span * _SPAN),
                {self._mapping.month.dataElements[key]: value for key, value in _figures(list(rows)).items()
                 if key in self._mapping.month.dataElements},
            )
            for span, rows in groupby(days, key=lambda row: row.day // _SPAN)
        ]  # fmt: skip
        written: dict[str, Any] = {
            "enrollment": self._uid("enrolment", episode.id),
            "program": self._mapping.program,
            "orgUnit": unit,
            "enrolledAt": _moment(began),
            "occurredAt": _moment(began),
            "status": "ACTIVE" if episode.ended_on is None else "COMPLETED",
        }
        if episode.ended_on is not None:
            ended = began + (episode.ended_on - episode.began_on)
            written["completedAt"] = _moment(ended)
            if self._mapping.exit is not None:
                reason = {self._mapping.exit.reason: episode.exit_reason or ""}
                events.append(self._event("exit", episode, unit, self._mapping.exit.programStage, ended, reason))
        return {**written, "events": events}

    def _event(
        self, which: str, episode: _Episode, unit: str, stage: str, on: date, values: Mapping[str, str]
    ) -> dict[str, Any]:
        self.events += 1
        return {
            "event": self._uid(f"event {which}", episode.id),
            "programStage": stage,
            "enrollment": self._uid("enrolment", episode.id),
            "orgUnit": unit,
            "occurredAt": _moment(on),
            "status": "COMPLETED",
            "dataValues": [{"dataElement": name, "value": value} for name, value in values.items()],
        }

    def _uid(self, kind: str, of: UUID) -> str:
        """A uid as DHIS2 has them: a letter, and ten letters or digits."""
        drawn = int.from_bytes(self._vault.sign(f"{self._purpose}:{kind}", of.bytes))
        drawn, first = divmod(drawn, len(_LETTERS))
        signs = [_LETTERS[first]]
        for _ in range(10):
            drawn, sign = divmod(drawn, len(_SIGNS))
            signs.append(_SIGNS[sign])
        return "".join(signs)


def _figures(rows: Sequence[DoseDayRow]) -> dict[str, str]:
    """What became of some dose days; a day is what its portions are together."""
    found = dict.fromkeys(_FIGURES, Decimal(0))
    for _, portions in groupby(rows, key=lambda row: row.day):
        day = list(portions)
        if any(row.outcome == "held" for row in day):
            found["days_held"] += 1
            continue
        covered = all(row.covered for row in day)
        found["days_ordered"] += 1
        found["days_covered"] += covered
        found["days_missed"] += not covered
        found["days_at_home"] += any(row.outcome == "take_home" for row in day)
        found["mg_ordered"] += sum((row.ordered_mg for row in day), Decimal(0))
    return {key: f"{value:f}" for key, value in found.items()}


def _moment(on: date) -> str:
    return f"{on.isoformat()}T00:00:00.000"
