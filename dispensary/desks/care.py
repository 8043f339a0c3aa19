"""Care around the dose, at one client's page: what was asked and what it came to, and what is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from litestar import get
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from litestar.types import ControllerRouterHandler
from markupsafe import escape

from dispensary.care.instrument_setting import Used, in_use, may_use
from dispensary.care.instruments import Asks, words_of
from dispensary.care.offers import offers_of, opens
from dispensary.care.own_documents import pathways_there, plans_there
from dispensary.care.pathways import Offer
from dispensary.care.referrals import referrals_of
from dispensary.care.screening import screening
from dispensary.care.screenings import Taken, due_screenings, screenings_of
from dispensary.care.sessions import plans_of
from dispensary.care.wanted import wanted_of
from dispensary.clients.queries import face_at
from dispensary.clients.taken_back import taken_back_of
from dispensary.database import ReadSession
from dispensary.desks.consulting import acts_of, near_day, plain_day
from dispensary.desks.window import AtCounter
from dispensary.monitoring.queries import open_alerts_of
from dispensary.refusals import Refusal, Refused
from dispensary.reporting.course import course
from dispensary.reporting.pens import as_svg
from dispensary.staff.rules import Act
from dispensary.units import ClientId
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page
from dispensary.words import day_in_words, gettext

requires_carer = requires(Act.CARE)
_MOST_OF = {"dast10": 10, "srq20": 20, "cows": 48, "phq9": 27, "gad7": 21, "assist": 39}
_FOR_THE_CHART = 24
"""The newest scores that a chart shows: more would stand on each other."""


def _(message: str) -> str:
    return message  # marks a message for extraction; it is translated where it is shown


BANDS = {
    "none": _("none"),
    "low": _("low"),
    "moderate": _("moderate"),
    "high": _("high"),
    "substantial": _("substantial"),
    "severe": _("severe"),
    "mild": _("mild"),
    "minimal": _("minimal"),
    "moderately_severe": _("moderately severe"),
    "positive": _("positive"),
    "negative": _("negative"),
}


def band_word(band: str) -> str:
    """A band in the reader's language; nothing for none."""
    return gettext(BANDS[band]) if band in BANDS else band


@dataclass(frozen=True)
class Asked:
    """An instrument beside what it came to for a client."""

    used: Used
    refusal: Refusal | None
    """Why the reader may not ask by it."""
    due_on: date | None
    taken: Sequence[Taken]
    """The newest first, without those that were taken back."""
    charts: Sequence[str]
    """An SVG for each score that was kept twice or more."""


def caring(here: AtCounter) -> str:
    """The address of the client's page."""
    return f"/care/clients/{here.client_id}"


def _shown(session: ReadSession, here: AtCounter) -> dict[str, Any]:
    taken = screenings_of(session, client_id=here.client_id)
    due = {
        each.instrument.key: each.due_on
        for each in due_screenings(session, site_id=here.site.id, until=here.today, client_id=here.client_id)
    }
    asked = []
    for key, used in in_use(session, site_id=here.site.id).items():
        mine = [each for each in taken if each.instrument.key == key and not each.voided]
        if used.used or mine:
            refusal = may_use(session, used, actor=here.actor, today=here.today)
            asked.append(Asked(used, refusal, due.get(key), mine, charts_of(used, mine)))
    return {
        "face": face_at(session, site_id=here.site.id, client_id=here.client_id),
        "asked": asked,
        "voided": [each for each in taken if each.voided],
        "offered": offers_of(session, client_id=here.client_id),
        "not_begun": {each.row.id for each in wanted_of(session, client_id=here.client_id)},
        "opened_offers": _opened(session, here, taken),
        "offers": pathways_there(session).offers,
        "running": plans_of(session, client_id=here.client_id),
        "back": taken_back_of(session, client_id=here.client_id),
        "plans": plans_there(session),
        "referrals": [each for each in referrals_of(session, client_id=here.client_id) if each.closed_at is None],
        "alerts": [each for each in open_alerts_of(session, client_id=here.client_id) if each.severity == "urgent"],
    }


def _opened(session: ReadSession, here: AtCounter, taken: Sequence[Taken]) -> list[tuple[Taken, list[Offer]]]:
    """What the newest screening of each instrument opens and nobody has offered since."""
    done = {(row.screening_id, row.offer) for row in offers_of(session, client_id=here.client_id)}
    newest: dict[str, Taken] = {}
    for each in taken:
        if not each.voided:
            newest.setdefault(each.instrument.key, each)
    found = []
    for each in newest.values():
        opened = [one for one in opens(session, actor=here.actor, taken=each) if (each.id, one.key) not in done]
        if opened:
            found.append((each, opened))
    return found


def charts_of(used: Used, taken: Sequence[Taken]) -> list[str]:
    """The course of each score of an instrument that was kept twice or more, the highest last score first.

    Of ASSIST that is one for each substance, by its own bands: what was not asked about has no points that day. Of TOP,
    which has no sum, it is one for each of its lines that are told in days or on its scale, in their order on the form;
    a line that was nought each time is left out, and what is answered by yes or no is read with the answers.
    """
    in_form = _lines_of_top()
    courses: dict[str, list[tuple[date, int]]] = {}
    for each in reversed(taken[:_FOR_THE_CHART]):
        for score in each.scores:
            if used.instrument.asks is Asks.WEEKS and score.part not in in_form:
                continue
            courses.setdefault(score.part, []).append((each.taken_on, score.points))
    more = [kept for kept in courses.items() if len(kept[1]) > 1]
    if used.instrument.asks is Asks.WEEKS:
        told = [kept for kept in more if any(points for _day, points in kept[1])]
        drawn = sorted(told, key=lambda kept: list(in_form).index(kept[0]))
    else:
        drawn = sorted(more, key=lambda kept: (-kept[1][-1][1], kept[0]))
    return [_drawn(used, part, scores) for part, scores in drawn]


def _lines_of_top() -> Mapping[str, int]:
    """The lines of TOP that have a course, in their order, each with the most that can be told of it."""
    by = screening().top
    days = {f"{item}_days": by.weeks * by.days_a_week for item in by.days}
    return {**days, **dict.fromkeys(by.health, by.best_health)}


def _drawn(used: Used, part: str, scores: Sequence[tuple[date, int]]) -> str:
    instrument = used.instrument
    days = [day_in_words(day, "yMMMd") for day, _points in scores]
    said = ", ".join(f"{day}: {points}" for day, (_day, points) in zip(days, scores, strict=True))
    title = f"{instrument.name}: {gettext(words_of(part))}" if part else instrument.name
    most = _MOST_OF.get(instrument.key) or _lines_of_top()[part]
    if part.endswith("_days"):
        title = gettext(_("%(what)s, days of %(most)s")) % {"what": title, "most": most}
    drawing = course(title, scores, most=most, bands=_bands_of(used, part), days=days, says=said)
    drawn = as_svg(drawing, name="-".join(filter(None, ("course", instrument.key, part))))
    return f'<p class="hint">{escape(title)}</p>{drawn}' if part else drawn


def _bands_of(used: Used, part: str) -> Mapping[str, int]:
    by = screening()
    named: Mapping[str, Mapping[str, int]] = {
        "dast10": by.dast10.bands,
        "cows": by.cows.bands,
        "phq9": by.phq9.bands,
        "gad7": by.gad7.bands,
        "assist": by.assist.bands.get(part, by.assist.bands["other"]),
        "srq20": {"positive": used.positive_from} if used.positive_from else {},
    }
    return {band_word(band): least for band, least in named.get(used.instrument.key, {}).items()}


def client_page(
    here: AtCounter,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
    begin: bool = False,
) -> Template:
    """The page of one client, with what was refused and typed when something was.

    With `begin` the plans stand open by which sessions begin.
    """
    found = here.sees(lambda session: _shown(session, here), seen_on="care")
    return page("care/client.html", done=done, refused=refused, typed=typed, begin=begin, **said(here), **found)


def said(here: AtCounter) -> dict[str, Any]:
    """What every page about one client is given."""
    return {
        "here_url": caring(here),
        "today": here.today,
        "can": acts_of(here.actor),
        "band_word": band_word,
        "near_day": near_day,
        "plain_day": plain_day,
        "worst": worst,
    }


def worst(taken: Taken) -> str:
    """What a screening came to, in a few words: the sum and its band, or of ASSIST the substance that is worst."""
    if taken.instrument.asks is Asks.WEEKS or not taken.scores:
        return ""
    bands = list(screening().assist.bands["other"])  # by rising risk; alcohol reaches each at points of its own
    score = max(taken.scores, key=lambda each: (bands.index(each.band) if each.band in bands else 0, each.points))
    return f"{score.points}" + (f" · {band_word(score.band)}" if score.band else "")


@get("/care/clients/{client_id:uuid}", sync_to_thread=True, guards=[requires_carer])
def client(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
    begin: FromQuery[bool] = False,
) -> Template:
    """One client: what was asked, what it came to, what is due. The look is written down."""
    return client_page(AtCounter(database, actor, site, ClientId(client_id), clock()), done=done, begin=begin)


HANDLERS: list[ControllerRouterHandler] = [client]
