"""A signed-in person's unit of work sees the rows of their own sites: row-level security as the second wall."""

from alembic import op

from dispensary.migrations.walls import (
    DESK_SITES,
    MINE,
    OUR_CLIENT,
    no_wall,
    open_to_all_sites,
    walled_by,
    walled_by_account,
    walled_by_both,
    walled_by_client,
    walled_by_site,
    walled_through,
)

revision = "0048_walls"
down_revision = "0050_erasing"
branch_labels = None
depends_on = None

BY_SITE = (
    "api_token", "audit_anchor", "audit_chain", "audit_entry", "bottle_setting", "break_glass", "day_close",
    "delivery", "destruction", "device", "disclosure_notice", "downtime_setting", "due_setting", "entry_setting",
    "episode_set", "factor_setting", "feedback_answer", "group_setting", "guest_setting", "health_setting",
    "investigation", "invitation", "laboratory", "late_entry", "look_review", "look_setting", "lot", "news",
    "packing_setting", "paper_setting", "pass_attempt", "pass_setting", "phone_line", "pickup_pass",
    "policy_adoption", "quiet_rule", "recall_setting", "register_book", "release", "result_file",
    "sending_setting", "shift_setting", "site_permission", "stock_count", "stock_finding", "stock_setting",
    "supply_void", "text_language",
)  # fmt: skip
BY_PLACE = (
    "booking", "booking_rule", "closure", "closure_case", "offer", "opening", "queue_act", "queue_setting", "slot",
    "standing", "text_rules", "ticket_counter", "visit", "wait",
)  # fmt: skip
BY_BOTH = (
    "adherence_support", "agent", "agent_consent", "alert", "assessment", "bottle", "bottle_report",
    "bottle_return", "carrying", "client_index", "consent", "day_outcome", "decision", "dose", "dose_exception",
    "dose_order", "dose_plan", "episode", "erasure", "extra_dose", "feedback_question", "health_result",
    "legal_hold", "look_reason", "medication", "pickup", "recall", "reduction", "referral", "scheduled_look",
    "stop_flag", "supply", "task", "test_due", "treatment", "watched_record",
)  # fmt: skip
BY_CLIENT = (
    "client_assignment", "client_condition", "client_goal", "client_group", "day_correction", "fact_client",
    "fact_gap", "fact_month", "hold", "number_change", "phone_pin", "text_wish",
)  # fmt: skip
THROUGH = (
    ("bottle_event", "bottle"), ("disclosure", "release"), ("dose_part", "dose"), ("laboratory_limit", "laboratory"),
    ("news_text", "news"), ("refill", "medication"), ("release_note", "release"), ("result_mapping", "laboratory"),
    ("standing_skip", "standing"),
)  # fmt: skip
# Whose a text is: the place's that sent it, or its client's; one that came in is whoever's number it came from.
_FROM_OUR_NUMBER = "EXISTS (SELECT FROM contact WHERE contact.phone_index = {}.phone_index)"
OTHERWISE = (
    walled_by_site("place", "id"),
    walled_by_client("contact", "recipient_id"),
    walled_by(
        "message",
        f"{MINE.format('place_id')} OR {OUR_CLIENT.format('message.recipient_id')}",
    ),
    walled_by("inbound", _FROM_OUR_NUMBER.format("inbound")),
    walled_by("conversation", _FROM_OUR_NUMBER.format("conversation")),
    walled_through("flag_answer", "stop_flag", "flag_id"),
    walled_through("imported_episode", "episode_set", "set_id"),
    walled_through("register_line", "register_book", "book_id"),
    walled_through("reported_bottle", "bottle_report", "report_id"),
    # Both ends of what goes from one site to another see it.
    walled_by("guest_stay", f"{MINE.format('home_site_id')} OR {MINE.format('guest_site_id')}"),
    walled_by("stock_transfer", f"{MINE.format('from_site_id')} OR {MINE.format('to_site_id')}"),
    walled_by(
        "client",
        f"{MINE.format('site_id')} OR EXISTS (SELECT FROM guest_stay WHERE guest_stay.client_id = client.id"
        f" AND guest_stay.verified_at IS NOT NULL AND {MINE.format('guest_stay.guest_site_id')})",
        added=MINE.format("site_id"),
        changed=MINE.format("site_id"),
    ),
    # A client's key is made before its client is there, and goes once: nobody destroys another site's.
    open_to_all_sites("client_key", added="true", changed=OUR_CLIENT.format("client_key.client_id")),
    open_to_all_sites("guideline_adoption", added=MINE.format("site_id"), changed=MINE.format("site_id")),
    open_to_all_sites("site", changed=MINE.format("id")),
    open_to_all_sites("role_grant", added=MINE.format("site_id"), changed=MINE.format("site_id")),
    open_to_all_sites("job_run"),
    open_to_all_sites("vault_key"),
)
BY_ACCOUNT = (
    "counter_pin", "factor_reset", "half_sign_in", "passkey", "passkey_challenge", "passkey_holder", "recovery_code",
    "second_factor", "sign_in",
)  # fmt: skip
OPEN = ("account", "gateway_pace", "pin_gate", "policy_version", "sign_in_attempt", "station")


def upgrade() -> None:
    op.execute(DESK_SITES)
    for table in BY_SITE:
        op.execute(walled_by_site(table))
    for table in BY_PLACE:
        op.execute(walled_by_site(table, "place_id"))
    for table in BY_BOTH:
        op.execute(walled_by_both(table))
    for table in BY_CLIENT:
        op.execute(walled_by_client(table))
    for table in BY_ACCOUNT:
        op.execute(walled_by_account(table))
    for table, other in THROUGH:
        op.execute(walled_through(table, other))
    for statements in OTHERWISE:
        op.execute(statements)
    for table in OPEN:
        op.execute(open_to_all_sites(table, added="true", changed="true"))


_ONCE = (
    "client", "client_key", "contact", "conversation", "flag_answer", "guest_stay", "guideline_adoption",
    "imported_episode", "inbound", "job_run", "message", "place", "register_line", "reported_bottle",
    "role_grant", "site", "stock_transfer", "vault_key",
)  # fmt: skip


def downgrade() -> None:
    for table in (
        *BY_SITE,
        *BY_PLACE,
        *BY_BOTH,
        *BY_CLIENT,
        *BY_ACCOUNT,
        *(table for table, _ in THROUGH),
        *_ONCE,
        *OPEN,
    ):
        op.execute(no_wall(table))
    op.execute("DROP FUNCTION desk_sites()")
