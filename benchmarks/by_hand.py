"""The rows of a dose by `pgbench`: what PostgreSQL does for them when nobody is signed in and nothing is asked.

The same triggers on the same tables hold what they hold; the program's rules, its look at the record and its answer are
not there.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from dispensary.database import Database
from dispensary.embedded import postgres_tool

_SCRIPT = r"""
SELECT due.client_id, o.id AS order_id, o.episode_id, o.site_id, o.mg, l.id AS lot_id, l.book_id,
    (o.mg / l.strength)::numeric(10,3) AS ml, g.account_id, (now() AT TIME ZONE s.zone)::date AS day,
    gen_random_uuid() AS supply_id, json_build_object('doses', json_build_array(json_build_object('day',
        (now() AT TIME ZONE s.zone)::date::text, 'portion', 1, 'of', 1, 'kind', 'observed', 'mg', o.mg::text, 'ml',
        (o.mg / l.strength)::numeric(10,3)::text)))::text AS answer
FROM country_due due JOIN dose_order o ON o.client_id = due.client_id AND o.voided_at IS NULL
JOIN site s ON s.id = o.site_id AND o.days @> (now() AT TIME ZONE s.zone)::date
JOIN lot l ON l.site_id = o.site_id AND l.balance > 0
JOIN role_grant g ON g.site_id = o.site_id AND g.role = 'pharmacist'
WHERE due.n = (SELECT nextval('country_turn')) LIMIT 1 \gset
BEGIN;
INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, identified_by, observation,
    second_look, dispensed_by, origin, answer)
VALUES (:supply_id::uuid, :site_id::uuid, :client_id::uuid, :episode_id::uuid, :day::date, now(),
    'hand-' || :client_id::text, sha256(convert_to(:client_id::text, 'UTF8')), 'photo', '', '', :account_id::uuid,
    'counter', :answer::jsonb);
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, ml, lot_id,
    closed_day)
VALUES (gen_random_uuid(), :supply_id::uuid, :site_id::uuid, :client_id::uuid, :order_id::uuid, :day::date, 1, 1,
    'observed', :mg::numeric, :ml::numeric, :lot_id::uuid, false);
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
    lot_balance, supply_id, reason, account_id)
VALUES (gen_random_uuid(), :book_id::uuid, 0, :lot_id::uuid, now(), :day::date, 'supplied', -(:ml::numeric),
    :ml::numeric, 0, 0, 0, :supply_id::uuid, '', :account_id::uuid);
INSERT INTO audit_entry (site_id, seq, at, account_id, act, subject, subject_id, details, previous, hash)
VALUES (:site_id::uuid, 0, now(), :account_id::uuid, 'dispensed', 'client', :client_id::uuid, :answer::text, '', '');
COMMIT;
"""


def get_ready(database: Database, clients: Sequence[UUID]) -> None:
    """Whom pgbench doses, in this order, each once."""
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE country_due (n bigint PRIMARY KEY, client_id uuid NOT NULL)"))
        connection.execute(text("CREATE SEQUENCE country_turn"))
        rows = [{"n": number, "client": client} for number, client in enumerate(clients, start=1)]
        connection.execute(text("INSERT INTO country_due VALUES (:n, :client)"), rows)


def doses_by_hand(url: str, *, doses: int, at_once: int) -> float:
    """Doses a second, of the next so many clients. Raises RuntimeError when one failed."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "dose.sql"
        script.write_text(_SCRIPT)
        plain = url.replace("+psycopg", "")
        done = subprocess.run(
            [
                str(postgres_tool("pgbench")),
                "--no-vacuum",
                "--protocol=prepared",
                f"--file={script}",
                f"--client={at_once}",
                "--jobs=2",
                f"--transactions={doses // at_once}",
                plain,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    told = re.search(r"tps = ([\d.]+)", done.stdout)
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    if done.returncode or told is None or (failed and failed[1] != "0"):
        raise RuntimeError(f"pgbench: {done.stdout[-500:]} {done.stderr[-1000:]}")
    return float(told[1])
