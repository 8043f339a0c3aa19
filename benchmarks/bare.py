"""What an observed dose is measured against: the same rows, written by hand in one bare handler.

Nobody is signed in, nothing is asked, nothing is refused; the same triggers on the same tables still hold what they
hold. Run as `python -m benchmarks.bare` with DATABASE_URL and DISPENSARY_PORT; served as dispensary/serving.py serves.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from litestar import Litestar, post
from litestar.concurrency import set_asyncio_executor
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from dispensary.app import THREADS
from dispensary.serving import _run
from dispensary.settings import settings_from
from dispensary.units import new_id

SELECT_ORDER = """
SELECT o.id, o.episode_id, o.site_id, o.mg, l.id, l.book_id, l.strength, a.id,
    (now() AT TIME ZONE s.zone)::date
FROM dose_order o
JOIN site s ON s.id = o.site_id
JOIN lot l ON l.site_id = o.site_id AND l.balance > 0
JOIN account a ON a.username = 'aishah'
WHERE o.client_id = %s AND o.voided_at IS NULL AND o.days @> (now() AT TIME ZONE s.zone)::date
"""
INSERT_SUPPLY = """
INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, identified_by, observation,
    second_look, dispensed_by, origin, answer)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'photo', '', '', %s, 'counter', %s)
"""
INSERT_DOSE = """
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, ml, lot_id,
    closed_day)
VALUES (%s, %s, %s, %s, %s, %s, 1, 1, 'observed', %s, %s, %s, false)
"""
INSERT_LINE = """
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
    lot_balance, supply_id, reason, account_id)
VALUES (%s, %s, 0, %s, %s, %s, 'supplied', %s, %s, 0, 0, 0, %s, '', %s)
"""
INSERT_AUDIT = """
INSERT INTO audit_entry (site_id, seq, at, account_id, act, subject, subject_id, details, previous, hash)
VALUES (%s, 0, %s, %s, 'dispensed', 'client', %s, %s, '', '')
"""


def application(url: str) -> Litestar:
    """The one handler, on a pool as large as the program's own."""
    pool = ConnectionPool(
        url, min_size=20, max_size=20, open=True, kwargs={"options": "-c timezone=UTC -c lock_timeout=10s"}
    )

    @post("/api/clients/{client_id:uuid}/supplies", sync_to_thread=True)
    def dose(client_id: UUID, data: dict[str, Any]) -> dict[str, Any]:
        at = datetime.now(UTC)
        supply_id = new_id()
        with pool.connection() as connection:
            order, episode, site, mg, lot, book, strength, account, day = connection.execute(
                SELECT_ORDER, (client_id,)
            ).fetchone()  # type: ignore[misc]
            ml = (mg / strength).quantize(Decimal("0.001"))
            given = {"day": str(day), "portion": 1, "of": 1, "kind": "observed", "mg": str(mg), "ml": str(ml)}
            answer = {"supply": str(supply_id), "at": at.isoformat(), "doses": [given]}
            asked = sha256(json.dumps([str(client_id), True, [], None]).encode()).digest()
            details = json.dumps(
                {"doses": [given], "identified_by": "photo", "supply": str(supply_id)}, separators=(",", ":")
            )
            key = data["key"]
            connection.execute(
                INSERT_SUPPLY, (supply_id, site, client_id, episode, day, at, key, asked, account, Jsonb(answer))
            )
            connection.execute(INSERT_DOSE, (new_id(), supply_id, site, client_id, order, day, mg, ml, lot))
            connection.execute(INSERT_LINE, (new_id(), book, lot, at, day, -ml, ml, supply_id, account))
            connection.execute(INSERT_AUDIT, (site, at, account, client_id, details))
        return answer

    set_asyncio_executor(ThreadPoolExecutor(THREADS))
    return Litestar([dose], openapi_config=None, logging_config=None)


if __name__ == "__main__":
    settings = settings_from()
    assert settings.database_url
    Path(settings.data).mkdir(parents=True, exist_ok=True)
    app = application(settings.database_url.replace("+psycopg", ""))
    asyncio.run(_run(app, settings, lambda: print("answers", flush=True)))
