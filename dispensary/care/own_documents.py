"""Schedules, offers and pathways as they are used here: those that come with the program, and a programme's own.

One that was published is never edited: what clients were offered and what they agreed to reads as it did. Another
wording has a key of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import select

from dispensary.care.document_models import CareDocument
from dispensary.care.pathways import Pathways, read_pathways, shipped
from dispensary.care.plans import SessionPlan, plans, read_plans
from dispensary.database import ReadSession
from dispensary.documents import BadDocument

KINDS = ("plan", "offer", "pathway")
"""In the order in which one leads to another."""
Tables = Mapping[str, Sequence[Mapping[str, Any]]]
"""By kind, as a file has them."""


def read_own(tables: Tables) -> tuple[Mapping[str, SessionPlan], Pathways]:
    """Everything that there is with these beside it, as they are to be published. Pure.

    Raises BadDocument with every problem of them.
    """
    own = {kind: list(tables.get(kind, ())) for kind in KINDS}
    known = {"plan": plans(), "offer": shipped().offers, "pathway": shipped().pathways}
    named = [(kind, str(each.get("key", ""))) for kind in KINDS for each in own[kind]]
    problems = [f"{kind} {key}: the program has one of this key. Give it its own." for kind, key in named
                if key in known[kind]]  # fmt: skip
    problems += [f"{kind} {key}: the key is there twice." for kind, key in sorted(set(named)) if
                 named.count((kind, key)) > 1]  # fmt: skip
    if problems:
        raise BadDocument(problems)
    return _beside(own)


def _beside(own: Tables) -> tuple[Mapping[str, SessionPlan], Pathways]:
    """Where a later program brings one of the same key, what was published before it stands: it reads as it did."""
    schedules = {**plans(), **read_plans({"plan": own["plan"]})}
    return schedules, read_pathways({kind: own[kind] for kind in ("offer", "pathway")}, beside=shipped(), by=schedules)


def plans_there(session: ReadSession) -> Mapping[str, SessionPlan]:
    """Every schedule of sessions that there is, by key."""
    return _there(session)[0]


def pathways_there(session: ReadSession) -> Pathways:
    """Every offer and pathway that there is, by key."""
    return _there(session)[1]


def _there(session: ReadSession) -> tuple[Mapping[str, SessionPlan], Pathways]:
    order = (CareDocument.kind, CareDocument.key)
    rows = session.execute(select(CareDocument.kind, CareDocument.words).order_by(*order)).all()
    return _read(tuple((kind, words) for kind, words in rows))


@lru_cache(maxsize=8)
def _read(rows: Sequence[tuple[str, str]]) -> tuple[Mapping[str, SessionPlan], Pathways]:
    return _beside({kind: [json.loads(words) for each, words in rows if each == kind] for kind in KINDS})
