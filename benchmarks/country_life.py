"""What else a country's sites have and its days leave behind: staff, safes, slots, register, trail, visits and texts.

Written beside the triggers as the country itself is (`country.py`), and as they would have left it: the register adds
up, and every site's chain of the audit trail holds. Today nobody has come yet.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import time
from typing import Final
from uuid import UUID

import psycopg
from sqlalchemy import text

import scheduling.service
from benchmarks.clinics import PASSWORD
from benchmarks.country import Country, run_past
from benchmarks.country_supplies import write_supplies
from benchmarks.figures import say
from dispensary.client_keys import WRAPPED
from dispensary.database import Database
from dispensary.keys import KEY_BYTES
from dispensary.staff.service import password_hash
from dispensary.units import SiteId
from notifications.sealing import CONTACT_PHONE
from scheduling.rules import Hours

_SEALED = "sha256(convert_to({0} || 'a', 'UTF8')) || sha256(convert_to({0} || 'b', 'UTF8'))"
"""As long as what is sealed usually is, and as hard to compress; nobody opens the past of a benchmark."""

# Site B7 has the pharmacist B7, a book, a lot and a place; the first site's own book begins anew with the others'.
_SITES = """
DELETE FROM dose WHERE dose_day >= :today;
DELETE FROM supply s WHERE NOT EXISTS (SELECT FROM dose WHERE supply_id = s.id);
DELETE FROM register_line;
INSERT INTO audit_chain (site_id, length, head)
    SELECT id, 0, sha256(convert_to(id::text, 'UTF8')) FROM site ON CONFLICT DO NOTHING;
INSERT INTO account (id, username, name, initials, made_at, accepted_at)
    SELECT gen_random_uuid(), lower('at-' || code), 'Pharmacist of ' || code, 'PH', opened_at, opened_at FROM site;
INSERT INTO account_password (account_id, hash)
    SELECT id, :password FROM account WHERE username LIKE 'at-%';
INSERT INTO role_grant (id, account_id, site_id, role)
    SELECT gen_random_uuid(), a.id, s.id, 'pharmacist'
    FROM site s JOIN account a ON a.username = lower('at-' || s.code);
INSERT INTO register_book
    SELECT (jsonb_populate_record(CAST(NULL AS register_book), b || jsonb_build_object('id', gen_random_uuid(),
        'site_id', s.id, 'lines', 0, 'balance', 0))).*
    FROM site s CROSS JOIN (SELECT to_jsonb(one) AS b FROM register_book AS one LIMIT 1) AS b
    WHERE NOT EXISTS (SELECT FROM register_book WHERE site_id = s.id);
INSERT INTO lot SELECT (jsonb_populate_record(CAST(NULL AS lot), l || jsonb_build_object('id', gen_random_uuid(),
        'site_id', s.id, 'book_id', b.id, 'balance', 0))).*
    FROM site s JOIN register_book b ON b.site_id = s.id
    CROSS JOIN (SELECT to_jsonb(one) AS l FROM lot AS one LIMIT 1) AS l
    WHERE NOT EXISTS (SELECT FROM lot WHERE site_id = s.id);
UPDATE lot SET expires_on = CAST(:today AS date) + 400;
INSERT INTO place SELECT (jsonb_populate_record(CAST(NULL AS place), p || jsonb_build_object('id', s.id))).*
    FROM site s CROSS JOIN (SELECT to_jsonb(one) AS p FROM place AS one LIMIT 1) AS p
    WHERE s.id NOT IN (SELECT id FROM place);
INSERT INTO shift_setting (site_id, lock_after_minutes) SELECT id, 10 FROM site ON CONFLICT DO NOTHING
"""
_NAMED_AT_ONCE = 1000
_WRITTEN_TWICE = "dose, supply, bottle, decision, slot, client"
"""Tables whose rows were written and then completed: each lies once in its pages afterwards, as a clinic's does."""
_KEY: Final = "INSERT INTO client_key (client_id, wrapped_sealed) VALUES (%(id)s, %(wrapped)s)"
_NAMED: Final = "UPDATE client SET name_sealed = %(name)s WHERE id = %(id)s"
_CONTACT: Final = """
INSERT INTO contact (recipient_id, phone_sealed, phone_index, language, wording, consented_at, changed_at, place_id)
    SELECT id, %(phone)s, sha256(convert_to(id::text, 'UTF8')), 'en', 'covert', made_at, made_at, site_id FROM client
    WHERE id = %(id)s
"""
_BOOKS = """
CREATE TEMP TABLE country_hand ON COMMIT DROP AS
    SELECT s.id, s.site_id, s.client_id, s.at, s.dose_day, b.id AS book_id, l.id AS lot_id, a.id AS account_id,
        sum(d.mg) / l.strength AS ml,
        coalesce(sum(d.mg) FILTER (WHERE d.kind = 'observed'), 0) / l.strength AS consumed,
        row_number() OVER (PARTITION BY s.site_id ORDER BY s.at, s.id) AS no,
        row_number() OVER (PARTITION BY s.site_id, s.dose_day ORDER BY s.id) AS ticket
    FROM supply s JOIN dose d ON d.supply_id = s.id JOIN site ON site.id = s.site_id
    JOIN account a ON a.username = lower('at-' || site.code) JOIN lot l ON l.site_id = s.site_id
    JOIN register_book b ON b.id = l.book_id
    GROUP BY s.id, b.id, l.id, a.id;
CREATE TEMP TABLE country_received ON COMMIT DROP AS
    SELECT l.id AS lot_id, 500000 + ceil(coalesce((SELECT sum(ml) FROM country_hand WHERE lot_id = l.id), 0)) AS ml
    FROM lot l;
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
        lot_balance, supply_id, reason, account_id)
    SELECT gen_random_uuid(), l.book_id, 1, l.id, s.opened_at, s.opened_at::date, 'received', r.ml, 0, 0, r.ml, r.ml,
        NULL, '', a.id
    FROM lot l JOIN country_received r ON r.lot_id = l.id JOIN site s ON s.id = l.site_id
    JOIN account a ON a.username = lower('at-' || s.code);
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
        lot_balance, supply_id, reason, account_id)
    SELECT gen_random_uuid(), book_id, no + 1, lot_id, at, dose_day, 'supplied', -h.ml, consumed, h.ml - consumed,
        r.ml - sum(h.ml) OVER to_here, r.ml - sum(h.ml) OVER to_here, id, '', account_id
    FROM country_hand h JOIN country_received r USING (lot_id)
    WINDOW to_here AS (PARTITION BY site_id ORDER BY no) ORDER BY at, id;
UPDATE register_book b SET (lines, balance) = (SELECT count(*), sum(ml) FROM register_line WHERE book_id = b.id);
UPDATE lot SET balance = (SELECT balance FROM register_book b WHERE b.id = book_id);
INSERT INTO visit (id, place_id, holder_id, day, ticket, at_window, arrived_at, called_at, started_at, ended_at, calls,
        last_called_at, group_word, priority, skips, left_unserved)
    SELECT gen_random_uuid(), site_id, client_id, dose_day, ticket, 1, at - interval '5 min', at - interval '2 min',
        at - interval '1 min', at, 1, at - interval '2 min', '', 0, 0, false FROM country_hand ORDER BY at, id;
CREATE TABLE country_act AS
    SELECT h.*, n, at - n * interval '1 min' AS said_at FROM country_hand h CROSS JOIN generate_series(0, 1) AS n;
CREATE INDEX country_act_of_site ON country_act (site_id, no, n DESC)
"""
_SLOTS = """
INSERT INTO slot (place_id, starts_at, ends_at, day, capacity, booked, held, held_booked)
    SELECT place_id, at, at + interval '15 min', day, 200, 0, '{}', '{}'
    FROM (SELECT DISTINCT place_id, day, date_trunc('hour', arrived_at) AS at FROM visit) AS hours
    ON CONFLICT DO NOTHING;
INSERT INTO booking (id, holder_id, place_id, starts_at, day, state, channel, made_at, changed_at, share,
        given)
    SELECT gen_random_uuid(), holder_id, place_id, date_trunc('hour', arrived_at), day, 'arrived', 'text',
        arrived_at - interval '1 day', arrived_at, '', false FROM visit ORDER BY arrived_at, holder_id;
INSERT INTO day_close (site_id, dose_day, closed_at, counted, observed, taken_home, missed, held, unclaimed)
    SELECT site_id, dose_day, dose_day + time '10:00', false, count(*) FILTER (WHERE outcome = 'observed'),
        count(*) FILTER (WHERE outcome = 'take_home'), count(*) FILTER (WHERE outcome = 'missed'),
        count(*) FILTER (WHERE outcome = 'held'), 0 FROM day_outcome GROUP BY site_id, dose_day
"""
_TEXTS = f"""
INSERT INTO message (id, recipient_id, phone_sealed, phone_index, kind, reason_key, language, body_sealed, segments,
        state, attempts, gateway, provider_id, valid_until, created_at, changed_at, place_id, zone, is_reply, sent_at,
        charged_on, charge)
    SELECT gen_random_uuid(), holder_id, {_SEALED.format("holder_id::text")},
        sha256(convert_to(holder_id::text, 'UTF8')), 'booking_reminder', 'booking:' || id || '-evening', 'en',
        {_SEALED.format("id::text")} || {_SEALED.format("day::text")}, 1, 'delivered', 1, 'console', id::text,
        starts_at, made_at, made_at, place_id, 'UTC', false, made_at, day, 0 FROM booking ORDER BY made_at, id
"""
_TRAIL = """
DO $trail$
DECLARE chain audit_chain%ROWTYPE; act record; text_of text; link bytea;
BEGIN
    FOR chain IN SELECT * FROM audit_chain LOOP
        FOR act IN SELECT * FROM country_act WHERE site_id = chain.site_id ORDER BY no, n DESC LOOP
            chain.length := chain.length + 1;
            text_of := json_build_object('supply', act.id, 'ml', act.ml::text, 'identified_by', 'photo')::text;
            link := sha256(chain.head || convert_to(concat_ws('|', chain.site_id, chain.length,
                (extract(epoch FROM act.said_at) * 1000000)::bigint, act.account_id,
                CASE act.n WHEN 0 THEN 'dispensed' ELSE 'looked at' END, 'client', act.client_id, text_of), 'UTF8'));
            INSERT INTO audit_entry VALUES (chain.site_id, chain.length, act.said_at, act.account_id,
                CASE act.n WHEN 0 THEN 'dispensed' ELSE 'looked at' END, 'client', act.client_id, text_of, chain.head,
                link);
            chain.head := link;
        END LOOP;
        UPDATE audit_chain SET length = chain.length, head = chain.head WHERE site_id = chain.site_id;
    END LOOP;
    DROP TABLE country_act;
END $trail$
"""


def live(database: Database, country: Country) -> None:
    """Gives every site of a country its people, and every day what it left. Once, and before anything is done in it."""
    asked = {"today": country.today, "password": password_hash(PASSWORD)}
    _name(database)
    run_past(database, _SITES, asked)
    say("the sites have people, safes and places; writing their books")
    run_past(database, f"{_BOOKS};\n{_SLOTS};\n{_TEXTS}", asked)
    say("what belongs to each supply")
    write_supplies(database, country)
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(_TRAIL)
        connection.execute(f"VACUUM (FULL) {_WRITTEN_TWICE}")
        connection.execute("VACUUM (ANALYZE)")


def _name(database: Database) -> None:
    """Gives everybody a name, sealed under a key of their own, and a number that takes texts."""
    with database.reading() as session:
        people = list(session.scalars(text("SELECT id FROM client ORDER BY id")))
    for after in range(0, len(people), _NAMED_AT_ONCE):
        some = list(enumerate(people[after : after + _NAMED_AT_ONCE], start=after + 1))
        with database.writing() as session:
            vault = session.vault
            keys = [{"id": one, "wrapped": vault.seal(WRAPPED, one, os.urandom(KEY_BYTES))} for _, one in some]
            session.straight.run_each(_KEY, keys)
            vault.know([one for _, one in some])
            rows = [
                {
                    "id": one,
                    "name": vault.seal("client.name", one, f"Client {one.hex[-6:]}", of=one),
                    "phone": vault.seal(CONTACT_PHONE, one, f"+6012{3_000_000 + number}"),
                }
                for number, one in some
            ]
            session.straight.run_each(_NAMED, rows)
            session.straight.run_each(_CONTACT, rows)


def open_for_bookings(database: Database, country: Country, places: Iterable[SiteId]) -> None:
    """Each of these places takes bookings from tomorrow on, with room for all."""
    week = [Hours(weekday, time(7), time(12), 15, 60, 2) for weekday in range(7)]
    for place in places:
        with database.writing() as session:
            scheduling.service.set_hours(session, place_id=place, hours=week, from_day=country.today)


def due_today(database: Database) -> list[tuple[UUID, str, UUID]]:
    """Who is in treatment and was not away, in a fixed order that mixes the sites: client, code of the site, site."""
    asked = text("""
        SELECT c.id, s.code, s.id FROM country_person p JOIN client c ON c.id = p.id JOIN site s ON s.id = c.site_id
        WHERE (p.last_on >= :today OR p.back_on IS NOT NULL)
        AND EXISTS (SELECT FROM dose d WHERE d.client_id = c.id AND d.dose_day >= CAST(:today AS date) - 2)
        ORDER BY hashint8extended(p.n, 11)
    """)
    with database.reading() as session:
        today = session.scalar(text("SELECT max(dose_day) + 1 FROM day_outcome"))
        return [(row[0], row[1], row[2]) for row in session.execute(asked, {"today": today})]
