"""A page for the client: what was agreed, why, and what comes next, in plain words of their own language.

It may be found on a kitchen table. Nothing on it names a person, a medicine, an amount or a kind of clinic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from dispensary.database import ReadSession
from dispensary.staff.models import Site
from dispensary.supplies.printing.sheet import A4, Sheet, leading, printed
from dispensary.supplies.printing.wording import plain_day
from dispensary.takehome.models import Decision
from dispensary.takehome.queries import decision_on, last_assessment
from dispensary.takehome.terms import DecisionKind
from dispensary.units import ClientId
from dispensary.words import SOURCE, _, ngettext, spoken, weekday_names
from notifications.queries import contact_details

LANGUAGES = (SOURCE, "ms")
"""In which the page can be read; whoever reads another language gets it in English."""
_EDGE = 22.0
_WIDTH = A4[0] - 2 * _EDGE
_HEADING, _TEXT = 16.0, 13.0


@dataclass(frozen=True)
class Part:
    """A heading and short sentences below it."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Explained:
    """What stands on the page."""

    title: str
    parts: tuple[Part, ...]
    foot: str
    day: date
    language: str


def reads(session: ReadSession, client_id: ClientId) -> str:
    """In which language a page for this client is printed: that of their texts, or English."""
    contact = contact_details(session, vault=session.vault, recipient_id=client_id)
    return contact.language if contact and contact.language in LANGUAGES else SOURCE


def explained(session: ReadSession, *, site: Site, client_id: ClientId, today: date) -> Explained:
    """The page about what is in force today and what the newest assessment says, in the language of their texts.

    A client whose language it does not have reads English.
    """
    language = reads(session, client_id)
    decision = decision_on(session, client_id, today)
    assessment = last_assessment(session, client_id)
    with spoken(language):
        parts = [Part(_("What was agreed"), tuple(_agreed(decision)))]
        if assessment is not None and not (decision and decision.kind == DecisionKind.SUSPENSION):
            parts.append(Part(_("Why, and what comes next"), tuple(_why(assessment.result))))
        parts.append(Part(_("If something changes"), tuple(_questions(site.phone))))
        return Explained(
            title=_("What was agreed, and what comes next"),
            parts=tuple(part for part in parts if part.lines),
            foot=_("As it is on %(day)s.", day=plain_day(today)),
            day=today,
            language=language,
        )


def _agreed(decision: Decision | None) -> Iterator[str]:
    if decision is None or decision.per_supply == 0:
        yield _("At present you come on each day.")
        if decision is not None and decision.kind == DecisionKind.SUSPENSION and decision.review_on:
            yield _("We look at it again together by %(day)s.", day=plain_day(decision.review_on))
        return
    yield ngettext(
        "Each time you come, you can take along what you need for %(num)s day.",
        "Each time you come, you can take along what you need for up to %(num)s days.",
        decision.per_supply,
    ) % {"num": decision.per_supply}
    if decision.per_week is not None:
        yield ngettext(
            "That is %(num)s day at home in a week.", "That is up to %(num)s days at home in a week.", decision.per_week
        ) % {"num": decision.per_week}
    if decision.consecutive is not None:
        yield ngettext(
            "After %(num)s day at home you come again.",
            "After %(num)s days at home you come again.",
            decision.consecutive,
        ) % {"num": decision.consecutive}
    if decision.weekdays:
        names = weekday_names("wide")
        yield _("Your days at home: %(days)s.", days=", ".join(names[n] for n in decision.weekdays))
    if decision.days.upper is not None:
        yield _("It holds until %(day)s.", day=plain_day(decision.days.upper - timedelta(days=1)))
    if decision.review_on is not None:
        yield _("We look at it again together by %(day)s.", day=plain_day(decision.review_on))


def _why(said: Mapping[str, Any]) -> Iterator[str]:
    """What the record says, what would help, and the first day on which more could be taken along.

    Only what the client can do something about: nothing that was judged of them, and nothing that names a test.
    """
    yield _("We look at how regularly you come, and at what you told us about your home and your work.")
    counted = said["figures"]
    had, missed = counted["covered_days"], len(counted["missed_days"])
    if had:
        first = plain_day(date.fromisoformat(counted["window_from"]))
        yield _(
            "Since %(day)s you had what you needed on %(had)s of %(all)s days.", day=first, had=had, all=had + missed
        )
    yield from dict.fromkeys(_what_helps(said["findings"]))
    ahead = said["next"]
    if ahead is None:
        yield _("You and we can look at it again at any time.")
        return
    day = plain_day(date.fromisoformat(ahead["on"]))
    yield _("When you keep coming as agreed, more days at home can be possible from %(day)s.", day=day)
    yield _("A day missed is no fault: it only makes the way there a little longer.")


def _what_helps(findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for finding in findings:
        evidence: Mapping[str, Any] = finding["evidence"]
        if finding["state"] == "met":
            continue
        if evidence.get("lockbox", True) is not True:
            yield _("It helps when you have a box at home that locks: ask us for one.")
        if evidence.get("housing_stable", True) is None or evidence.get("employed", True) is None:
            yield _("It helps when you tell us about your home and your work.")
        if evidence.get("unreturned_bottle_days"):
            yield _("It helps when you bring back what is empty each time you come.")
        if "agreement_signed_on" in evidence and evidence["agreement_signed_on"] is None:
            yield _("It helps when we sign the agreement together.")


def _questions(phone: str) -> Iterator[str]:
    yield _("Tell us when you travel, move, or your working hours change: we can look at it again at any time.")
    yield _("If you lost something that you took along, tell us at once: then we can help.")
    if phone:
        yield _("Ask us when you come, or call %(phone)s.", phone=phone)
    else:
        yield _("Ask us when you come.")


def explained_pdf(page: Explained) -> bytes:
    """The page on paper, A4. The same page gives the same bytes."""
    made_at = datetime.combine(page.day, time(), UTC)
    return printed(lambda sheet: _draw(sheet, page), A4, made_at=made_at, title=page.title, language=page.language)


def _draw(sheet: Sheet, page: Explained) -> None:
    sheet.page()
    sheet.y = sheet.block(_EDGE, _EDGE, page.title, _WIDTH, size=22, least=16, most_lines=2, bold=True) + 4
    for part in page.parts:
        _part(sheet, part)
    sheet.text(_EDGE, A4[1] - _EDGE, page.foot, size=10, width=_WIDTH)


def _part(sheet: Sheet, part: Part) -> None:
    _room(sheet, leading(_HEADING) + 2 * leading(_TEXT))
    sheet.text(_EDGE, sheet.y + 3, part.heading, size=_HEADING, bold=True, width=_WIDTH)
    sheet.y += 3 + leading(_HEADING) + 1.5
    for line in part.lines:
        broken: Sequence[str] = sheet.lines(line, _WIDTH - 6, size=_TEXT)
        _room(sheet, len(broken) * leading(_TEXT))
        sheet.text(_EDGE, sheet.y, "-", size=_TEXT)
        for each in broken:
            sheet.text(_EDGE + 6, sheet.y, each, size=_TEXT)
            sheet.y += leading(_TEXT) + 0.6
        sheet.y += 1.6
    sheet.y += 3


def _room(sheet: Sheet, height: float) -> None:
    if sheet.y + height > A4[1] - _EDGE - leading(_TEXT):
        sheet.page()
        sheet.y = _EDGE
