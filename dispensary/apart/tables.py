"""Which server writes which table while a satellite runs alone, and what of it goes where. Pure.

Each table has one place here; a test names those that have none. So no row can be written at both.
"""

from __future__ import annotations

from enum import StrEnum


class Written(StrEnum):
    """Who writes a table while a site is apart, and where its rows go."""

    COUNTER = "the satellite writes the rows of its own site, which come to the centre as they are written"
    CENTRE = "the centre writes it; the satellite has what concerns its clients and its site, from the cut, to read"
    BROUGHT = "how its people sign in: from the cut once, then each server's own"
    EACH = "each server's own: sign-ins, jobs, texts, what is counted from other tables"
    AWAY = "the centre writes it, and it is not taken along: a counter does not need it"


COUNTER = (
    # the safe
    *("register_book", "lot", "register_line", "stock_count", "delivery", "destruction", "investigation"),
    *("stock_finding", "stock_transfer"),
    # hand-overs
    *("supply", "dose", "dose_part", "dose_exception", "extra_dose", "supply_void", "late_entry", "flag_answer"),
    *("bottle", "bottle_event", "bottle_return", "bottle_report", "reported_bottle", "pickup", "pickup_pass"),
    *("pass_attempt", "carrying", "refill"),
    # days
    *("day_close", "day_outcome", "day_correction", "fact_site_day", "fact_stock_day"),
    # what is to be seen to, and who looked
    *("alert", "task", "contact_note", "look_reason", "look_review", "audit_chain", "audit_entry", "audit_anchor"),
    *("break_glass", "device"),
    # naloxone over the counter
    *("naloxone_lot", "naloxone_kit", "naloxone_answer", "naloxone_use"),
    # the queue and its times
    *("slot", "booking", "standing", "standing_skip", "visit", "queue_act", "ticket_counter"),
)
CENTRE = (
    *("site", "area", "place", "account", "role_grant", "branch_grant", "site_permission", "accreditation", "on_call"),
    *(
        "client",
        "client_key",
        "client_index",
        "client_assignment",
        "looked_after",
        "client_condition",
        "client_group",
        "episode",
    ),
    *("client_move", "client_home"),
    *("dose_order", "dose_plan", "hold", "reduction", "stop_flag", "assessment", "decision", "guest_stay"),
    *("recall", "agent", "agent_consent", "treatment", "medication", "contact", "text_wish", "visit_wish"),
    *("policy_version", "care_document", "policy_adoption", "guideline_adoption", "programme_setting", "phone_line"),
    *("opening", "closure", "booking_rule", "queue_setting", "text_rules", "text_language"),
    *("bottle_setting", "care_setting", "downtime_setting", "due_setting", "entry_setting", "factor_setting"),
    *("follow_up_setting", "group_setting", "guest_setting", "health_setting", "instrument_setting", "look_setting"),
    *("packing_setting", "paper_setting", "pass_setting", "pathway_setting", "quiet_rule", "recall_setting"),
    *("retention_period", "sending_setting", "shift_setting", "stock_setting"),
)
BROUGHT = ("account_password", "counter_pin", "second_factor", "recovery_code", "passkey_holder", "passkey")
EACH = (
    *("alembic_version", "works_with", "site_apart", "vault_key", "job_run", "gateway_pace", "token_pace"),
    *("sign_in", "half_sign_in", "station", "sign_in_attempt", "passkey_challenge"),
    *("message", "inbound", "conversation", "pin_gate", "news_text", "number_exchange", "wait", "offer"),
    *("fact_client", "fact_gap", "fact_month", "test_due", "scheduled_look"),
)
AWAY = (
    *(
        "adherence_support",
        "api_token",
        "client_goal",
        "goal_step",
        "goal_step_mark",
        "goal_word",
        "closure_case",
        "consent",
        "demand_setting",
        "disclosure",
    ),
    *(
        "disclosure_notice",
        "double_enrolment",
        "entry_taken_back",
        "episode_set",
        "erasure",
        "factor_reset",
        "feedback_answer",
    ),
    *("feedback_question", "health_centre", "health_result", "home_visit", "imported_episode", "intake"),
    *("intake_part", "intake_service", "intake_release", "invitation"),
    *("laboratory", "laboratory_limit", "legal_demand"),
    *("legal_demand_step", "legal_hold", "legal_status", "life_status", "linkage_step", "news", "number_change"),
    *("outreach_contact", "outreach_material", "phone_pin", "plan_session", "referral", "referral_word", "release"),
    *("release_note", "result_file", "result_mapping", "screening", "screening_score", "service_offer"),
    *("session_plan", "watched_record", "group_meeting", "group_attendance"),
    *("survey", "survey_answer", "survey_ticket"),
)
WRITTEN = {
    **dict.fromkeys(COUNTER, Written.COUNTER),
    **dict.fromkeys(CENTRE, Written.CENTRE),
    **dict.fromkeys(BROUGHT, Written.BROUGHT),
    **dict.fromkeys(EACH, Written.EACH),
    **dict.fromkeys(AWAY, Written.AWAY),
}
TAKEN = (*COUNTER, *CENTRE, *BROUGHT)
"""The tables of which a cut holds something."""

SITES = ("site_id", "place_id")
CLIENTS = ("client_id", "holder_id", "recipient_id")

HANGS_ON = {
    "register_line": ("book_id", "register_book"),
    "dose_part": ("dose_id", "dose"),
    "flag_answer": ("flag_id", "stop_flag"),
    "bottle_event": ("bottle_id", "bottle"),
    "reported_bottle": ("report_id", "bottle_report"),
    "refill": ("medication_id", "medication"),
    "standing_skip": ("standing_id", "standing"),
}
"""Tables of the counter with neither site nor client: a row goes where the row goes that it hangs on."""

REVIEWED_AT_THE_CENTRE = ("dose_exception",)
"""What a prescriber closes at the centre although the satellite opened it: the only rows that both may change.

A review is written once and closes; where both wrote one, the satellite's is kept, and the audit trail has both. What
is found when rows of both meet (a day that both covered) is written at the centre as the satellite's, and comes there
with a cut, as every closing does.
"""
REVIEW = ("closed_by", "closed_at", "outcome")
"""The columns that say how it was closed."""


def names_of(site_code: str) -> str:
    """What the slot and the publication of a site are called on its own server, and its subscription at the centre."""
    return f"takehome_{site_code.lower().replace('-', '_')}"
