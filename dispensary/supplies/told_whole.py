"""What the whole record says beyond its main parts: a line for each row of each room about the client, in plain words.

Names of others, reasons and remarks of the staff are told by none (`NOT_TOLD` says of each table why it is not here). A
test goes through every table that knows of a client: it stands in one of the two lists, or the test fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, LiteralString

from dispensary.database import ReadSession
from dispensary.supplies.printing.wording import short_day
from dispensary.supplies.told_care import CARE
from dispensary.units import ClientId, plain
from dispensary.words import _

IN_MAIN_PARTS: Final = ("client_condition", "decision", "dose", "dose_order", "episode", "health_result", "medication")
"""What `told.py` tells by itself, and tells in less than the whole record too."""
NOT_TOLD: Final[Mapping[str, str]] = {
    "agent": "the name of somebody else",
    "agent_consent": "about somebody else; that a bottle was collected by one stands with the bottle",
    "alert": "what the staff were asked to do; what it rests on is told",
    "bottle_event": "the steps of a bottle, of which the last is told",
    **dict.fromkeys(("client_assignment", "looked_after"), "who of the staff looks after them"),
    "client_move": "why they moved and who wrote it; from when they were of which site is told",
    **dict.fromkeys(("client_goal", "goal_step", "goal_step_mark", "goal_word"), "what they want to reach is theirs"),
    "client_index": "digests by which their name is found",
    "client_key": "a random key",
    "closure_case": "what became of a booking on a closed day; the booking is told as it stands",
    "day_correction": "the day is told as it was corrected",
    "disclosure": "what was told to whom has a paper of its own, for them alone",
    "dose_part": "from which bottle of stock a dose was poured",
    "double_enrolment": "names another record, which may be somebody else's; that it was looked into is told",
    "entry_taken_back": "what was entered in error; what is so is told, and that it was taken back by who looked",
    "erasure": "of whoever was erased nothing is left to tell",
    **dict.fromkeys(("fact_client", "fact_gap", "fact_month"), "counted from the days"),
    "feedback_question": "that they were asked how a visit was; what they answered is nobody's",
    "flag_answer": "remarks of the staff",
    "late_entry": "how a dose came to the record; the dose is told",
    **dict.fromkeys(("legal_demand_step", "legal_hold"), "of a case that is not theirs to be told by us"),
    "legal_status": "a paper that says it jails somebody; they know it, and nobody is told it",
    "look_reason": "who looked has a paper of its own, for them alone",
    "number_change": "the phone line's, and gone within minutes",
    "offer": "a place that was kept for minutes; the booking is told",
    "pass_attempt": "a pass that was shown; the pickup is told",
    "phone_pin": "a digest of what they alone know",
    "pickup_pass": "a pass; the pickup is told",
    "pin_gate": "how often a wrong PIN came from a number",
    "queue_act": "a call to a window",
    "inbound": "the words of a text, kept by its number for some weeks; what followed from them is told",
    **dict.fromkeys(("release", "release_note", "intake_release"), "what was told has a paper of its own, for them"),
    "reported_bottle": "which bottle a report is about; the report is told",
    "session_plan": "its sessions are told one by one",
    "standing_skip": "a week that was left out; the weekly time is told",
    "stop_flag": "remarks of the staff; that a dose was withheld is told",
    "supply": "the hand-over of doses that are told one by one",
    "task": "what the staff were asked to do",
    "home_visit": "the contact that came of a visit is told",
    "intake": "what named them before is gone; how they came stands with the stay",
    "intake_part": "what they said before they were a client is theirs",
    "intake_service": "what they were given before they were a client, counted without a name",
    "naloxone_answer": "an offer that was not taken",
    "naloxone_use": "for whom a kit was used is nobody's to tell",
    "referral_word": "remarks about a referral; what became of it is told",
    "watched_record": "that looks at the record are read through by a second person",
}
"""Tables that know of a client and are not told, and why."""


@dataclass(frozen=True)
class Told:
    """How the rows of one table are told."""

    table: str
    heading: Callable[[], str]
    ask: LiteralString
    """Of `client` between the days `first` and `last`, in `zone`."""
    line: Callable[..., str]


def _word(code: object) -> str:
    return str(code).replace("_", " ")


def _until(day: date | None) -> str:
    return short_day(day) if day else _("today")


def _yes(said: bool | None) -> str:
    return _("not asked") if said is None else _("yes") if said else _("no")


def _circumstances(*said: bool | None) -> str:
    housing, employed, health, children = map(_yes, said)
    return _(
        "Stable housing: %(housing)s; work: %(work)s; stable health: %(health)s; children at home: %(children)s",
        housing=housing,
        work=employed,
        health=health,
        children=children,
    )


def _mg(amount: Decimal | None) -> str:
    return "–" if amount is None else f"{plain(amount)} mg"


TOLD: Final = (
    Told(
        "client",
        lambda: _("Circumstances"),
        "SELECT housing_stable, employed, health_stable, children_at_home FROM client WHERE id = %(client)s",
        _circumstances,
    ),
    Told(
        "client_group",
        lambda: _("Circumstances"),
        "SELECT word FROM client_group WHERE client_id = %(client)s ORDER BY word",
        lambda word: _("May have places that are held for: %(what)s", what=_word(word)),
    ),
    Told(
        "dose_plan",
        lambda: _("Changes of the dose"),
        """SELECT kind, (signed_at AT TIME ZONE %(zone)s)::date FROM dose_plan WHERE client_id = %(client)s
        ORDER BY signed_at""",
        lambda kind, day: _("Plan of %(day)s: %(kind)s", day=short_day(day), kind=_word(kind)),
    ),
    Told(
        "hold",
        lambda: _("Changes of the dose"),
        "SELECT lower(days), upper(days) FROM hold WHERE client_id = %(client)s ORDER BY days",
        lambda first, after: _(
            "Held from %(first)s, until before %(after)s",
            first=short_day(first) if first else "–",
            after=_until(after),
        ),
    ),
    Told(
        "reduction",
        lambda: _("Changes of the dose"),
        "SELECT from_day, mg FROM reduction WHERE client_id = %(client)s ORDER BY from_day",
        lambda day, mg: _("Less after missed days, from %(day)s: %(mg)s", day=short_day(day), mg=_mg(mg)),
    ),
    Told(
        "day_outcome",
        lambda: _("Days as they were closed"),
        """SELECT d.dose_day, coalesce(c.outcome, d.outcome), coalesce(c.given_mg, d.given_mg) FROM day_outcome d
        LEFT JOIN LATERAL (SELECT outcome, given_mg FROM day_correction c WHERE c.client_id = d.client_id
            AND c.dose_day = d.dose_day AND c.portion = d.portion ORDER BY no DESC LIMIT 1) AS c ON true
        WHERE d.client_id = %(client)s AND d.dose_day BETWEEN %(first)s AND %(last)s
        ORDER BY d.dose_day DESC, d.portion""",
        lambda day, outcome, mg: f"{short_day(day)}: {_word(outcome)}, {_mg(mg)}",
    ),
    Told(
        "dose_exception",
        lambda: _("Out of the usual at the counter"),
        """SELECT dose_day, kind FROM dose_exception WHERE client_id = %(client)s
        AND dose_day BETWEEN %(first)s AND %(last)s ORDER BY recorded_at DESC""",
        lambda day, kind: f"{short_day(day)}: {_word(kind)}",
    ),
    Told(
        "extra_dose",
        lambda: _("Out of the usual at the counter"),
        """SELECT dose_day, mg FROM extra_dose WHERE client_id = %(client)s AND voided_at IS NULL
        AND dose_day BETWEEN %(first)s AND %(last)s ORDER BY dose_day DESC""",
        lambda day, mg: _("%(day)s: given again, %(mg)s", day=short_day(day), mg=_mg(mg)),
    ),
    Told(
        "supply_void",
        lambda: _("Out of the usual at the counter"),
        """SELECT s.dose_day FROM supply_void v JOIN supply s ON s.id = v.supply_id WHERE s.client_id = %(client)s
        AND s.dose_day BETWEEN %(first)s AND %(last)s ORDER BY s.dose_day DESC""",
        lambda day: _("%(day)s: a hand-over was entered by mistake, and taken back", day=short_day(day)),
    ),
    Told(
        "assessment",
        lambda: _("Bottles to carry home"),
        """SELECT on_day, level FROM assessment WHERE client_id = %(client)s AND on_day BETWEEN %(first)s AND %(last)s
        ORDER BY on_day DESC""",
        lambda day, level: _("Assessed on %(day)s: %(level)s", day=short_day(day), level=_word(level)),
    ),
    Told(
        "bottle",
        lambda: _("Bottles to carry home"),
        """SELECT dose_day, mg, state FROM bottle WHERE client_id = %(client)s
        AND dose_day BETWEEN %(first)s AND %(last)s ORDER BY dose_day DESC, portion""",
        lambda day, mg, state: _(
            "Bottle for %(day)s, %(mg)s: %(state)s", day=short_day(day), mg=_mg(mg), state=_word(state)
        ),
    ),
    Told(
        "bottle_return",
        lambda: _("Bottles to carry home"),
        """SELECT returned_on, is_full FROM bottle_return WHERE client_id = %(client)s
        AND returned_on BETWEEN %(first)s AND %(last)s ORDER BY returned_on DESC""",
        lambda day, full: (
            _("%(day)s: a bottle came back full", day=short_day(day))
            if full
            else _("%(day)s: a bottle came back empty", day=short_day(day))
        ),
    ),
    Told(
        "bottle_report",
        lambda: _("Bottles to carry home"),
        """SELECT what, (at AT TIME ZONE %(zone)s)::date FROM bottle_report WHERE client_id = %(client)s
        ORDER BY at DESC""",
        lambda what, day: _("%(day)s: bottles were reported: %(what)s", day=short_day(day), what=_word(what)),
    ),
    Told(
        "recall",
        lambda: _("Bottles to carry home"),
        "SELECT called_on, state FROM recall WHERE client_id = %(client)s ORDER BY called_on DESC",
        lambda day, state: _("Called back to be counted on %(day)s: %(state)s", day=short_day(day), state=_word(state)),
    ),
    Told(
        "pickup",
        lambda: _("Bottles to carry home"),
        """SELECT collect_on, state FROM pickup WHERE client_id = %(client)s
        AND collect_on BETWEEN %(first)s AND %(last)s ORDER BY collect_on DESC""",
        lambda day, state: _("Prepared for %(day)s: %(state)s", day=short_day(day), state=_word(state)),
    ),
    Told(
        "carrying",
        lambda: _("Bottles to carry home"),
        """SELECT (counted_out_at AT TIME ZONE %(zone)s)::date, state FROM carrying WHERE client_id = %(client)s
        ORDER BY counted_out_at DESC""",
        lambda day, state: _("Brought to their home on %(day)s: %(state)s", day=short_day(day), state=_word(state)),
    ),
    Told(
        "treatment",
        lambda: _("Treatments"),
        "SELECT kind, started_on, stopped_on FROM treatment WHERE client_id = %(client)s ORDER BY started_on",
        lambda kind, first, last: _(
            "%(kind)s from %(first)s to %(last)s", kind=_word(kind), first=short_day(first), last=_until(last)
        ),
    ),
    Told(
        "refill",
        lambda: _("Treatments"),
        """SELECT m.name, r.on_day, r.days FROM refill r JOIN medication m ON m.id = r.medication_id
        WHERE m.client_id = %(client)s AND r.voided_at IS NULL AND r.on_day BETWEEN %(first)s AND %(last)s
        ORDER BY r.on_day DESC""",
        lambda name, day, days: _("%(day)s: %(name)s for %(n)s days", day=short_day(day), name=name, n=days),
    ),
    Told(
        "adherence_support",
        lambda: _("Treatments"),
        """SELECT on_day, kind FROM adherence_support WHERE client_id = %(client)s AND voided_at IS NULL
        AND on_day BETWEEN %(first)s AND %(last)s ORDER BY on_day DESC""",
        lambda day, kind: f"{short_day(day)}: {_word(kind)}",
    ),
    Told(
        "scheduled_look",
        lambda: _("Treatments"),
        """SELECT on_day, done_at IS NOT NULL FROM scheduled_look WHERE client_id = %(client)s ORDER BY on_day DESC""",
        lambda day, done: (
            _("Looked at on %(day)s, as a medicine asks for", day=short_day(day))
            if done
            else _("To be looked at on %(day)s, as a medicine asks for", day=short_day(day))
        ),
    ),
    Told(
        "test_due",
        lambda: _("Treatments"),
        "SELECT test, due_on FROM test_due WHERE client_id = %(client)s ORDER BY due_on",
        lambda test, day: _("%(test)s is due on %(day)s", test=_word(test), day=short_day(day)),
    ),
    Told(
        "referral",
        lambda: _("Referrals"),
        "SELECT service, sent_on, outcome FROM referral WHERE client_id = %(client)s ORDER BY sent_on DESC",
        lambda service, day, outcome: _(
            "%(day)s: referred for %(service)s; %(outcome)s",
            day=short_day(day),
            service=_word(service),
            outcome=_word(outcome) if outcome else _("not known yet"),
        ),
    ),
    Told(
        "contact_note",
        lambda: _("Asked how they are"),
        """SELECT (at AT TIME ZONE %(zone)s)::date, reached, voided_at IS NOT NULL FROM contact_note
        WHERE client_id = %(client)s AND (at AT TIME ZONE %(zone)s)::date BETWEEN %(first)s AND %(last)s
        ORDER BY at DESC""",
        lambda day, reached, voided: (
            (
                _("%(day)s: they were reached", day=short_day(day))
                if reached
                else _("%(day)s: they were not reached", day=short_day(day))
            )
            + (f" ({_('taken back')})" if voided else "")
        ),
    ),
    Told(
        "visit_wish",
        lambda: _("Asked how they are"),
        "SELECT said_on, agreed FROM visit_wish WHERE client_id = %(client)s ORDER BY noted_at DESC LIMIT 1",
        lambda day, agreed: (
            _("Wants to be visited at home, as they said on %(day)s", day=short_day(day))
            if agreed
            else _("Wants no visit at home, as they said on %(day)s", day=short_day(day))
        ),
    ),
    Told(
        "guest_stay",
        lambda: _("As a guest of another site"),
        """SELECT there.name, g.from_day, g.until_day FROM guest_stay g JOIN site there ON there.id = g.guest_site_id
        WHERE g.client_id = %(client)s AND g.verified_at IS NOT NULL ORDER BY g.from_day DESC""",
        lambda name, first, last: _(
            "%(site)s, %(first)s to %(last)s", site=name, first=short_day(first), last=short_day(last)
        ),
    ),
    Told(
        "booking",
        lambda: _("Bookings"),
        """SELECT day, state FROM booking WHERE holder_id = %(client)s AND day BETWEEN %(first)s AND %(last)s
        ORDER BY day DESC, made_at""",
        lambda day, state: f"{short_day(day)}: {_word(state)}",
    ),
    Told(
        "standing",
        lambda: _("Bookings"),
        "SELECT from_day, until_day FROM standing WHERE holder_id = %(client)s ORDER BY from_day DESC",
        lambda first, last: _("A weekly time from %(first)s to %(last)s", first=short_day(first), last=_until(last)),
    ),
    Told(
        "wait",
        lambda: _("Bookings"),
        "SELECT day, state FROM wait WHERE holder_id = %(client)s AND day BETWEEN %(first)s AND %(last)s ORDER BY day",
        lambda day, state: _("Waited for a place on %(day)s: %(state)s", day=short_day(day), state=_word(state)),
    ),
    Told(
        "visit",
        lambda: _("Visits"),
        """SELECT day, ended_at IS NOT NULL AND NOT left_unserved FROM visit WHERE holder_id = %(client)s
        AND day BETWEEN %(first)s AND %(last)s ORDER BY day DESC""",
        lambda day, served: (
            _("%(day)s: came, and was served", day=short_day(day)) if served else _("%(day)s: came", day=short_day(day))
        ),
    ),
    Told(
        "contact",
        lambda: _("Texts"),
        """SELECT (consented_at AT TIME ZONE %(zone)s)::date, opted_out_at IS NOT NULL FROM contact
        WHERE recipient_id = %(client)s""",
        lambda agreed, out: (
            _("They want no texts.")
            if out or agreed is None
            else _("Agreed to texts on %(day)s", day=short_day(agreed))
        ),
    ),
    Told(
        "text_wish",
        lambda: _("Texts"),
        "SELECT word, wanted FROM text_wish WHERE client_id = %(client)s ORDER BY word",
        lambda word, wanted: _("%(what)s: %(wanted)s", what=_word(word), wanted=_yes(wanted)),
    ),
    Told(
        "message",
        lambda: _("Texts"),
        """SELECT kind, count(*) FROM message WHERE recipient_id = %(client)s
        AND (created_at AT TIME ZONE %(zone)s)::date BETWEEN %(first)s AND %(last)s GROUP BY kind ORDER BY kind""",
        lambda kind, number: _("Texts to them, %(kind)s: %(n)s", kind=_word(kind), n=number),
    ),
    Told(
        "consent",
        lambda: _("What they agreed to have told"),
        """SELECT kinds, from_day, until_day, revoked_at IS NOT NULL FROM consent WHERE client_id = %(client)s
        ORDER BY from_day DESC""",
        lambda kinds, first, last, revoked: _(
            "%(kinds)s, from %(first)s to %(last)s",
            kinds=", ".join(_word(kind) for kind in kinds),
            first=short_day(first),
            last=_("revoked") if revoked else short_day(last) if last else _("an event"),
        ),
    ),
    *(Told(*row) for row in CARE),
)


def whole_of(
    session: ReadSession, *, client_id: ClientId, first: date, last: date
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A heading and its lines for each room with rows about the client; what happens on a day is between these two."""
    ((zone,),) = session.run(
        "SELECT s.zone FROM client c JOIN site s ON s.id = c.site_id WHERE c.id = %(client)s", {"client": client_id}
    )
    asked: dict[str, Any] = {"client": client_id, "first": first, "last": last, "zone": zone}
    found: dict[str, list[str]] = {}
    for told in TOLD:
        lines = [told.line(*row) for row in session.run(told.ask, asked)]
        if lines:
            found.setdefault(told.heading(), []).extend(lines)
    for heading, lines in found.items():
        yield heading, tuple(lines)
