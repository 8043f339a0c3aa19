"""What the whole record says of care around the dose: what was asked, what it came to, what was offered, sessions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final, LiteralString

from dispensary.care.instruments import instruments, words_of
from dispensary.care.pathways import shipped
from dispensary.supplies.printing.wording import short_day
from dispensary.words import _


def _named(instrument: str) -> str:
    known = instruments().get(instrument)
    return known.name if known else instrument


def _score(day: date, instrument: str, part: str, points: int, band: str) -> str:
    what = ", ".join(filter(None, (_named(instrument), words_of(part))))
    came_to = _("%(points)s points", points=points) + (f", {band.replace('_', ' ')}" if band else "")
    return f"{short_day(day)}: {what}: {came_to}"


def _offer(day: date, offer: str, answer: str) -> str:
    known = shipped().offers.get(offer)
    said = {"accepted": _("wanted"), "declined": _("not wanted")}.get(answer, _("no answer yet"))
    return f"{short_day(day)}: {known.says if known else offer}: {said}"


def _session(day: date, state: str) -> str:
    said = {"attended": _("came"), "not_attended": _("did not come"), "called_off": _("called off")}
    return f"{short_day(day)}: {said.get(state, _('agreed'))}"


def _asked(day: date, instrument: str, voided: bool) -> str:
    said = _("asked by %(what)s", what=_named(instrument))
    return f"{short_day(day)}: {said}" + (f" ({_('taken back')})" if voided else "")


def _group(day: date, voided: bool) -> str:
    return f"{short_day(day)}: " + _("came to a group session") + (f" ({_('taken back')})" if voided else "")


def _step(day: date, disease: str, step: str, voided: bool) -> str:
    said = f"{short_day(day)}: {disease.upper()}, {step.replace('_', ' ')}"
    return said + (f" ({_('taken back')})" if voided else "")


def _kits(day: date, kits: int, voided: bool) -> str:
    said = f"{short_day(day)}: " + _("naloxone, %(kits)s", kits=kits)
    return said + (f" ({_('taken back')})" if voided else "")


def _life(aspect: str, word: str, day: date, voided: bool) -> str:
    said = _("%(aspect)s: %(word)s, since %(day)s", aspect=aspect, word=word, day=short_day(day))
    return said + (f" ({_('taken back')})" if voided else "")


CARE: Final[tuple[tuple[str, Callable[[], str], LiteralString, Callable[..., Any]], ...]] = (
    (
        "screening",
        lambda: _("Questionnaires"),
        """SELECT taken_on, instrument, voided_at IS NOT NULL FROM screening WHERE client_id = %(client)s
        ORDER BY taken_on DESC, recorded_at DESC""",
        _asked,
    ),
    (
        "screening_score",
        lambda: _("Questionnaires"),
        """SELECT s.taken_on, s.instrument, c.part, c.points, c.band FROM screening_score c
        JOIN screening s ON s.id = c.screening_id WHERE s.client_id = %(client)s ORDER BY s.taken_on DESC, c.part""",
        _score,
    ),
    (
        "service_offer",
        lambda: _("What was offered"),
        """SELECT offered_on, coalesce((SELECT CAST(d.words AS json) ->> 'says' FROM care_document d
            WHERE d.kind = 'offer' AND d.key = offer), offer), answer FROM service_offer WHERE client_id = %(client)s
        ORDER BY offered_on DESC, offered_at DESC""",
        _offer,
    ),
    (
        "plan_session",
        lambda: _("Sessions"),
        "SELECT on_day, state FROM plan_session WHERE client_id = %(client)s ORDER BY on_day DESC, seq",
        _session,
    ),
    (
        "group_attendance",
        lambda: _("Sessions"),
        """SELECT on_day, voided_at IS NOT NULL FROM group_attendance WHERE client_id = %(client)s
        ORDER BY on_day DESC""",
        _group,
    ),
    (
        "linkage_step",
        lambda: _("From test to treatment"),
        """SELECT on_day, disease, step, voided_at IS NOT NULL FROM linkage_step WHERE client_id = %(client)s
        ORDER BY on_day DESC""",
        _step,
    ),
    (
        "naloxone_kit",
        lambda: _("What was offered"),
        """SELECT given_on, kits, voided_at IS NOT NULL FROM naloxone_kit WHERE client_id = %(client)s
        ORDER BY given_at DESC""",
        _kits,
    ),
    (
        "life_status",
        lambda: _("Work and home"),
        """SELECT aspect, word, from_day, voided_at IS NOT NULL FROM life_status WHERE client_id = %(client)s
        ORDER BY from_day DESC""",
        _life,
    ),
    (
        "client_home",
        lambda: _("Sites"),
        """SELECT s.name, h.from_day FROM client_home h JOIN site s ON s.id = h.site_id WHERE h.client_id = %(client)s
        ORDER BY h.no DESC""",
        lambda name, first: name if first is None else _("%(site)s, from %(day)s", site=name, day=short_day(first)),
    ),
)
"""Table, heading, what is asked of it, and the line of a row: as `told_whole.Told` has them."""
