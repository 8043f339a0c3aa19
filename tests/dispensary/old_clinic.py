"""The rows of an old clinic, as people entered them while the first migrations were the newest."""

FULL = """
INSERT INTO site (id, code, name, zone, day_starts, region, language, address, phone, prescriber_phone, jump_percent,
    jump_mg, missed_days_ask, tolerance_ml, opened_at)
VALUES ('00000000-0000-0000-0000-000000000001', 'OLD', 'An old site', 'Asia/Kuala_Lumpur', '00:00', 'MY', 'en', '', '',
    '', 30, 20, 3, 5, '2026-01-01');
INSERT INTO account (id, username, name, initials, password_hash, made_at)
VALUES ('00000000-0000-0000-0000-000000000002', 'doctor', 'Dr. Lim Wei', 'LW', '-', '2026-01-01');
INSERT INTO policy_version (id, policy, version, document, sha256, status, published_at)
VALUES ('00000000-0000-0000-0000-000000000003', 'P', '1', '', '', 'active', '2026-01-01');
INSERT INTO client (id, site_id, number, name_sealed, sex, made_at)
SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'H' || n, '', 'unknown', '2026-01-01'
FROM generate_series(1, 200) AS n;
INSERT INTO episode (id, client_id, site_id, began_on, origin)
SELECT id, id, site_id, '2026-01-01', 'clinic' FROM client;
INSERT INTO dose_order (id, episode_id, client_id, site_id, days, mg, portions, reason, ordered_by, ordered_at, origin)
SELECT id, id, id, site_id, '[2026-01-01,)', 80, '{50, 30}', 'stable', '00000000-0000-0000-0000-000000000002',
    '2026-01-01', 'clinic' FROM client;
INSERT INTO hold (id, episode_id, client_id, days, reason, placed_by, placed_at)
SELECT id, id, id, '[2026-03-01,2026-03-02)', 'seen first', '00000000-0000-0000-0000-000000000002', '2026-03-01'
FROM client;
INSERT INTO assessment (id, site_id, client_id, episode_id, policy_version_id, on_day, inputs, inputs_sha256, result,
    level, made_at)
SELECT id, site_id, id, id, '00000000-0000-0000-0000-000000000003', '2026-02-01', '{}', '', '{}', 'none', '2026-02-01'
FROM client;
INSERT INTO decision (id, site_id, client_id, episode_id, assessment_id, days, per_supply, per_week, closed_days_apart,
    differs, reason, decided_by, decided_at)
SELECT id, site_id, id, id, id, '[2026-02-01,)', 6, NULL, true, true, 'knows the client',
    '00000000-0000-0000-0000-000000000002', '2026-02-01' FROM client;
INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, identified_by, observation,
    second_look, dispensed_by, origin, answer)
SELECT id, site_id, id, id, '2026-02-02', '2026-02-02', 'key-' || id, '', 'photo', '', '',
    '00000000-0000-0000-0000-000000000002', 'counter', '{}' FROM client;
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, closed_day)
SELECT id, id, site_id, id, id, '2026-02-02', 1, 2, 'observed', 50, false FROM client;
"""
"""Two hundred clients, as the first clinic migration left them."""
BOTTLES = """
INSERT INTO register_book (id, site_id, product, lines, balance)
SELECT id, id, 'methadone oral solution 5 mg/mL', 0, 0 FROM site;
INSERT INTO lot (id, site_id, book_id, batch, strength, expires_on, balance, bottled, received_at)
SELECT id, id, id, 'OLD-1', 5, '2027-01-01', 0, 0, '2026-01-01' FROM site;
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
    lot_balance, reason, account_id)
SELECT gen_random_uuid(), id, 0, id, '2026-01-01', '2026-01-01', 'received', 9000, 0, 0, 0, 0, '',
    '00000000-0000-0000-0000-000000000002' FROM lot;
UPDATE supply SET decision_id = id;
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, ml, lot_id,
    closed_day)
SELECT gen_random_uuid(), id, site_id, id, id, '2026-02-03', 1, 2, 'take_home', 50, 10, site_id, false FROM client;
INSERT INTO pickup (id, site_id, client_id, episode_id, collect_on, state, prepared_by, prepared_at, closed_at, reason)
SELECT id, site_id, id, id, '2026-02-09', CASE right(number, 1) WHEN '0' THEN 'cancelled' ELSE 'prepared' END,
    '00000000-0000-0000-0000-000000000002', '2026-02-02', CASE right(number, 1) WHEN '0' THEN '2026-02-03'::timestamptz
    END, CASE right(number, 1) WHEN '0' THEN 'moved' ELSE '' END FROM client;
INSERT INTO bottle (id, serial, site_id, client_id, order_id, pickup_id, dose_id, lot_id, dose_day, portion, portions,
    mg, ml, state, packed_by, packed_at)
SELECT id, 'S' || id, site_id, client_id, order_id, NULL::uuid, id, lot_id, dose_day, 1, 2, 50, 10, 'handed_over',
    '00000000-0000-0000-0000-000000000002'::uuid, '2026-02-02'::timestamptz FROM dose WHERE kind = 'take_home'
UNION ALL
SELECT id, 'P' || id, site_id, client_id, client_id, id, NULL::uuid, site_id, collect_on, 1, 2, 50, 10,
    CASE state WHEN 'prepared' THEN 'prepared' ELSE 'back_in_stock' END, '00000000-0000-0000-0000-000000000002'::uuid,
    '2026-02-02'::timestamptz FROM pickup;
"""
"""Their lot, take-home doses, pickups and bottles."""
BACK = """
INSERT INTO bottle_return (id, bottle_id, site_id, client_id, dose_day, is_full, returned_on, reason, recorded_by, at)
SELECT gen_random_uuid(), b.id, b.site_id, b.client_id, b.dose_day, right(c.number, 1) = '5', '2026-02-04',
    CASE right(c.number, 1) WHEN '5' THEN 'ill' ELSE '' END, '00000000-0000-0000-0000-000000000002', '2026-02-04'
FROM bottle b JOIN client c ON c.id = b.client_id WHERE b.state = 'handed_over' AND right(c.number, 1) IN ('5', '6');
INSERT INTO day_outcome (client_id, dose_day, portion, portions, site_id, episode_id, order_id, ordered_mg, given_mg,
    outcome, frozen_at)
SELECT b.client_id, b.dose_day, 1, 2, b.site_id, b.client_id, b.client_id, 50, 50, 'take_home', '2026-02-03 15:00Z'
FROM bottle b JOIN client c ON c.id = b.client_id WHERE b.state = 'handed_over' AND c.number ~ '[02468]5$';
INSERT INTO hold (id, episode_id, client_id, days, reason, placed_by, placed_at, release_reason)
SELECT gen_random_uuid(), id, id, '[2026-02-03,2026-02-05)', 'ECG first', '00000000-0000-0000-0000-000000000002',
    '2026-02-03', '' FROM client WHERE number = 'H25';
"""
"""Bottles that came back, which the second clinic migration began to know; of some the day had closed."""
WORKED = """
UPDATE supply SET origin = CASE right(c.number, 1) WHEN '1' THEN 'import' ELSE 'counter' END,
    identified_by = CASE right(c.number, 1) WHEN '1' THEN 'import' WHEN '2' THEN 'second_identifier'
        ELSE 'photo' END
FROM client c WHERE c.id = supply.client_id;
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
    lot_balance, supply_id, reason, account_id)
SELECT s.id, s.site_id, 0, s.site_id, '2026-02-02 09:00+00'::timestamptz + substr(c.number, 2)::int
    * interval '1 minute', '2026-02-02', 'supplied', -10, 0, 10, 0, 0, s.id, '', '00000000-0000-0000-0000-000000000002'
FROM supply s JOIN client c ON c.id = s.client_id WHERE s.origin = 'counter';
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
    lot_balance, corrects_id, reason, account_id)
SELECT gen_random_uuid(), book_id, 0, lot_id, at + interval '1 day', '2026-02-03', 'corrected', 10, 0, 0, 0, 0, id,
    'another client was meant', account_id FROM register_line WHERE supply_id IN (SELECT id
    FROM client WHERE number = 'H2');
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
    lot_balance, reason, account_id)
SELECT gen_random_uuid(), id, 0, id, '2026-02-04', '2026-02-04', 'counted', -5, 0, 0, 0, 0, 'left in the cylinder',
    '00000000-0000-0000-0000-000000000002' FROM lot;
INSERT INTO stock_count (id, site_id, lot_id, dose_day, at, expected, measured, difference, reason, account_id)
SELECT gen_random_uuid(), id, id, '2026-02-04', '2026-02-04', 7210, 7210 - gap, -gap,
    left('in the cylinder', gap * 9), '00000000-0000-0000-0000-000000000002' FROM lot, unnest(ARRAY[5, 0]) AS gap;
INSERT INTO pickup_pass (id, site_id, pickup_id, token_digest, code_digest, issued_by, issued_at, valid_from,
    valid_until, ended_at, end_reason)
SELECT id, site_id, id, sha256(id::text::bytea), sha256(id::text::bytea), prepared_by, prepared_at, prepared_at,
    '2026-02-09', closed_at, CASE state WHEN 'cancelled' THEN 'revoked' END FROM pickup;
INSERT INTO sign_in (token_digest, account_id, site_id, began_at, seen_at, ends_at)
SELECT 'a cookie'::bytea, '00000000-0000-0000-0000-000000000002', id, '2026-02-02', '2026-02-02', '2026-02-03'
FROM site;
"""
"""What else stands in the tables that later migrations alter: supplies, the register, counts, passes, sign-ins."""
DOSED = """
INSERT INTO pass_attempt (id, site_id, at, account_id, why)
SELECT gen_random_uuid(), id, '2026-02-02', NULL, 'unknown' FROM site;
INSERT INTO recall (id, site_id, client_id, cause, from_day, called_on, bring_by, called_by, called_at, state, note)
SELECT id, site_id, id, 'check', '2026-02-02', '2026-02-02', '2026-02-03', '00000000-0000-0000-0000-000000000002',
    '2026-02-02', 'open', '' FROM client WHERE right(number, 1) = '7';
INSERT INTO job_run (job, slot, began_at, ended_at, failure, result)
SELECT 'close day', 'OLD 2026-02-0' || n, '2026-02-02', '2026-02-02', CASE n WHEN 3 THEN 'the disk was full'
    ELSE '' END, '{}' FROM generate_series(1, 9) AS n;
"""
"""The same in tables that came with the second clinic migration."""

BOOKED = """
INSERT INTO place (id, zone, lead_minutes, horizon_days)
VALUES ('00000000-0000-0000-0000-0000000000aa', 'Asia/Kuala_Lumpur', 0, 60);
INSERT INTO opening (id, place_id, weekday, opens, closes, slot_minutes, capacity, windows, from_day, until_day)
SELECT gen_random_uuid(), id, weekday, '07:00', '10:00', 15, 3, 1, '2026-01-01', NULL
FROM place, generate_series(0, 5) AS weekday
WHERE id = '00000000-0000-0000-0000-0000000000aa';
INSERT INTO slot (place_id, starts_at, ends_at, day, capacity, booked)
SELECT id, '2026-02-02 07:00+08', '2026-02-02 07:15+08', '2026-02-02', 3, 3 FROM place
WHERE id = '00000000-0000-0000-0000-0000000000aa';
INSERT INTO booking (id, holder_id, place_id, starts_at, day, state, channel, made_at, changed_at, moved_from)
SELECT gen_random_uuid(), gen_random_uuid(), place_id, starts_at, day, 'booked', 'text', now(), now(), NULL
FROM slot, generate_series(1, 3)
WHERE place_id = '00000000-0000-0000-0000-0000000000aa';
"""
"""A full slot with its three bookings."""
