"""Every text that is ever sent: its sentence in each language, and how moments and choices are written in it.

The English sentence is the source and the key of the catalogues in `locale/`. No sentence names a drug, a dose, an
illness or a kind of place; what callers fill in is left out when it would (`discretion`).
"""

from __future__ import annotations

import gettext
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from itertools import groupby, product
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, get_day_names

from notifications.discretion import reveals
from notifications.models import Wording
from notifications.segments import Encoding, measure

LOCALE = Path(__file__).parent / "locale"
SOURCE = "en"
MOST_CHOICES = 5
"""More choices than this do not fit one segment."""


class Status(StrEnum):
    REVIEWED = "reviewed"
    DRAFT = "draft"
    """Not yet read by somebody who speaks the language and works in such a place."""


CATALOGUES: Mapping[str, Status] = {
    SOURCE: Status.REVIEWED,
    **dict.fromkeys(("ms", "zh_Hans", "ta", "vi", "th", "id", "lo", "my", "km", "fil"), Status.DRAFT),
}
"""The languages that there are texts in. The head of each catalogue says by whom it was checked, and when."""


DRAFTS = tuple(tag for tag, status in CATALOGUES.items() if status is Status.DRAFT)


class BadFields(ValueError):
    """A text was asked for with fields that it does not take. A mistake of the program that asks."""


@dataclass(frozen=True)
class Kind:
    """One text: its sentence, and the fields from which it is filled."""

    sentence: str
    fields: tuple[str, ...] = ()
    """`at`, `until` moments; `day`, `last` dates; `choices`, `bookings` moments; `minutes`, `number` whole numbers.

    `weekdays` are numbers from 0, Monday, on; the others strings (`link` may miss). `words` are somebody's own: whoever
    fills them in looks first whether they fit and what they give away.
    """
    without_link: str = ""


def N_(sentence: str) -> str:  # noqa: N802 - the name by which catalogue tools find sentences
    return sentence


KINDS: Mapping[str, Kind] = {
    "welcome": Kind(N_("You will get texts about your bookings here. Reply MENU for help, STOP to end them.")),
    "booking_confirmed": Kind(N_("Booked: {day} at {time}. To change it reply MOVE, to give it up DROP."), ("at",)),
    "booking_moved": Kind(N_("Moved. You are now booked for {day} at {time}."), ("at",)),
    "booking_dropped": Kind(N_("Your booking for {day} at {time} is dropped. To book again reply BOOK."), ("at",)),
    "booking_kept": Kind(N_("Thank you. See you on {day} at {time}."), ("at",)),
    "booking_reminder": Kind(
        N_("Reminder: you are booked for {day} at {time}. Reply OK to keep it, MOVE to change or DROP to give it up."),
        ("at",),
    ),
    "booking_reminder_longer": Kind(
        N_("Reminder: you are booked for {day} at {time}. Please allow 10 more minutes. Reply OK, MOVE or DROP."),
        ("at",),
    ),
    "meeting_reminder": Kind(N_("Reminder: we meet on {day} at {time}. If you cannot come, please tell us."), ("at",)),
    "meeting_reminder_day": Kind(N_("Reminder: we meet on {day}. If you cannot come, please tell us."), ("day",)),
    "already_booked": Kind(N_("You are already booked for {day} at {time}. To change it reply MOVE."), ("at",)),
    "slots_offered": Kind(N_("Free: {choices}. Reply with a number."), ("choices",)),
    "slot_full_offer": Kind(N_("{day} at {time} is full. Free: {choices}. Reply with a number."), ("at", "choices")),
    "slot_full_list": Kind(
        N_("{day} at {time} is full. Free: {choices}. Reply a number, or LIST to wait for it."), ("at", "choices")
    ),
    "nothing_free": Kind(N_("No free time was found. You can always come without a booking while we are open.")),
    "nothing_free_list": Kind(
        N_("{day} at {time} is full, and no other time is free. Reply LIST to wait for it, or come without a booking."),
        ("at",),
    ),
    "cannot_book_then": Kind(N_("{day} at {time} cannot be booked. Reply SLOTS for free times."), ("at",)),
    "your_bookings": Kind(N_("You are booked for {bookings}. Reply MOVE or DROP to change."), ("bookings",)),
    "nothing_booked": Kind(N_("You have nothing booked. Reply SLOTS for free times.")),
    "which_booking": Kind(N_("Which one? {choices}. Reply with a number."), ("choices",)),
    "ask_time": Kind(N_("For which day and time? For example FRI 7.30.")),
    "closed_that_day": Kind(N_("We are closed on {day}. Reply SLOTS for free times."), ("day",)),
    "closure": Kind(N_("We will be closed on {day}. Please do not come then. Reply SLOTS for other times."), ("day",)),
    "closure_days": Kind(
        N_("We will be closed from {day} to {last}. Please do not come then. Reply SLOTS for other times."),
        ("day", "last"),
    ),
    "closure_moved": Kind(
        N_("We will be closed on {day}. You are now booked for {bookings}. To change it reply MOVE."),
        ("day", "bookings"),
    ),
    "open_after_all": Kind(N_("We are open on {day} after all. Reply SLOTS for free times."), ("day",)),
    "open_after_all_booked": Kind(N_("We are open after all. You are booked for {bookings}."), ("bookings",)),
    "open_after_all_moved": Kind(
        N_("We are open on {day} after all. You are booked for {bookings}. To change it reply MOVE."),
        ("day", "bookings"),
    ),
    "pickup_ready": Kind(
        N_("Ready to collect. Show {link} or say the code {code}."),
        ("code", "link"),
        without_link=N_("Ready to collect. Say the code {code}."),
    ),
    "collected": Kind(N_("Collected on {day} at {time}. If this was not you, please call us."), ("at",)),
    "come_by": Kind(N_("Please come and see us by {day}."), ("day",)),
    "call_first": Kind(N_("Please call us before you come on {day}."), ("day",)),
    "see_reception": Kind(N_("Please speak to us at the desk the next time you come.")),
    "confirm_drop": Kind(N_("Give up your booking for {day} at {time}? Reply OK to drop it."), ("at",)),
    "confirm_move": Kind(N_("Move your booking to {day} at {time}? Reply OK to move it."), ("at",)),
    "confirm_book": Kind(N_("Book {day} at {time}? Reply OK to book it."), ("at",)),
    "wait_now": Kind(N_("If you come now you wait about {minutes} min."), ("minutes",)),
    "wait_soon": Kind(N_("If you come now it is soon your turn.")),
    "wait_yours": Kind(N_("Your number is {number}. It is called in about {minutes} min."), ("number", "minutes")),
    "wait_yours_soon": Kind(N_("Your number is {number}. It is called soon."), ("number",)),
    "wait_unknown": Kind(N_("How long the wait is now we cannot say. You can come while we are open.")),
    "confirm_regular": Kind(N_("Book {weekdays} at {time} every week? Reply OK to book it."), ("weekdays", "at")),
    "regular_set": Kind(
        N_("Booked every week from {day}: {weekdays} at {time}. One day off: DROP with the day. To end it: DROP ALL."),
        ("weekdays", "at"),
    ),
    "regular_ended": Kind(N_("Your weekly times are ended. To book again reply BOOK.")),
    "regular_paused": Kind(
        N_("Your weekly times pause from {day}. What was booked from then on is dropped."), ("day",)
    ),
    "regular_full": Kind(
        N_("Your weekly time {day} at {time} could not be booked. Reply SLOTS for other times."), ("at",)
    ),
    "ask_regular": Kind(N_("For which days and time? For example BOOK EVERY WEEKDAY 7.30.")),
    "too_many_open": Kind(
        N_("No more bookings can be open at once. Keep one of them first, or give one up with DROP.")
    ),
    "wait_listed": Kind(N_("You are on the list for {day}. When a place is free, you get a text."), ("day",)),
    "place_offered": Kind(
        N_("A place is kept for you: {day} at {time}. Reply TAKE before {until} to have it."), ("at", "until")
    ),
    "offer_over": Kind(N_("That place is not kept any more. Reply SLOTS for free times.")),
    "offer_declined": Kind(N_("All right, somebody else may have it. You stay on the list.")),
    "nothing_changed": Kind(N_("Nothing was changed. Reply MENU for what you can write.")),
    "language_changed": Kind(N_("Texts will now be in English.")),
    "before_queue": Kind(N_("Please see reception before you queue on {day}."), ("day",)),
    "missed_today": Kind(
        N_("We did not see you today. Your place on {day} is kept. Reply 1 if you would like to talk."), ("day",)
    ),
    "caring": Kind(N_("Hello from us. You are welcome here any day. Reply 1 if you would like to talk.")),
    "talk_soon": Kind(N_("Thank you. Somebody will talk with you soon.")),
    "review_due": Kind(N_("It is time to sit down together. Please ask for it when you come, by {day}."), ("day",)),
    "news": Kind(N_("News: {words}"), ("words",)),
    "feedback_visit": Kind(N_("How was your visit? Reply 1 good, 2 fair or 3 poor. You need not answer.")),
    "feedback_wait": Kind(N_("Thank you. And the wait? Reply 1 short, 2 fair or 3 too long.")),
    "feedback_thanks": Kind(N_("Thank you. Your answer helps us.")),
    "feedback_more": Kind(
        N_("Thank you. A few more questions, without your name: {link}"),
        ("link",),
        without_link=N_("Thank you. Your answer helps us."),
    ),
    "ask_pin": Kind(N_("Please reply with your PIN first.")),
    "ask_text_with_pin": Kind(N_("Please write it again, with your PIN in the same text.")),
    "wrong_pin": Kind(N_("This PIN is not right. Please try again, or ask at the desk.")),
    "number_confirm": Kind(
        N_("Shall texts come to this number? Reply OK to agree. If you do not know of it, do nothing.")
    ),
    "number_asked": Kind(N_("A text was sent to the new number. Texts go there once OK is written from it.")),
    "number_changed": Kind(N_("Done. Texts now come to this number. Reply MENU for what you can write.")),
    "number_left": Kind(N_("Texts do not come to this number any more. If you did not ask for it, tell the desk.")),
    "ask_number": Kind(N_("Write NUMBER, then the new number and your PIN.")),
    "menu": Kind(
        N_(
            "Write BOOK, MOVE or DROP with a day and time, e.g. BOOK FRI 7. "
            "WHEN: your bookings. SLOTS: free times. WAIT: the wait now. More: MENU 2. STOP ends texts."
        )
    ),
    "menu_more": Kind(
        N_(
            "LIST with a day: wait for a place. BOOK EVERY FRI 7: each week. LANG: language. "
            "NUMBER: another number for texts."
        )
    ),
    "not_understood": Kind(N_("Sorry, that was not understood. Reply MENU for what you can write.")),
    "unknown_number": Kind(N_("This number is not known here. Nothing was changed.")),
    "languages": Kind(N_("Write LANG and one of EN, MS, ZH, TA, VI, TH, ID, LO, MYA, KM, FIL.")),
}


@dataclass(frozen=True)
class _Form:
    """How a language writes a day, shorter where a text would be too long, and what it puts between days."""

    days: tuple[str, ...] = ("EEE d MMM", "EEE d/M", "d/M")
    between_days: str = "; "


_FORMS: Mapping[str, _Form] = {
    **dict.fromkeys(("en", "ms", "id", "fil"), _Form()),
    **dict.fromkeys(("ta", "vi", "th", "lo", "my", "km"), _Form(("EEE d/M", "d/M"))),  # 70 signs are a segment
    "zh_Hans": _Form(("M月d日EEE", "M/d EEE", "M/d"), "；"),
}


def language_for(asked: str) -> str:
    """The language to write in: the asked one (`zh`, `zh-CN`, `ms_MY` are understood), or English."""
    tag = asked.replace("-", "_")
    if tag not in CATALOGUES:
        stem = tag.split("_")[0].lower()
        tag = {"zh": "zh_Hans", "tl": "fil"}.get(stem, stem)
    return tag if tag in CATALOGUES else SOURCE


def plain(text: str) -> str:
    """The text without invisible characters and with plain single spaces.

    Formatting libraries put U+202F and U+2068 into dates; one of them makes a text UCS-2 and three segments long.
    """
    visible = (
        " " if unicodedata.category(c) in ("Zs", "Zl", "Zp", "Cc") else c
        for c in text
        if unicodedata.category(c) != "Cf"
    )
    return " ".join("".join(visible).split())


def render(
    kind: str,
    language: str,
    fields: Mapping[str, object],
    *,
    zone: ZoneInfo,
    wording: str = Wording.COVERT,
) -> str:
    """The text as it is sent, moments in the place's zone. Raises BadFields.

    `sender`, the name under which the place writes, begins a text in the open wording. A sender or a link is left out
    when it would give the treatment away or make the text too long: one segment of GSM-7, or two of UCS-2.
    """
    if kind not in KINDS:
        raise BadFields(f"there is no text “{kind}”")
    language = language_for(language)
    link = plain(str(fields.get("link") or ""))
    sender = plain(str(fields.get("sender") or "")) if wording == Wording.OPEN else ""
    text = ""
    for begins, ends, day in product(dict.fromkeys((sender, "")), dict.fromkeys((link, "")), _FORMS[language].days):
        text = _sentence(kind, language, _filled(kind, fields, language, zone, day), begins, ends)
        if fits(text) and not reveals(text):
            break
    return text


def fits(text: str) -> bool:
    """Whether a text is one segment of GSM-7, or at most two of UCS-2."""
    size = measure(text)
    return size.segments <= (1 if size.encoding is Encoding.GSM7 else 2)


def _sentence(kind: str, language: str, filled: Mapping[str, str], sender: str, link: str) -> str:
    source = KINDS[kind].sentence if link or not KINDS[kind].without_link else KINDS[kind].without_link
    text = _catalogue(language).gettext(source).format_map({**filled, "link": link})
    return plain(f"{sender}: {text}" if sender else text)


@lru_cache
def _catalogue(language: str) -> gettext.NullTranslations:
    if language == SOURCE:
        return gettext.NullTranslations()
    return gettext.translation("texts", LOCALE, [language])


def _filled(kind: str, fields: Mapping[str, object], language: str, zone: ZoneInfo, form: str) -> dict[str, str]:
    wanted = KINDS[kind].fields
    strange = set(fields) - set(wanted) - {"sender"}
    missing = set(wanted) - set(fields) - {"link"}
    if strange or missing:
        raise BadFields(
            f"{kind} takes {', '.join(wanted) or 'nothing'}; not {sorted(strange)}, missing {sorted(missing)}"
        )
    filled: dict[str, str] = {}
    for name in wanted:
        value = fields.get(name)
        if name == "at":
            at = _local(value, zone)
            filled |= {"day": _day(at.date(), language, form), "time": f"{at:%H:%M}"}
        elif name in ("day", "last"):
            if not isinstance(value, date) or isinstance(value, datetime):
                raise BadFields(f"{name} is a date")
            filled[name] = _day(value, language, form)
        elif name == "until":
            filled[name] = f"{_local(value, zone):%H:%M}"
        elif name == "weekdays":
            filled[name] = _weekdays(value, language)
        elif name in ("choices", "bookings"):
            filled[name] = _listed(value, language, zone, form, numbered=name == "choices")
        elif name in ("code", "words"):
            filled[name] = plain(str(value))
        elif name in ("minutes", "number"):
            if not isinstance(value, int) or value < 0:
                raise BadFields(f"{name} is a whole number")
            filled[name] = str(value)
    return filled


def _local(value: object, zone: ZoneInfo) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise BadFields("a moment with its zone is needed")
    return value.astimezone(zone)


@lru_cache(maxsize=4096)
def _day(day: date, language: str, form: str) -> str:
    return plain(format_date(day, form, locale=language))


def _weekdays(value: object, language: str) -> str:
    """Weekdays by their short names, those that follow each other as a stretch: Mon-Fri, Sun."""
    if not isinstance(value, Sequence) or not value or not set(value) <= set(range(7)):
        raise BadFields("weekdays are numbers from 0, Monday, to 6")
    names = get_day_names("abbreviated", locale=language)
    runs: list[list[int]] = []
    for number in sorted(set(value)):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    stretches = (
        names[run[0]] if len(run) == 1 else f"{names[run[0]]}{'-' if len(run) > 2 else ', '}{names[run[-1]]}"
        for run in runs
    )
    return plain(", ".join(stretches))


def _listed(value: object, language: str, zone: ZoneInfo, form: str, *, numbered: bool) -> str:
    """Moments by day: Fri 27 Nov 1) 07:00 2) 07:30; Sat 28 Nov 3) 08:00. The numbers follow the order given."""
    if not isinstance(value, Sequence) or not 1 <= len(value) <= MOST_CHOICES:
        raise BadFields(f"one to {MOST_CHOICES} moments are listed")
    moments = [(number, _local(moment, zone)) for number, moment in enumerate(value, 1)]
    days = []
    for day, those in groupby(moments, key=lambda numbered_moment: numbered_moment[1].date()):
        times = (f"{number}) {at:%H:%M}" if numbered else f"{at:%H:%M}" for number, at in those)
        days.append(_day(day, language, form) + " " + " ".join(times))
    return _FORMS[language].between_days.join(days)
