"""Whom an export of rows is about: the clients' traits as they were known, and the table that tells of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.evaluation.crowds import Shield, Traits, told_of, untold
from dispensary.evaluation.known import SITE_DAY
from dispensary.evaluation.queries import Period
from dispensary.evaluation.stating import pseudonym
from dispensary.evaluation.strata import PERSON, STRATA
from dispensary.evaluation.tables import Column, Columns
from dispensary.staff.queries import Place
from dispensary.staff.vault_keys import signer_at

CLIENTS: Columns = {
    "client": Column("pseudonym of the client, in this export alone"),
    "entry_year": Column("calendar year in which the client's first episode began"),
    "site": Column("code of the client's home site; “untold” where too few share it, as in what follows"),
    "sex": Column("as the record has it"),
    "age": Column("years by the year of birth on the last day of the period, in bands"),
}

_TOLD = [STRATA[key] for key in ("entry_year", "site", "sex", "age")]
_TRAITS = text(f"""
WITH site_day AS ({SITE_DAY}), person AS ({PERSON})
SELECT person.client_id, {", ".join(stratum.value for stratum in _TOLD)}
FROM person JOIN client ON client.id = person.client_id JOIN site ON site.id = person.site_id
{" ".join(stratum.joined for stratum in _TOLD)}
""")


@dataclass(frozen=True)
class Shown:
    """The clients of an export in the order of their pseudonyms, which says nothing of them, and what is told."""

    names: Mapping[UUID, str]
    told: Mapping[UUID, Traits]
    left_out: int
    """How many are not in it, since too few came in their year."""

    def table(self) -> Iterator[tuple[object, ...]]:
        """The rows under CLIENTS."""
        for client, name in self.names.items():
            traits = self.told[client]
            yield name, traits.year, traits.site, traits.sex, traits.age

    def excluded(self, shield: Shield) -> dict[str, object]:
        """Whom the rows leave out, for the manifest."""
        return {"what": left_out_says(shield), "count": told_of(self.left_out, shield.least)}

    def hidden(self, shield: Shield) -> dict[str, object]:
        """What is hidden of those who are in the rows, for the manifest."""
        return {"says": shield.said(), "clients_of_whom_is_untold": untold(self.told)}


def shown(
    session: ReadSession,
    *,
    clients: Collection[UUID],
    places: Sequence[Place],
    period: Period,
    as_of: datetime,
    purpose: str,
    shield: Shield,
) -> Shown:
    """Which of these clients of the sites are in an export for this purpose, and what it tells of each."""
    asked = {
        "sites": [place.id for place in places],
        "days": [place.dose_day(as_of) for place in places],
        "as_of": as_of,
        "until_day": period.until_day,
    }
    wanted = set(clients)
    traits = {row[0]: Traits(*row[1:]) for row in session.execute(_TRAITS, asked) if row[0] in wanted}
    told = shield.among(traits)
    signer = signer_at(session, as_of)
    names = sorted((pseudonym(signer, purpose, client), client) for client in told)
    return Shown({client: name for name, client in names}, told, len(traits) - len(told))


def left_out_says(shield: Shield) -> str:
    """Why a client is in no row."""
    return f"clients in whose year of entry fewer than {shield.least} of the export came: not in the rows"


def windows_of(
    session: ReadSession,
    purpose: str,
    clients: Iterable[UUID],
    *,
    places: Sequence[Place],
    period: Period,
    as_of: datetime,
    shield: Shield,
) -> dict[UUID, Period]:
    """Of which days of the period each client's rows are, in the same order. The same export draws the same windows."""
    signer = signer_at(session, as_of)
    as_of_day = max((place.dose_day(as_of) for place in places), default=period.from_day)
    return {
        client: shield.window(period, as_of_day=as_of_day, drawn=signer.sign(f"{purpose}:window", client.bytes))
        for client in clients
    }
