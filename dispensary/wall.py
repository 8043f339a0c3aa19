"""The second wall: what a unit of work can see in PostgreSQL, whatever its queries forgot to ask for.

The first wall is the code: guards, and queries that ask for one site. Behind the second one PostgreSQL itself gives a
unit of work the rows of the sites that it was opened for, and takes none of another site, by row-level security that
binds the role `takehome_desk`. Whoever is signed in works behind it, from the middleware on
(`dispensary/web/signed_in.py`); jobs, the phone line, the command line and the sign-in itself work for all sites, and
do not.

It stops a forgotten filter, not an intruder: whoever could send statements of their own could also leave the role. That
nobody can is the first wall's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from uuid import UUID

DESK = "takehome_desk"
"""The role of PostgreSQL that works for somebody who is signed in. It cannot sign in to the server itself."""

Sites = tuple[UUID, ...]

_sites: ContextVar[Sites | None] = ContextVar("sites", default=None)

STAND = "SELECT set_config('role', %(role)s, true), set_config('takehome.sites', %(sites)s, true)"
"""Both hold until the transaction ends, however it ends, so that no connection of the pool keeps them."""


class Door(StrEnum):
    """Why a few lines of the program step in front of the wall. Each is used where it says, and nowhere else."""

    GUEST_STAYS = "home and guest site agree on a stay: the number on a card, both sites' closed days, home's limit"
    """In `dispensary/supplies/guests.py` and `satellites.py`, and where `dispensary/clients/guests.py` lists stays."""
    FOUND_BOTTLE = "a bottle that was found: the code of the site to call, and no client of another site"
    """In `dispensary/supplies/scanned.py`."""
    DOUBLES = "a person may be on record twice: that there is another record in treatment, and not whose or where"
    """In `dispensary/monitoring/doubles.py`."""
    TWO_SITES = "when an account signed in last, and at two sites within minutes: the moments, and not where else"
    """In `dispensary/staff/presence.py`."""
    SHREDDING = "what is only ever added to, about one client: made unreadable when they are erased, and nothing else"
    """In `dispensary/erasing/service.py`."""
    OWN_PAPERS = "a site's own papers of its past days: the number and name of whom it gave doses, and who moved since"
    """In `dispensary/supplies/printing/reading.py` and `register_rows.py`, `dispensary/supplies/unusual.py`,
    `dispensary/looks/unusual.py`, and where `dispensary/clients/queries.py` reads faces by ids that a site has read."""
    OWN_ACTS = (
        "what a site gave is voided by it, and what came back to it destroyed, wherever its client is treated now"
    )
    """In `dispensary/supplies/voiding.py` and `full_bottles.py`."""
    FIGURES = "figures and exports of a past moment, of whoever was a site's then: counts and pseudonyms"
    """In `dispensary/evaluation/exports.py`, `fhir.py`, `tracker.py`, `retention.py` and `answering.py`."""
    MOVES = "a client goes from one site to another: what follows them, and what the one that they leave takes back"
    """In `dispensary/homes/`."""
    TOLD = "what was done with a client's record is told to them: at the sites that were their home before too"
    """In `dispensary/looks/told.py`."""
    OPENING = "a site is opened by whoever runs what it lies in: it is in nobody's view until it is there"
    """In `dispensary/takehome/opening.py`."""
    BRANCH = "what a whole branch allows whom is set at each of its sites by whoever runs all of them"
    """In `dispensary/staff/branch_permissions.py`."""
    NIGHT = "an administrator starts the night's jobs of the site by hand: they do what they do by the clock"
    """In `dispensary/desks/night.py`."""


@contextmanager
def behind(*sites: UUID) -> Iterator[None]:
    """Every unit of work that begins in this block stands behind the wall, with these sites in view."""
    token = _sites.set(sites)
    try:
        yield
    finally:
        _sites.reset(token)


@contextmanager
def before(door: Door) -> Iterator[None]:
    """Every unit of work that begins in this block stands before the wall, by a door."""
    token = _sites.set(None)
    try:
        yield
    finally:
        _sites.reset(token)


def in_view() -> Sites | None:
    """The sites that a unit of work which begins now can see; nothing when it stands before the wall."""
    return _sites.get()


def standing(sites: Iterable[UUID] | None) -> Mapping[str, str]:
    """The values of `STAND`: behind the wall with these sites, or before it."""
    if sites is None:
        return {"role": "none", "sites": ""}
    return {"role": DESK, "sites": f"{{{','.join(str(site) for site in sites)}}}"}
