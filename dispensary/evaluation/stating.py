"""What every export says of itself, and what a client is called in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from dispensary import __version__
from dispensary.evaluation.queries import Period
from dispensary.keys import Vault
from dispensary.staff.queries import Place

_DEIDENTIFIED = (
    "Pseudonyms are HMAC-SHA256 under a key that never leaves the program, made for this export alone; days are counted"
    " from entry; no free text. Rows of single clients are confidential all the same: somebody who knows enough of a"
    " person may find their row, and rows of the same days can be laid beside each other by what is in them."
)


def pseudonym(vault: Vault, purpose: str, client_id: UUID) -> str:
    """The client's name in one export: 24 hex digits, of which nobody gets back to the client without the key."""
    return vault.sign(purpose, client_id.bytes)[:12].hex()


def purpose_of(name: str, places: Sequence[Place], period: Period, as_of: datetime) -> str:
    """What an export is for: the same question gives its clients the same pseudonyms, another one others."""
    sites = ",".join(sorted(place.code for place in places))
    return f"export:{name}:{sites}:{period.from_day}:{period.until_day}:{as_of.astimezone(UTC).isoformat()}"


def statement(
    name: str, places: Sequence[Place], period: Period, as_of: datetime, definition: Mapping[str, object]
) -> dict[str, object]:
    """What stands in every manifest."""
    return {
        "export": name,
        "definition": definition,
        "period": {"from": period.from_day, "until_not_including": period.until_day},
        "as_of": as_of.astimezone(UTC).isoformat(),
        "sites": sorted(place.code for place in places),
        "code_version": __version__,
        "deidentification": _DEIDENTIFIED,
    }
