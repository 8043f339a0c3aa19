"""A migration meets a database that people have worked with: nothing is lost, and what is new has a meaning for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command
from sqlalchemy import text

from dispensary.database import Database
from dispensary.keys import Vault
from dispensary.schema import _config, migrate
from tests.dispensary.old_clinic import BACK, BOOKED, BOTTLES, DOSED, FULL, WORKED


@pytest.fixture
def old_database(server: str, vault: Vault) -> Iterator[Database]:
    """A database as the first clinic migration left it, with two hundred clients in it."""
    admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE old_clinic")
    database = Database(server.replace("/takehome?", "/old_clinic?"), vault, pool_size=3)
    try:
        with database.engine.connect() as connection:
            command.upgrade(_config(connection), "0003_clinic")
            connection.commit()
        with database.engine.begin() as connection:
            connection.exec_driver_sql(FULL)
        yield database
    finally:
        database.close()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("DROP DATABASE old_clinic WITH (FORCE)")


def one(database: Database, sql: str) -> tuple[object, ...]:
    with database.reading() as session:
        return tuple(session.execute(text(sql)).one())


def test_flexible_dosing_comes_to_a_full_database_and_loses_nothing(old_database: Database) -> None:
    before = {name: one(old_database, f"SELECT count(*) FROM {name}") for name in ("dose", "dose_order", "decision")}

    assert migrate(old_database)[0] == "0004_dosing"

    assert {name: one(old_database, f"SELECT count(*) FROM {name}") for name in before} == before
    assert one(old_database, "SELECT count(*), min(kind), max(kind) FROM decision") == (200, "grant", "grant")
    assert one(old_database, "SELECT count(*) FROM hold WHERE release_reason = ''") == (200,)
    # Where each portion is taken was not asked then: the first at the counter, the others as decided.
    assert one(old_database, "SELECT count(*) FROM dose_order WHERE places IS NULL") == (200,)
    # By how much a count may differ came along; nothing else is set for the safe.
    kept = "SELECT tolerance_ml, tolerance_percent, days_of_stock, mix_strengths FROM stock_setting"
    assert one(old_database, kept) == (5, None, None, False)
    with old_database.writing() as session:
        session.execute(
            text("""INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind,
                mg, closed_day) SELECT gen_random_uuid(), id, site_id, id, id, '2026-02-02', 2, 2, 'observed', 30, false
                FROM client""")
        )
    assert one(old_database, "SELECT count(*), sum(mg) FROM dose") == (400, 16_000)


def test_every_bottle_of_a_full_database_gets_its_record(old_database: Database) -> None:
    with old_database.engine.begin() as connection:
        connection.exec_driver_sql(BOTTLES)
    with old_database.engine.connect() as connection:
        command.upgrade(_config(connection), "0004_dosing")
        connection.commit()
    with old_database.engine.begin() as connection:
        connection.exec_driver_sql(BACK)

    assert migrate(old_database)[0] == "0005_bottles"

    with old_database.reading() as session:
        records = session.execute(
            text("""SELECT record, state, count(*) FROM (
                        SELECT b.state, (SELECT string_agg(e.state, ' ' ORDER BY e.seq) FROM bottle_event e
                            WHERE e.bottle_id = b.id) AS record FROM bottle b) AS each
                    GROUP BY 1, 2 ORDER BY 1""")
        ).all()
    assert [tuple(row) for row in records] == [
        ("handed_over", "handed_over", 160),
        ("handed_over returned_empty", "returned_empty", 20),
        ("handed_over returned_full", "returned_full", 20),
        ("prepared", "prepared", 180),
        ("prepared back_in_stock", "back_in_stock", 20),
    ]
    assert one(old_database, "SELECT bottled FROM lot") == (1800,)


def test_whoever_collected_before_anybody_asked_was_the_client(old_database: Database) -> None:
    migrate(old_database)
    asked = "SELECT count(*), bool_and(collected_by = 'client' AND NOT id_requested AND agent_id IS NULL) FROM supply"
    assert one(old_database, asked) == (200, True)


_AMONG_THE_LINES = """SELECT count(*) FROM stock_discrepancy WHERE kind IN ('negative', 'line_does_not_follow',
    'line_missing', 'book_not_its_lines', 'book_not_its_lots', 'lot_not_its_lines', 'bottled_not_its_bottles',
    'bottle_in_two_places')"""
_NAMES = """SELECT string_agg(kind || ' ' || rows || ' ' || of_site, ', ' ORDER BY kind) FROM (SELECT kind,
    count(*) AS rows, count(site_id) AS of_site FROM stock_discrepancy GROUP BY 1) AS named"""
_NAMED_BEFORE = "dose_without_line 181 181, supply_not_its_doses 1 1"
_WHOLE_INDEX = "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indexrelid = '{}'::regclass"
AFTERWARDS: dict[str, list[tuple[str, tuple[object, ...]]]] = {
    "0005_bottles": [
        ("SELECT count(*), count(DISTINCT bottle_id) FROM bottle_event", (460, 400)),
        (
            "SELECT count(*) FROM bottle b WHERE state <> (SELECT state FROM bottle_event WHERE bottle_id = b.id"
            " ORDER BY seq DESC LIMIT 1)",
            (0,),
        ),
        ("SELECT bottled, balance FROM lot", (1800, 7205)),
    ],
    "0006_shift": [
        # Nobody knows at which browser an earlier sign-in was: everybody signs in once more, and nobody is gone.
        ("SELECT (SELECT count(*) FROM sign_in), (SELECT count(*) FROM account)", (0, 1)),
    ],
    "0007_safe": [
        (
            "SELECT opened_at = (SELECT min(at) FROM register_line WHERE kind = 'supplied'), opened_by FROM lot",
            (True, None),
        ),
        ("SELECT count(*), count(transfer_id), sum(ml) FROM register_line", (183, 0, 7205)),
        ("SELECT count(*), count(judged), count(tolerance), sum(difference) FROM stock_count", (2, 0, 0, -5)),
        (
            "SELECT tolerance_ml, tolerance_percent, days_of_stock, mix_strengths, one_open_lot FROM stock_setting",
            (5, None, None, False, False),
        ),
        (
            "SELECT count(*) FROM information_schema.columns WHERE (table_name, column_name) ="
            " ('site', 'tolerance_ml')",
            (0,),
        ),
        (_AMONG_THE_LINES, (0,)),
    ],
    "0008_paper": [("SELECT count(*) FROM paper_setting", (0,))],
    "0009_passes": [
        (
            "SELECT count(*), bool_and(collected_by = 'client' AND NOT id_requested AND NOT id_provided),"
            " count(agent_id)"
            " FROM supply",
            (200, True, 0),
        ),
        (
            "SELECT count(*) FILTER (WHERE ended_at IS NULL), count(*) FILTER (WHERE end_reason = 'revoked'), max(key)"
            " FROM pickup_pass",
            (180, 20, ""),
        ),
        ("SELECT count(*), count(pass_id) FROM pass_attempt", (1, 0)),
    ],
    "0010_stops": [
        ("SELECT count(*), count(found) FROM supply", (200, 0)),
        (
            "SELECT count(*) FILTER (WHERE identified_by = 'photo'), count(*) FILTER (WHERE identified_by = 'import'),"
            " count(*) FILTER (WHERE identified_by = 'second_identifier') FROM supply",
            (160, 20, 20),
        ),
    ],
    "0011_guests": [
        ("SELECT bool_and(site_of_day(id, '2026-02-02') = site_id) FROM client", (True,)),
    ],
    "0012_outage": [
        (
            "SELECT count(*) FILTER (WHERE origin = 'counter'), count(*) FILTER (WHERE origin = 'import'),"
            " (SELECT count(*) FROM late_entry) FROM supply",
            (180, 20, 0),
        ),
    ],
    "0013_losses": [
        ("SELECT count(*), count(called_by), min(state) FROM recall", (20, 20, "open")),
    ],
    "0014_failed_jobs": [
        ("SELECT count(*), count(*) FILTER (WHERE failure <> '') FROM job_run", (9, 1)),
    ],
    "0015_paper_of_guests": [("SELECT count(*) FROM supply", (200,))],
    "0016_suppliers": [("SELECT count(*), sum(balance) FROM lot", (1, 7205))],
    "0017_carried": [("SELECT count(*) FILTER (WHERE state = 'back_in_stock') > 0 FROM bottle", (True,))],
    "0018_in_date": [("SELECT count(*) FROM dose WHERE lot_expires_before(lot_id, supply_id, dose_day)", (0,))],
    "0019_queue": [
        (
            "SELECT count(*), sum(calls), count(last_called_at), count(at_window), sum(skips + priority) FROM visit",
            (3, 2, 2, 2, 0),
        ),
    ],
    "0020_outbox": [
        (
            "SELECT count(place_id), min(zone), max(zone), count(*) FILTER (WHERE is_reply), count(sent_at),"
            " count(charged_on) FROM message",
            (200, "Asia/Kuala_Lumpur", "Asia/Kuala_Lumpur", 100, 200, 0),
        ),
        ("SELECT count(place_id), count(DISTINCT place_id) FROM contact", (200, 1)),
    ],
    "0021_text_languages": [
        ("SELECT array_agg(language), count(accepted_by) FROM text_language", (["ms"], 0)),
    ],
    "0022_slots": [
        # Nothing was held then, and every place that was taken stood open to all.
        (
            "SELECT count(*), count(*) FILTER (WHERE share = '' AND NOT given AND standing_id IS NULL) FROM booking",
            (3, 3),
        ),
        ("SELECT booked, held::text, held_booked::text FROM slot", (3, "{}", "{}")),
        ("SELECT count(*) FROM opening WHERE held = '{}'", (6,)),
    ],
    "0023_moved": [
        # Calls that were made before had no key, and nobody was moved by a closure.
        ("SELECT (SELECT count(*) FROM queue_act), (SELECT count(*) FROM closure_case)", (0, 0)),
    ],
    # Nobody has said yet which number their clients write to.
    "0024_phone_line": [("SELECT count(*) FROM phone_line", (0,))],
    "0025_health": [
        # No alert that stands was opened by a rule of health, and none of them has been read or put away as idle.
        (
            "SELECT count(*) FROM alert WHERE rule <> '' OR evidence <> '{}' OR dismissed OR read_at IS NOT NULL",
            (0,),
        ),
        ("SELECT count(*) FROM client_condition WHERE ended_on IS NOT NULL", (0,)),
    ],
    "0026_phone_pins": [
        # Nobody had a PIN, and every number goes on as it did, also where several share it.
        ("SELECT (SELECT count(*) FROM phone_pin), (SELECT count(*) FROM contact)", (0, 200)),
    ],
    "0027_wishes": [
        # Whoever agreed to texts agreed to those about bookings; nobody has asked for more.
        (
            "SELECT (SELECT count(*) FROM text_wish), bool_and(wants_text(id, 'booking_reminder')),"
            " bool_or(wants_text(id, 'news')) FROM client",
            (0, True, False),
        ),
    ],
    "0028_incoming": [
        # No file of results has come in, and no laboratory has names of its own.
        ("SELECT (SELECT count(*) FROM result_file), (SELECT count(*) FROM result_mapping)", (0, 0)),
    ],
    "0029_longer": [
        ("SELECT text_group('booking_reminder_longer'), text_group('booking_reminder')", ("reminder", "reminder")),
    ],
    "0030_refills": [("SELECT (SELECT count(*) FROM refill), (SELECT count(*) FROM treatment)", (0, 0))],
    "0031_support": [("SELECT count(*) FROM adherence_support", (0,))],
    "0033_quiet": [("SELECT count(*) FROM quiet_rule", (0,))],
    "0034_back_full": [
        ("SELECT count(*) FROM dose WHERE voided_at = '2026-02-04'", (20,)),
        (
            "SELECT count(*), count(*) FILTER (WHERE outcome = 'held'), min(reason), sum(given_mg) FROM day_as_known"
            " JOIN day_correction c USING (client_id, dose_day, portion, outcome, given_mg) WHERE corrected_at = c.at",
            (9, 1, "its bottle came back full: ill", 0),
        ),
    ],
    "0035_episodes": [("SELECT (SELECT count(*) FROM episode_set), (SELECT count(*) FROM imported_episode)", (0, 0))],
    "0037_disclosures": [("SELECT (SELECT count(*) FROM release), (SELECT count(*) FROM disclosure)", (0, 0))],
    # Nothing is counted while a full database is brought up to date: the job that counts comes after it.
    "0038_facts": [("SELECT (SELECT count(*) FROM fact_client), (SELECT count(*) FROM day_outcome)", (0, 9))],
    "0039_route": [("SELECT count(entry_route) FROM episode", (0,))],
    "0040_referrals": [("SELECT count(*) FROM referral", (0,))],
    # Nobody's record was held, and every text is wiped in its time.
    "0046_legal_holds": [("SELECT count(*), (SELECT count(*) FROM message) FROM legal_hold", (0, 200))],
    # Whoever signed in by the password alone goes on so, until a site asks for more.
    "0041_second_factor": [
        ("SELECT (SELECT count(*) FROM second_factor), (SELECT count(*) FROM factor_setting)", (0, 0)),
    ],
    "0043_permits": [("SELECT count(*) FROM site_permission", (0,))],
    "0044_looks": [
        # What was looked at before stays as it stands in the trail; nobody's record is watched, no anchor is made up.
        (
            "SELECT (SELECT count(*) FROM audit_anchor), (SELECT count(*) FROM watched_record),"
            " (SELECT count(*) FROM look_reason), (SELECT count(*) FROM look_setting)",
            (0, 0, 0, 0),
        ),
    ],
    "0045_client_keys": [
        # Nobody has a key of their own before `dispensary keys reseal`, and which keys seal is noted at the next start.
        ("SELECT (SELECT count(*) FROM client_key), (SELECT count(*) FROM erasure)", (0, 0)),
        ("SELECT count(*) FROM vault_key", (0,)),
    ],
    # Whoever could sign in before still can: their account counts as accepted, and nobody is invited.
    "0042_entry": [
        ("SELECT count(*), count(*) FILTER (WHERE accepted_at = made_at) FROM account", (1, 1)),
        ("SELECT (SELECT count(*) FROM invitation), (SELECT count(*) FROM break_glass)", (0, 0)),
        ("SELECT (SELECT count(*) FROM api_token), (SELECT count(*) FROM entry_setting)", (0, 0)),
    ],
    # Nobody has signed a consent here, and no emergency waits for its words.
    "0046b_consents": [("SELECT (SELECT count(*) FROM consent), (SELECT count(*) FROM release_note)", (0, 0))],
    # Nobody has said for how long records are kept: no period ends by itself.
    "0050_erasing": [("SELECT count(*), count(keep_years) FROM site", (1, 0))],
    # Whoever owns the tables goes on seeing all of them.
    "0048_walls": [
        ("SELECT count(*), bool_and(relrowsecurity) FROM pg_class WHERE relname IN ('client', 'dose')", (2, True)),
        ("SELECT count(*) FROM client", (200,)),
    ],
    # Nobody has asked about anybody, and no site has named who answers.
    "0046c_legal_demands": [
        ("SELECT (SELECT count(*) FROM legal_demand), (SELECT count(*) FROM demand_setting)", (0, 0)),
    ],
    "0051_entry_walls": [
        ("SELECT bool_and(relrowsecurity) FROM pg_class WHERE relname IN ('api_token', 'invitation')", (True,)),
    ],
    "0051_contact_notes": [("SELECT count(*) FROM contact_note", (0,))],
    "0053_sign_in_forms": [("SELECT count(*) - count(DISTINCT forms), count(*) > 0 FROM sign_in", (0, False))],
    "0055_branches": [
        ("SELECT count(*), (SELECT count(*) FROM branch_grant) FROM area", (0, 0)),
        ("SELECT bool_and(area_id IS NULL AND main_site_id IS NULL AND lat IS NULL) FROM site", (True,)),
        ("SELECT count(*) FROM role_grant WHERE NOT direct", (0,)),
    ],
    "0058_followup": [("SELECT count(how), (SELECT count(*) FROM visit_wish) FROM contact_note", (0, 0))],
    "0052_index_keys": [
        ("SELECT count(*) FROM number_exchange", (0,)),
        ("SELECT count(*) = count(signed_by), bool_and(signed_by = 's001') FROM pickup_pass", (True, True)),
    ],
    "0052b_own_words": [
        (
            "SELECT count(*) FROM release r WHERE client_id IS DISTINCT FROM (SELECT min(CAST(client_id AS text))"
            " FROM disclosure WHERE release_id = r.id HAVING count(*) = 1)::uuid",
            (0,),
        ),
        ("SELECT count(*) FROM inbound WHERE recipient_id IS NOT NULL", (0,)),
    ],
    "0053b_token_pace": [("SELECT count(*) FROM token_pace", (0,))],
    "0053c_glass_looks": [("SELECT count(*) FROM look_review", (0,))],
    "0054_passwords": [("SELECT count(*), min(hash) FROM account_password", (1, "-"))],
    "0054b_bulk_walls": [
        (
            "SELECT count(*) FROM pg_policies WHERE tablename IN ('client', 'fact_client', 'fact_gap', 'fact_month')",
            (16,),
        ),
    ],
    "0054c_retention": [("SELECT count(*) FROM retention_period", (0,))],
    "0057_screenings": [
        ("SELECT (SELECT count(*) FROM screening), (SELECT count(*) FROM instrument_setting)", (0, 0)),
    ],
    "0057b_offers": [("SELECT (SELECT count(*) FROM service_offer), (SELECT count(*) FROM pathway_setting)", (0, 0))],
    "0057c_sessions": [("SELECT (SELECT count(*) FROM session_plan), (SELECT count(*) FROM plan_session)", (0, 0))],
    "0055b_satellites": [("SELECT count(*) FILTER (WHERE satellite) FROM guest_stay", (0,))],
    "0055c_rollup": [("SELECT count(*), (SELECT count(*) FROM programme_setting) FROM fact_site_day", (0, 0))],
    "0055d_doubles": [("SELECT count(*) FROM double_enrolment", (0,))],
    "0058b_naloxone": [("SELECT count(*), (SELECT count(*) FROM naloxone_lot) FROM naloxone_kit", (0, 0))],
    "0058c_linkage": [("SELECT count(*), (SELECT count(*) FROM care_setting) FROM linkage_step", (0, 0))],
    "0058d_directory": [("SELECT count(*), (SELECT count(centre_id) FROM referral) FROM referral_word", (0, 0))],
    "0058e_intakes": [("SELECT count(*), (SELECT count(*) FROM intake_part) FROM intake", (0, 0))],
    "0058f_visits": [("SELECT count(*), (SELECT count(*) FROM on_call) FROM home_visit", (0, 0))],
    "0058g_outreach": [("SELECT count(*), (SELECT count(*) FROM life_status) FROM outreach_contact", (0, 0))],
    "0061_kits_together": [("SELECT count(*), (SELECT count(*) FROM naloxone_kit) FROM naloxone_lot", (0, 0))],
    "0061b_surveys": [
        ("SELECT count(*), (SELECT count(*) FROM group_meeting) FROM survey", (0, 0)),
        ("SELECT text_group('meeting_reminder'), text_group('caring')", ("reminder", "missed")),
    ],
    "0056_hot_queries": [("SELECT count(*) FROM message", (200,))],
    "0059_homes": [
        (
            "SELECT count(*), bool_and(h.no = 1 AND h.until IS NULL AND h.site_id = c.site_id AND h.number = c.number"
            " AND site_of_day(c.id, '2026-02-02') = c.site_id) FROM client c LEFT JOIN client_home h"
            " ON h.client_id = c.id",
            (200, True),
        ),
    ],
    "0063_lost_texts": [("SELECT count(*) FROM message", (200,))],
    "0062_alone": [
        ("SELECT count(*), (SELECT count(*) FROM pg_trigger WHERE tgenabled = 'R') FROM site_apart", (0, 16))
    ],
    "0064_calls_heard": [("SELECT count(*) FROM visit", (3,))],
    "0066_apart": [
        (
            "SELECT count(*), (SELECT count(*) FROM pg_trigger WHERE tgenabled = 'R') FROM pickup WHERE NOT twice",
            (200, 23),
        )
    ],
    "0068_goals": [
        ("SELECT count(*), (SELECT count(*) FROM legal_status) FROM goal_step", (0, 0)),
        ("SELECT count(*) FROM instrument_setting WHERE band_told", (0,)),
    ],
    "0067_moves": [("SELECT count(*), sum(undone_bottles_back + undone_bookings_dropped) FROM client_move", (0, None))],
    "0069_told_anew": [
        (
            "SELECT position('resolved_at IS NOT NULL' IN prosrc) > 0 FROM pg_proc WHERE proname = 'alert_of_arrival'",
            (True,),
        )
    ],
    "0070_taken_back": [
        (
            "SELECT (SELECT count(voided_at) FROM naloxone_kit), (SELECT count(voided_at) FROM naloxone_use),"
            " (SELECT count(voided_at) FROM outreach_contact)",
            (0, 0, 0),
        ),
    ],
    "0071_goal_words": [("SELECT count(*) FROM goal_word", (0,))],
    "0072_roles_at_once": [
        (
            "SELECT position('AS MATERIALIZED' IN prosrc) > 0 FROM pg_proc WHERE proname = 'roles_follow_the_tree'",
            (True,),
        ),
    ],
    "0073_leaving": [
        ("SELECT bool_or(has_died(id)), bool_and(wants_text(id, 'booking_reminder')) FROM client", (False, True)),
        ("SELECT count(*) FROM home_visit", (0,)),
    ],
    "0074_works_with": [("SELECT count(*), max(revision) FROM works_with", (1, "0074_works_with"))],
    "0075_followed_on": [
        ("SELECT (SELECT count(*) FROM contact_note WHERE stops), count(again_days) FROM follow_up_setting", (0, 0)),
    ],
    "0076_intake_consents": [("SELECT count(*), count(consent_at) FROM intake", (0, 0))],
    "0077_intakes_wait": [("SELECT count(*), count(intake_days) FROM care_setting", (0, 0))],
    "0078_wanted": [("SELECT count(*), count(settled_at) FROM service_offer", (0, 0))],
    "0079_open_again": [
        ("SELECT count(*), (SELECT count(voided_at) FROM life_status) FROM entry_taken_back", (0, 0)),
        (
            "SELECT count(*) FROM pg_trigger WHERE tgname IN ('taken_back_once', 'goal_stays_closed')",
            (9,),
        ),
    ],
    "0084_live_bottles": [
        (_WHOLE_INDEX.format("ix_bottle_live"), (1, True)),
        (_NAMES, (_NAMED_BEFORE,)),
    ],
    "0086_safe_by_site": [(_NAMES, (_NAMED_BEFORE,))],
    "0087_decided_on": [(_WHOLE_INDEX.format("ix_decision_assessment_id"), (1, True))],
    "0088_full_returns": [(_WHOLE_INDEX.format("ix_bottle_return_full"), (1, True))],
    "0080_told_to": [("SELECT count(consent_to_sealed), count(*) FROM intake", (0, 0))],
    "0082_looked_after": [("SELECT count(*), count(ended_at) FROM looked_after", (0, 0))],
    "0085_by_client": [
        (
            "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indisvalid AND relname IN"
            " ('ix_pickup_client_id_collect_on', 'ix_guest_stay_client_id', 'ix_dose_exception_dose', 'ix_hold_open')",
            (4,),
        )
    ],
    "0083_own_care": [("SELECT count(*) FROM care_document", (0,))],
    "0081_place_stays": [
        ("SELECT position('NEW.centre_id' IN prosrc) > 0 FROM pg_proc WHERE proname = 'referral_is_kept'", (True,)),
    ],
    "0083b_given_outside": [("SELECT count(*) FROM intake_service", (0,))],
    "0089_moved_on": [("SELECT count(*) FROM pg_trigger WHERE tgname = 'nobody_of_the_site_before'", (1,))],
    "0090_visits_of_client": [(_WHOLE_INDEX.format("ix_home_visit_client_id"), (1, True))],
}
"""What each later migration leaves of a full database, oldest first."""
CAME = """
INSERT INTO place (id, zone, lead_minutes, horizon_days)
VALUES ('00000000-0000-0000-0000-000000000001', 'Asia/Kuala_Lumpur', 0, 60);
INSERT INTO visit (id, place_id, holder_id, day, ticket, at_window, arrived_at, called_at, started_at, ended_at) VALUES
    (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', gen_random_uuid(), '2026-02-02', 1, 2,
     '2026-02-02 07:00Z', '2026-02-02 07:05Z', '2026-02-02 07:05Z', '2026-02-02 07:09Z'),
    (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', gen_random_uuid(), '2026-02-02', 2, NULL,
     '2026-02-02 07:01Z', '2026-02-02 07:06Z', NULL, NULL),
    (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', gen_random_uuid(), '2026-02-02', 3, NULL,
     '2026-02-02 07:02Z', NULL, NULL, NULL);
"""
WROTE = """
INSERT INTO contact (recipient_id, phone_sealed, phone_index, language, wording, changed_at)
SELECT id, 'x', 'x', CASE WHEN row_number() OVER () <= 9 THEN 'ms' ELSE 'en' END, 'covert', '2026-02-01' FROM client;
INSERT INTO message (id, recipient_id, phone_sealed, phone_index, kind, reason_key, language, body_sealed, segments,
    state, attempts, provider_id, valid_until, created_at, changed_at)
SELECT id, id, 'x', 'x', 'menu', CASE WHEN row_number() OVER () <= 100 THEN 'reply:' ELSE 'reminder:' END || id, 'en',
    'x', 1, 'sent', 1, id, '2026-02-02', '2026-02-01', '2026-02-01' FROM client;
"""
NEVER_FEWER = (
    "client",
    "dose",
    "dose_order",
    "decision",
    "supply",
    "pickup",
    "bottle",
    "bottle_return",
    "lot",
    "register_book",
    "register_line",
    "stock_count",
    "pickup_pass",
    "recall",
    "job_run",
    "visit",
    "contact",
    "message",
    "booking",
)


def to(database: Database, revision: str, *, back: bool = False) -> None:
    with database.engine.connect() as connection:
        (command.downgrade if back else command.upgrade)(_config(connection), revision)
        connection.commit()


def fill(database: Database, *rows: str) -> None:
    with database.engine.begin() as connection:
        for each in rows:
            connection.exec_driver_sql(each)


@pytest.fixture
def worked(old_database: Database) -> Database:
    """The old clinic after a week of work, as the second clinic migration left it."""
    fill(old_database, BOTTLES, WORKED)
    to(old_database, "0004_dosing")
    fill(old_database, BACK, DOSED, CAME, WROTE, BOOKED)
    return old_database


def test_each_migration_leaves_a_full_database_as_it_should_read(worked: Database) -> None:
    rows = {name: one(worked, f"SELECT count(*) FROM {name}") for name in NEVER_FEWER}
    wrong = []
    for revision, reads in AFTERWARDS.items():
        to(worked, revision)
        wrong += [(revision, sql, found) for sql, right in reads if (found := one(worked, sql)) != right]
        wrong += [
            (revision, name, found)
            for name in rows
            if (found := one(worked, f"SELECT count(*) FROM {name}")) != rows[name]
        ]
    assert wrong == []
    assert migrate(worked) == [], "a new migration says above what it leaves of a full database"


def test_the_old_clinic_goes_on_working_after_all_of_them(worked: Database) -> None:
    migrate(worked)
    fill(
        worked,
        """INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, note)
        SELECT id, 0, 'returned_empty', '2026-03-01', packed_by, '' FROM bottle WHERE state = 'handed_over'""",
        """INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, note)
        SELECT id, 0, 'back_in_stock', '2026-03-01', packed_by, 'not collected' FROM bottle WHERE state = 'prepared'""",
        """INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml,
        balance, lot_balance, reason, account_id) SELECT gen_random_uuid(), id, 0, id, '2026-03-01', '2026-03-01',
        'counted', 5, 0, 0, 0, 0, 'found again', '00000000-0000-0000-0000-000000000002' FROM lot""",
    )
    assert one(worked, "SELECT count(*) FROM bottle WHERE state = 'returned_empty'") == (180,)
    assert one(worked, "SELECT bottled, balance FROM lot") == (0, 7210)
    assert one(worked, _AMONG_THE_LINES) == (0,)


def test_whom_somebody_takes_on_while_the_table_of_several_is_made_is_among_them(worked: Database) -> None:
    to(worked, "0080_told_to")
    with ThreadPoolExecutor(1) as pool, worked.engine.connect() as desk, worked.engine.connect() as step:
        step.exec_driver_sql("SET lock_timeout = '10s'")
        desk.exec_driver_sql(
            """INSERT INTO client_assignment (client_id, account_id, assigned_by, assigned_at)
            SELECT c.id, a.id, a.id, now() FROM client c, (SELECT id FROM account LIMIT 1) a LIMIT 3"""
        )
        made = pool.submit(command.upgrade, _config(step), "0082_looked_after")
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        with worked.engine.connect() as looks:
            give_up = time.monotonic() + 10
            while not looks.exec_driver_sql(waits).scalar() and time.monotonic() < give_up:
                looks.rollback()
        desk.commit()
        made.result()
        step.commit()
    assert one(worked, "SELECT count(*) FROM looked_after") == (3,)


REFILLED = """
INSERT INTO treatment (id, client_id, site_id, kind, started_on, stop_reason, entered_at)
SELECT id, id, site_id, 'tb', '2026-01-01', '', '2026-01-01' FROM client;
INSERT INTO medication (id, client_id, site_id, treatment_id, substance, name, started_on, stop_reason, entered_at)
SELECT id, id, site_id, id, 'rifampicin', 'rifampicin', '2026-01-01', '', '2026-01-01' FROM client;
INSERT INTO refill (id, medication_id, on_day, days, observed, source_key, given_at, void_reason)
SELECT gen_random_uuid(), id, '2026-02-02', 1, row_number() OVER (ORDER BY id) <= 50, 'a', '2026-02-02 09:00Z', ''
FROM client;
INSERT INTO refill (id, medication_id, on_day, days, observed, source_key, given_at, void_reason)
SELECT gen_random_uuid(), medication_id, on_day, days, observed, 'b', '2026-02-02 10:00Z', '' FROM refill;
"""


def test_a_dose_that_was_written_down_twice_for_a_day_counts_once_and_both_stay_readable(worked: Database) -> None:
    to(worked, "0029_longer")
    fill(worked, REFILLED)
    to(worked, "0030_refills")
    assert one(worked, "SELECT count(*), count(*) FILTER (WHERE observed) FROM treatment") == (200, 50)
    assert one(
        worked,
        "SELECT count(*), count(voided_at), min(source_key) FILTER (WHERE voided_at IS NOT NULL),"
        " max(void_reason) FROM refill",
    ) == (400, 50, "b", "written down twice for the day")


def test_the_last_migrations_go_back_and_forth_over_a_full_database(worked: Database) -> None:
    migrate(worked)
    fill(
        worked,
        """INSERT INTO delivery (id, site_id, lot_id, line_id, supplier_name, supplier_address, document_no, paper_ml,
        measured_ml, reason, account_id, at) SELECT gen_random_uuid(), lot_id, lot_id, id, 'Pharmaniaga', 'Shah Alam',
        'DO-1', 9000, 9000, '', account_id, at FROM register_line WHERE kind = 'received'""",
    )
    rows = {name: one(worked, f"SELECT count(*) FROM {name}") for name in NEVER_FEWER}

    to(worked, "0013_losses", back=True)

    first = "SELECT supplier_name, supplier_address, document_no FROM lot"
    assert one(worked, first) == ("Pharmaniaga", "Shah Alam", "DO-1")
    assert {name: one(worked, f"SELECT count(*) FROM {name}") for name in NEVER_FEWER} == rows
    assert migrate(worked)[0] == "0014_failed_jobs"
    assert {name: one(worked, f"SELECT count(*) FROM {name}") for name in NEVER_FEWER} == rows
    assert one(worked, "SELECT supplier_name, document_no FROM delivery") == ("Pharmaniaga", "DO-1")
