"""What belongs to each supply of a country's past: lots, the answer, bottles and their way back, the decision.

Written beside the triggers, and as they would have left it: `verify` names nothing of it. Who carries has a decision by
a doctor, on an assessment that is replayed to the same answer, and brings each empty bottle back when they come next.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from benchmarks.country import Country, run_past
from dispensary.clients.rules import plain_number
from dispensary.database import Database
from dispensary.staff.rules import Actor, Role
from dispensary.takehome.deciding import decide
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import Naloxone
from dispensary.units import AccountId, ClientId, SiteId

_AT_ONCE = 5_000

_SUPPLIED = """
UPDATE dose d SET ml = d.mg / l.strength, lot_id = l.id FROM lot l WHERE l.site_id = d.site_id;
UPDATE supply s SET request_sha256 = sha256(convert_to(s.key, 'UTF8')), dispensed_by = a.id,
    answer = jsonb_build_object('supply', s.id, 'at', s.at, 'doses', d.doses)
    FROM site JOIN account a ON a.username = lower('at-' || site.code),
        (SELECT supply_id, jsonb_agg(jsonb_build_object('day', dose_day, 'portion', 1, 'of', 1, 'kind', kind, 'mg',
            mg::text, 'ml', ml::text) ORDER BY dose_day) AS doses FROM dose GROUP BY supply_id) AS d
    WHERE site.id = s.site_id AND d.supply_id = s.id;
INSERT INTO bottle (id, serial, site_id, client_id, order_id, dose_id, lot_id, dose_day, portion, portions, mg, ml,
        state, packed_by, packed_at)
    SELECT gen_random_uuid(), lpad((row_number() OVER (ORDER BY s.at, d.id))::text, 15, '0'), d.site_id, d.client_id,
        d.order_id, d.id, d.lot_id, d.dose_day, 1, 1, d.mg, d.ml, 'handed_over', s.dispensed_by, s.at
    FROM dose d JOIN supply s ON s.id = d.supply_id WHERE d.kind = 'take_home';
INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, dose_id, note)
    SELECT id, 1, 'handed_over', packed_at, packed_by, dose_id, '' FROM bottle;
CREATE TEMP TABLE country_back ON COMMIT DROP AS
    SELECT b.id, b.site_id, b.client_id, b.dose_day, n.at, n.dose_day AS came_on, n.dispensed_by
    FROM bottle b CROSS JOIN LATERAL (SELECT at, dose_day, dispensed_by FROM supply n
        WHERE n.client_id = b.client_id AND n.at > b.packed_at ORDER BY n.at LIMIT 1) AS n;
INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, note)
    SELECT id, 2, 'returned_empty', at, dispensed_by, '' FROM country_back;
INSERT INTO bottle_return (id, bottle_id, site_id, client_id, dose_day, is_full, returned_on, recorded_by, at, reason)
    SELECT gen_random_uuid(), id, site_id, client_id, dose_day, false, came_on, dispensed_by, at, '' FROM country_back;
UPDATE bottle SET state = 'returned_empty' WHERE id IN (SELECT id FROM country_back)
"""
_DECIDED = """
INSERT INTO assessment SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'site_id',
        p.site_id, 'client_id', p.id, 'episode_id', p.id,
        'made_at', p.began_on + time '01:00'))).*
    FROM country_person p CROSS JOIN assessment a WHERE a.client_id = :client AND p.carries AND p.id <> :client;
INSERT INTO decision SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(), 'site_id', a.site_id,
        'client_id', a.client_id, 'episode_id', a.episode_id, 'assessment_id', a.id,
        'days', daterange(p.began_on, NULL), 'decided_at', a.made_at))).*
    FROM assessment a JOIN country_person p ON p.id = a.client_id CROSS JOIN decision d
    WHERE d.client_id = :client AND a.client_id <> :client;
UPDATE decision d SET days = daterange(p.began_on, NULL), decided_at = p.began_on + time '01:00'
    FROM country_person p WHERE p.id = d.client_id AND d.client_id = :client;
UPDATE supply s SET decision_id = d.id FROM decision d WHERE d.client_id = s.client_id
"""
_COUNTED = """
UPDATE slot s SET booked = b.count FROM (SELECT place_id, starts_at, count(*) FROM booking GROUP BY 1, 2) AS b
    WHERE (b.place_id, b.starts_at) = (s.place_id, s.starts_at)
"""
_INDEX = "INSERT INTO client_index (client_id, digest, kind, site_id) VALUES (:client, :digest, 'number', :site)"


def write_supplies(database: Database, country: Country) -> None:
    """Gives each supply of the past all that belongs to it, and finds every client by their number."""
    run_past(database, f"{_SUPPLIED};\n{_COUNTED}", {})
    if client := _one_is_decided(database, country):
        run_past(database, _DECIDED, {"client": client})
    _find_by_number(database)


def _one_is_decided(database: Database, country: Country) -> ClientId | None:
    """Somebody who carries is assessed and decided about as a doctor does it; the others' are like theirs."""
    asked = text("""SELECT p.id, p.site_id, r.account_id FROM country_person p
        JOIN role_grant r ON r.site_id = p.site_id AND r.role = 'doctor' JOIN episode e ON e.client_id = p.id
        WHERE p.carries AND e.ended_on IS NULL ORDER BY p.n LIMIT 1""")
    with database.writing() as session:
        row = session.execute(asked).first()
        if row is None:
            return None
        doctor = Actor(AccountId(row.account_id), SiteId(row.site_id), frozenset({Role.DOCTOR}), "Dr. Lim Wei", "LW")
        day, at = country.today, country.now
        said = assess_client(session, actor=doctor, client_id=ClientId(row.id), on=day, at=at)
        decide(
            session, actor=doctor, assessment_id=said.id, days_from=day, days_until=None, per_supply=6, per_week=None,
            reason="the doctor knows the client", naloxone=Naloxone.GIVEN, at=at,
        )  # fmt: skip
        return ClientId(row.id)


def _find_by_number(database: Database) -> None:
    with database.reading() as session:
        people: list[tuple[UUID, UUID, str]] = [
            (row.id, row.site_id, row.number) for row in session.execute(text("SELECT id, site_id, number FROM client"))
        ]
        vault = session.vault
    for after in range(0, len(people), _AT_ONCE):
        rows = [
            {"client": one, "site": site, "digest": vault.blind(f"client.number|{site}", plain_number(number))}
            for one, site, number in people[after : after + _AT_ONCE]
        ]
        with database.engine.begin() as connection:
            connection.execute(text(_INDEX), rows)
