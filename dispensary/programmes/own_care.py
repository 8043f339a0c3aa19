"""Publishes the schedules, offers and pathways that a programme's folder brings, before its sites use them."""

from __future__ import annotations

import json
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.care.document_models import CareDocument
from dispensary.care.own_documents import KINDS, Tables, read_own
from dispensary.database import WriteSession
from dispensary.refusals import Refusal, Refused


def publish_care(session: WriteSession, *, tables: Tables, at: datetime) -> None:
    """Publishes a programme's own. The same words again change nothing.

    Raises BadDocument for what cannot be used, and Refused where a key was published with other words.
    """
    read_own(tables)
    wanted = [
        (kind, str(each["key"]), json.dumps(each, sort_keys=True, ensure_ascii=False))
        for kind in KINDS
        for each in tables.get(kind, ())
    ]
    for kind, key, words in wanted:
        row = {"kind": kind, "key": key, "words": words, "published_at": at}
        session.execute(upsert(CareDocument).values(**row).on_conflict_do_nothing(index_elements=["kind", "key"]))
    kept = {(row.kind, row.key): row.words for row in session.scalars(select(CareDocument))}
    faults = [
        Refusal(
            "care-document-published",
            f"Another {kind} was published as “{key}” before.",
            "Give this one a key of its own: what was published is never edited.",
        )
        for kind, key, words in wanted
        if kept[kind, key] != words
    ]
    if faults:
        raise Refused(*faults)
