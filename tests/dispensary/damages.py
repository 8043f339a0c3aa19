"""Damage that somebody does who reaches past the program: statements, and what the verification then says.

They are written for the clinic of test_verification.py and run with the triggers switched off.
"""

from __future__ import annotations

_REFILLED = (
    "INSERT INTO medication (id, client_id, site_id, substance, name, started_on, stop_reason, entered_at) "
    "SELECT gen_random_uuid(), client_id, site_id, 'x', 'x', '2026-01-01', '', now() FROM supply "
    "WHERE origin = 'counter' AND voided_at IS NULL ORDER BY at, id LIMIT 1; "
    "INSERT INTO refill (id, medication_id, on_day, days, observed, supply_id, source_key, given_at, void_reason) "
    "SELECT gen_random_uuid(), m.id, s.dose_day, 1, true, s.id, s.key, now(), '' FROM medication m "
    "JOIN supply s ON s.client_id = m.client_id AND s.origin = 'counter' ORDER BY s.at, s.id LIMIT 1; "
)
"""A medicine of somebody who was given a dose, and a dose of it that was swallowed here with that."""
DAMAGES: list[tuple[str, str]] = [
    # 1
    (
        "DROP INDEX uq_dose_covers_once; INSERT INTO dose SELECT (jsonb_populate_record(d, "
        "jsonb_build_object('id', gen_random_uuid()))).* FROM dose d WHERE kind = 'observed' AND ml IS NULL "
        "AND dose_day = '2026-11-01'",
        r"has portion 1 of 2026-11-01 2 times",
    ),
    (
        "UPDATE dose SET portions = 3 WHERE portions = 2 AND portion = 1 AND dose_day = '2026-11-24'",
        r"has 2026-11-24 both whole and split",
    ),
    # 2
    (
        "DELETE FROM dose WHERE kind = 'observed' AND mg = 80",
        r"supply .* answered 1 doses and has 0",
    ),
    (
        "UPDATE supply SET answer = '{}' WHERE origin = 'counter' AND pickup_id IS NOT NULL",
        r"answered 0 doses and has 2",
    ),
    (
        "UPDATE supply SET client_id = (SELECT id FROM client WHERE number = 'OLD-1') WHERE pickup_id IS NOT NULL",
        r"stands in supply .* of another client",
    ),
    (
        "UPDATE bottle SET mg = mg - 1 WHERE state = 'handed_over' AND mg = 60",
        r"bottle \d+ was handed over, and its dose",
    ),
    (
        "DELETE FROM bottle WHERE state = 'handed_over' AND mg = 60",
        r"take-home dose .* has no bottle",
    ),
    (
        "UPDATE bottle SET state = 'prepared' WHERE state = 'back_in_stock'",
        r"bottle \d+ is prepared in a pickup that is cancelled",
    ),
    (
        "UPDATE bottle SET state = 'back_in_stock', dose_id = NULL WHERE pickup_id IS NOT NULL AND mg = 60",
        r"is back_in_stock in a pickup that is collected",
    ),
    # 3
    (
        "UPDATE register_line SET balance = balance + 1 WHERE seq = 3",
        r"line 3 of book .* says [\d.]+ mL after -[\d.]+ mL on",
    ),
    (
        "UPDATE register_line SET lot_balance = lot_balance + 1 WHERE seq = 2",
        r"line 2 of book .* in lot",
    ),
    (
        "UPDATE register_line SET ml = ml + 1 WHERE kind = 'supplied' AND seq = 2",
        r"its lines add up to",
    ),
    (
        "DELETE FROM register_line WHERE seq = 3",
        r"has line 4 after line 2",
    ),
    (
        "UPDATE lot SET balance = balance + 5",
        r"lot LOT-HRP holds [\d.]+ mL; its lines add up to",
    ),
    (
        "UPDATE register_book SET balance = balance + 5",
        r"book .* holds [\d.]+ mL in \d+ lines; its lines add up",
    ),
    (
        "UPDATE lot SET bottled = 1",
        r"promises 1.000 mL",
    ),
    (
        "INSERT INTO register_book (id, site_id, product, lines, balance) SELECT gen_random_uuid(), site_id, "
        "'x', 0, 0 FROM register_book; UPDATE lot SET book_id = (SELECT id FROM register_book WHERE product "
        "= 'x')",
        r"is about a lot of another book",
    ),
    (
        "UPDATE register_line SET kind = 'corrected', reason = 'x', corrects_id = (SELECT id FROM "
        "register_line WHERE seq = 2) WHERE seq = 3",
        r"line 3 of book .* corrects line 2, and is not its counter-entry",
    ),
    (
        "UPDATE dose SET ml = ml - 1 WHERE kind = 'observed' AND mg = 80",
        r"took 16.000 mL from lot .* by the register and 15.000 mL",
    ),
    (
        "UPDATE register_line SET consumed_ml = 0, taken_home_ml = -ml WHERE consumed_ml > 0",
        r"took .* mL from lot",
    ),
    (
        "UPDATE register_line SET supply_id = (SELECT id FROM supply WHERE origin = 'import' LIMIT 1) WHERE seq = 2",
        r"and 0 mL by its doses",
    ),
    (
        "ALTER TABLE register_book DROP CONSTRAINT ck_register_book_balance_not_negative; UPDATE register_book SET "
        "balance = -1",
        r"book .* holds -1.000 mL",
    ),
    (
        "ALTER TABLE lot DROP CONSTRAINT ck_lot_balance_not_negative; ALTER TABLE lot DROP CONSTRAINT "
        "ck_lot_bottled_is_there; UPDATE lot SET balance = -1",
        r"lot LOT-HRP holds -1.000 mL",
    ),
    (
        "UPDATE lot SET balance = balance + 5",
        r"book .* holds [\d.]+ mL; its lots hold",
    ),
    (
        "DELETE FROM supply WHERE id = (SELECT supply_id FROM register_line WHERE seq = 2)",
        r"line 2 of book .* supplied 16.000 mL to nobody",
    ),
    (
        "UPDATE register_line SET kind = 'sent', reason = 'x', transfer_id = gen_random_uuid() WHERE seq = 2",
        r"sent 16.000 mL, and there is no such transfer",
    ),
    (
        "UPDATE register_line SET kind = 'lost', reason = 'x' WHERE seq = 2",
        r"dose .* for 2026-11-24 has no line in the register",
    ),
    (
        "INSERT INTO dose_part SELECT id, lot_id, 1, 1 FROM dose WHERE kind = 'observed' AND mg = 80",
        r"dose .* is 16.000 mL, and what 1 lots gave of it adds up to 1.000 mL",
    ),
    (
        "INSERT INTO bottle SELECT (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid(), 'serial', "
        "'7', 'dose_id', NULL, 'state', 'prepared'))).* FROM bottle b WHERE state = 'handed_over' AND mg = 60 LIMIT 1",
        r"bottles \d+ \((prepared|handed_over)\) and \d+ \((prepared|handed_over)\) are both for portion 1",
    ),
    (
        "INSERT INTO stock_transfer SELECT gen_random_uuid(), site_id, gen_random_uuid(), id, NULL, batch, strength, "
        "expires_on, 7, 'in_transit', 'x', gen_random_uuid(), now(), NULL, NULL, NULL, '' FROM lot",
        r"transfer .* of 7.000 mL is in_transit, and its lines are: none",
    ),
    # 4
    (
        "ALTER TABLE dose_order DROP CONSTRAINT dose_order_no_overlap; UPDATE dose_order SET days = "
        "daterange('2026-11-02', upper(days)) WHERE mg = 50 AND origin = 'import'",
        r"orders .* and .* of episode .* overlap",
    ),
    (
        "UPDATE dose_order SET days = daterange(lower(days), upper(days) - 1) WHERE end_reason = "
        "'superseded' AND mg = 40",
        r"was superseded from 2026-11-03, and the next begins 2026-11-04",
    ),
    (
        "UPDATE dose_order SET portions = '{29}' WHERE mg = 30",
        r"do not add up to its 30.00 mg",
    ),
    (
        "UPDATE dose_order SET client_id = (SELECT id FROM client WHERE number = 'OLD-1') WHERE mg = 30",
        r"belongs to an episode of another client",
    ),
    (
        "ALTER TABLE episode DROP CONSTRAINT episode_no_overlap; INSERT INTO episode (id, client_id, "
        "site_id, began_on, origin) SELECT gen_random_uuid(), client_id, site_id, began_on + 1, 'clinic' "
        "FROM episode WHERE origin = 'import'",
        r"episodes .* of client .* overlap",
    ),
    # 5
    (
        "UPDATE dose SET mg = 41 WHERE dose_day = '2026-11-01'",
        r"for 2026-11-01 is 41.00 mg where the order says 40.00 mg",
    ),
    (
        "UPDATE dose_order SET days = daterange('2026-11-02', upper(days)) WHERE mg = 40",
        r"lies outside the days of its order",
    ),
    (
        "UPDATE dose_order SET voided_at = '2026-11-01' WHERE mg = 60",
        r"on an order that had been set aside",
    ),
    (
        "UPDATE dose SET order_id = (SELECT id FROM dose_order WHERE mg = 60) WHERE mg = 70",
        r"on another client's order",
    ),
    (
        "UPDATE dose_order SET portions = '{60,20}' WHERE mg = 80 AND cardinality(portions) = 1",
        r"is split otherwise than its order",
    ),
    (
        "UPDATE hold SET client_id = (SELECT client_id FROM dose WHERE mg = 70), placed_at = placed_at - "
        "interval '1 day'",
        r"was given while a prescriber held it",
    ),
    # 6
    (
        "DELETE FROM day_outcome WHERE outcome = 'missed' AND ordered_mg = 30",
        r"2026-11-24 is closed at site .*, and portion 1 of client",
    ),
    (
        "UPDATE day_outcome SET outcome = 'take_home' WHERE ordered_mg = 80 AND outcome = 'observed'",
        r"frozen as take_home, and no such dose",
    ),
    (
        "UPDATE day_outcome SET outcome = 'missed', given_mg = 0 WHERE ordered_mg = 80",
        r"frozen as missed, and there is a dose for it",
    ),
    (
        "UPDATE day_outcome SET ordered_mg = 35 WHERE ordered_mg = 30",
        r"frozen with 35.00 mg, not what its order says",
    ),
    # 7
    (
        "UPDATE supply SET decision_id = NULL WHERE decision_id IS NOT NULL",
        r"has bottles without a take-home decision",
    ),
    (
        "UPDATE decision SET voided_at = decided_at - interval '1 hour'",
        r"has bottles without a take-home decision",
    ),
    (
        "UPDATE decision SET days = daterange(lower(days) + 9, NULL)",
        r"has bottles without a take-home decision",
    ),
    (
        "UPDATE decision SET days = daterange(lower(days), lower(days) + 1)",
        r"has bottles without a take-home decision",
    ),
    (
        "UPDATE decision SET per_supply = 1",
        r"has bottles for 2 days where 1 were decided",
    ),
    (
        "UPDATE decision SET per_week = 3",
        r"has bottles for 4 days of the week of 2026-11-23, not 3",
    ),
    (
        "UPDATE decision SET assessment_id = (SELECT id FROM assessment ORDER BY id LIMIT 1)",
        r"cites an assessment of another client",
    ),
    (
        "UPDATE assessment SET level = 'other'",
        r"assessment .* gives another answer when it is replayed",
    ),
    (
        "UPDATE assessment SET inputs = '{}'",
        r"assessment .* gives another answer when it is replayed",
    ),
    (
        "UPDATE policy_version SET document = document || ' '",
        r"assessment .* gives another answer when it is replayed",
    ),
    # 8
    (
        "UPDATE slot SET booked = 3",
        r"has 1 bookings, counts 3, and takes 5",
    ),
    # 9
    (
        "UPDATE pickup SET state = 'unclaimed' WHERE state = 'collected'",
        r"was redeemed, and its pickup .* is unclaimed",
    ),
    (
        "UPDATE pickup_pass SET end_reason = 'redeemed', pickup_id = (SELECT id FROM pickup WHERE state = 'collected')",
        r"was opened by 2 passes",
    ),
    (
        "UPDATE supply SET pickup_id = NULL WHERE pickup_id IS NOT NULL",
        r"is collected and was handed over in 0 supplies",
    ),
    (
        "UPDATE pickup_pass SET ended_at = NULL, end_reason = NULL WHERE end_reason = 'redeemed'",
        r"is collected and pass .* still opens it",
    ),
    # 10
    (
        "INSERT INTO message (id, phone_sealed, phone_index, kind, reason_key, language, body_sealed, "
        "segments, state, attempts, valid_until, created_at, changed_at, zone, is_reply) VALUES (gen_random_uuid(), "
        "'', '', 'reminder', 'x', 'en', '', 1, 'queued', 0, now(), now(), now(), 'UTC', false)",
        r"Message .* waits, but no sender will look at it",
    ),
    # 12
    (
        "UPDATE audit_entry SET details = '[]' WHERE seq = 5",
        r"audit entry 5 of site .* does not fit the chain",
    ),
    (
        "DELETE FROM audit_entry WHERE seq = 5",
        r"audit entry 5 of site .* is missing",
    ),
    (
        "DELETE FROM audit_entry WHERE seq = (SELECT max(seq) FROM audit_entry)",
        r"the end of the audit chain",
    ),
    # 14
    ("UPDATE fact_month SET covered = covered - 1 WHERE covered > 0", r"counted otherwise than their records say"),
    ("UPDATE fact_client SET last_day = last_day - 1", r"client .* is counted otherwise than their records say"),
    ("DELETE FROM fact_month WHERE ordered > 0", r"client .* is counted otherwise than their records say"),
    ("DELETE FROM fact_client", r"client .* is counted otherwise than their records say"),
    (
        "UPDATE day_outcome SET outcome = 'held' WHERE outcome = 'missed'",
        r"counted otherwise than their records say",
    ),
    ("UPDATE fact_site_day SET doses = doses + 1", r"2026-11-24 of site .* is counted with 9 doses, and its records"),
    (
        "UPDATE day_close SET closed_at = closed_at + interval '1 hour'; "
        "UPDATE fact_site_day SET closed_at = closed_at + interval '1 hour', doses = doses - 1",
        r"2026-11-24 of site .* is counted with 7 doses, and its records say 8 to 8",
    ),
    ("UPDATE fact_site_day SET waits = 3", r"2026-11-24 of site .* is counted with 3 waits, and its records"),
    (
        "UPDATE fact_site_day SET closed_at = closed_at - interval '1 hour'",
        r"2026-11-24 of site .* is counted, and was not closed then",
    ),
    (
        "UPDATE fact_site_day SET dose_day = dose_day - 1",
        r"2026-11-24 of site .* is closed, and is not counted",
    ),
    # 13
    (
        "UPDATE client SET name_sealed = (SELECT name_sealed FROM client WHERE number = 'OLD-1') WHERE "
        "number <> 'OLD-1'",
        r"client.name of .* was sealed with another key or for another row",
    ),
    (
        "UPDATE client SET born_sealed = 'plain'::bytea WHERE number <> 'OLD-1'",
        r"client.born of .* is not a sealed field",
    ),
    (
        "UPDATE client SET number = 'OLD-2' WHERE number = 'OLD-1'",
        r"is not found by its own number",
    ),
    (
        "INSERT INTO visit (id, place_id, holder_id, day, ticket, booking_id, arrived_at, group_word, priority, calls, "
        "skips, left_unserved) SELECT id, place_id, id, day, 902, id, now(), '', 0, 0, 0, false FROM booking LIMIT 1",
        r"ticket 902 of .* has the booking of somebody else",
    ),
]

_ANOTHER = "(SELECT id FROM client ORDER BY number DESC LIMIT 1)"

UNUSUAL_DAMAGES: list[tuple[str, str]] = [
    (
        "UPDATE extra_dose SET ml = ml + 1 WHERE kind = 'top_up'",
        r"took 1.600 mL from lot .* by the register and 2.600 mL",
    ),
    ("DELETE FROM extra_dose WHERE kind = 'replacement'", r"supply .* answered 1 doses and has 0"),
    (
        "UPDATE dose SET voided_at = now() WHERE mg = 81",
        r"took 16.200 mL from lot .* by the register and 0 mL by its doses",
    ),
    (
        "UPDATE dose_exception SET allowed_mg = 39 WHERE kind = 'vomited'",
        r"is 40.00 mg where 39.00 mg were allowed",
    ),
    (
        "UPDATE dose_exception SET allowed_mg = NULL, prescriber_id = NULL WHERE kind = 'vomited'",
        r"extra dose .* was allowed by nobody",
    ),
    (
        "UPDATE extra_dose SET mg = 90 WHERE kind = 'replacement'; UPDATE dose_exception SET allowed_mg = 90 WHERE "
        "kind = 'vomited'",
        r"is 90.00 mg where 81.00 mg were vomited",
    ),
    ("UPDATE extra_dose SET kind = 'top_up' WHERE kind = 'replacement'", r"is a top_up after vomited"),
    (
        "UPDATE dose_exception SET dose_day = dose_day - 1 WHERE kind = 'top_up'",
        r"belongs to an exception of another client, day or site",
    ),
    (
        f"UPDATE supply SET client_id = {_ANOTHER} WHERE answer ? 'extra'",
        r"extra dose .* stands in a supply of another client",
    ),
    (
        "UPDATE dose_exception SET blocks = false WHERE kind = 'wrong_dose'",
        r"was given in error, and no review was asked for",
    ),
    (
        "INSERT INTO dose_exception SELECT (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))).* "
        "FROM dose_exception e WHERE kind = 'vomited'; INSERT INTO extra_dose SELECT (jsonb_populate_record(x, "
        "jsonb_build_object('id', gen_random_uuid(), 'exception_id', e.id))).* FROM extra_dose x, dose_exception e "
        "WHERE x.kind = 'replacement' AND e.kind = 'vomited' AND e.id <> x.exception_id",
        r"was replaced 2 times",
    ),
    (
        "UPDATE dose_exception SET dose_id = (SELECT id FROM dose WHERE mg = 82) WHERE kind = 'vomited'",
        r"vomited exception .* is about a dose of another client or day",
    ),
    (
        "UPDATE dose_exception SET recorded_at = recorded_at - interval '1 hour' WHERE kind = 'wrong_dose'",
        r"was given before a wrong dose was reviewed",
    ),
    ("UPDATE dose SET mg = 46 WHERE mg = 45", r"has 46.00 mg for 2026-12-18 where at most 45.00 mg were agreed"),
    (
        "DROP INDEX uq_reduction_open; INSERT INTO reduction SELECT (jsonb_populate_record(r, "
        "jsonb_build_object('id', gen_random_uuid()))).* FROM reduction r",
        r"has 2 reductions at once",
    ),
    ("UPDATE reduction SET mg = 51", r"is 51.00 mg where the guideline gave 50 mg"),
    (
        "UPDATE dose SET voided_at = NULL WHERE kind = 'take_home' AND voided_at IS NOT NULL",
        r"bottle \d+ came back full on 2026-12-18, and client .* still has its dose",
    ),
    (
        "UPDATE bottle_return SET dose_day = dose_day - 1",
        r"came back from client .*, and was handed over to another, or for another day",
    ),
    (
        "UPDATE bottle SET state = 'back_in_stock', dose_id = NULL WHERE id = (SELECT bottle_id FROM bottle_return "
        "LIMIT 1)",
        r"came back from client .*, and was never handed over",
    ),
    (
        "DROP INDEX uq_recall_open; UPDATE recall SET state = 'open', closed_at = NULL; INSERT INTO recall SELECT "
        "(jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).* FROM recall r",
        r"has 2 recalls open at once",
    ),
    ("UPDATE recall SET counted_full = 2", r"is passed with 2 bottles counted and 3 expected"),
    ("UPDATE decision SET weekdays = '{2}'", r"has a bottle for 2026-12-21|which is no day of the weekly pattern"),
    (
        "UPDATE decision SET consecutive = 2; UPDATE dose SET voided_at = NULL WHERE kind = 'take_home'",
        r"has bottles for 3 days in a row where 2 were decided",
    ),
    # 12
    (
        "DROP INDEX uq_sign_in_front; INSERT INTO station SELECT site_id, now() FROM role_grant LIMIT 1; "
        "INSERT INTO sign_in SELECT decode(md5(account_id::text), 'hex'), account_id, site_id, now(), now(), now(), "
        "site_id, row_number() OVER () FROM role_grant",
        r"2 people are in front of browser",
    ),
    (
        "INSERT INTO sign_in SELECT '-', account_id, site_id, now(), now(), now() + interval '13 hours' "
        "FROM role_grant LIMIT 1",
        r"account .* is signed in until .*, more than 12 hours after",
    ),
    # 22
    (
        "INSERT INTO break_glass SELECT gen_random_uuid(), g.site_id, 'x', NULL, now() - interval '3 days', NULL, "
        "now() - interval '2 days', g.account_id, (SELECT id FROM account a WHERE a.id <> g.account_id LIMIT 1), "
        "now() - interval '2 days', NULL, NULL, '' FROM role_grant g LIMIT 1",
        r"the sealed code of site HRP was opened at .*, and no administrator has answered",
    ),
    (
        "UPDATE role_grant SET role = 'administrator'; UPDATE account SET left_at = now()",
        r"site HRP has neither an administrator who can sign in nor a sealed code",
    ),
    (
        _REFILLED + "UPDATE supply SET voided_at = now() WHERE id = (SELECT supply_id FROM refill)",
        r"refill .* stands, and supply .* that it came with is void",
    ),
    (
        _REFILLED + "UPDATE refill SET on_day = on_day - 1",
        r"refill .* came with supply .*, which is of another client or day",
    ),
    (
        _REFILLED + "DROP INDEX uq_refill_observed_once; DROP TRIGGER refill_arrives ON refill; "
        "INSERT INTO refill SELECT (jsonb_populate_record(r, "
        "jsonb_build_object('id', gen_random_uuid(), 'source_key', 'x'))).* FROM refill r",
        r"a dose of medicine .* was swallowed here 2 times on",
    ),
    (
        _REFILLED + "ALTER TABLE refill DROP CONSTRAINT ck_refill_void_has_reason; UPDATE refill SET voided_at = now()",
        r"refill .* was taken back, and nobody said why",
    ),
    # 20
    (
        "INSERT INTO visit (id, place_id, holder_id, day, ticket, arrived_at, called_at, group_word, priority, calls, "
        "skips, left_unserved) SELECT id, id, id, '2026-11-24', 901, now(), now(), '', 0, 0, 0, false FROM place",
        r"ticket 901 of 2026-11-24 at .* was called 0 times",
    ),
    (
        "UPDATE role_grant SET direct = false WHERE role = 'doctor'",
        r"has the role of doctor at site \w+ by a branch, and by no branch",
    ),
    (
        "INSERT INTO branch_grant (id, account_id, site_id, role, granted_at) "
        "SELECT gen_random_uuid(), account_id, site_id, 'nurse', now() FROM role_grant WHERE role = 'doctor'",
        r"has the role of nurse at a branch, and not at its site",
    ),
]
