"""How a page is made: one Jinja environment for all desks, and `page`, which every handler of a page returns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_time
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig

from dispensary import words
from dispensary.published.keeping import is_kept
from dispensary.refusals import Refusal, Refused
from dispensary.settings import Settings
from dispensary.staff.sessions import SignedIn
from dispensary.units import SiteId, new_id, plain
from dispensary.web.alarm import Alarm
from dispensary.web.apart import Apart
from dispensary.web.backed_up import BackedUp
from dispensary.web.guards import opens
from dispensary.web.places import Desk, desks_open_to

DESKS = Path(__file__).parent.parent / "desks"
STATIC = DESKS / "static"


def page(
    template: str,
    *,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Template:
    """A page. With `refused` it has that refusal's status and shows it, and `typed` puts back what the person typed."""
    return Template(
        template,
        headers=dict(headers or {}),
        status_code=refused.status if refused else status,
        media_type="text/html",
        context={**context, "refusals": refused.refusals if refused else (), "typed": typed or {}},
    )


@cache
def _fingerprint(name: str) -> str:
    return sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _who(context: Context) -> SignedIn | None:
    who = context["request"].scope.get("user")
    return who if isinstance(who, SignedIn) else None


@pass_context
def _here(context: Context) -> SignedIn | None:
    return _who(context)


@pass_context
def _opens(context: Context, path: str, method: str = "GET") -> bool:
    """Whether the reader of the page may go there, or do that: what they may not is not offered to them."""
    who = _who(context)
    return who is None or opens(context["request"].app, who.actor, path, method)


@pass_context
def _clock_time(context: Context, moment: datetime) -> str:
    """The site's local time of a moment: 07:05."""
    who = _who(context)
    zone = ZoneInfo(who.site.zone) if who else moment.tzinfo
    return format_time(moment.astimezone(zone), "HH:mm", locale=words.language())


@pass_context
def _moment(context: Context, moment: datetime) -> str:
    """The site's local day and time of a moment: Tue 24 Nov 2026, 07:05."""
    who = _who(context)
    local = moment.astimezone(ZoneInfo(who.site.zone) if who else moment.tzinfo)
    return f"{_day(local.date())}, {format_time(local, 'HH:mm', locale=words.language())}"


def _day(day: date) -> str:
    """A day as it is read aloud at a counter, never ambiguous: Tue 24 Nov 2026."""
    return words.day_in_words(day)


def _month(day: date) -> str:
    """The month of a day: Oct 2026."""
    return words.day_in_words(day, "yMMM")


@pass_context
def _local_day(context: Context, day: date) -> str:
    """The same of a moment too: the day that it had at the site, which is another than the server's for hours."""
    if isinstance(day, datetime):
        who = _who(context)
        day = day.astimezone(ZoneInfo(who.site.zone) if who else day.tzinfo).date()
    return _day(day)


_ISO_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b(?!T)")


def _aloud(sentence: str) -> str:
    """A sentence of a rule, which writes its days as programs do, with its days as all pages write them."""

    def as_read(found: re.Match[str]) -> str:
        with suppress(ValueError):
            return _day(date.fromisoformat(found[0]))
        return found[0]

    return type(sentence)(_ISO_DAY.sub(as_read, sentence))


def _mg(amount: Decimal) -> str:
    """An amount with its unit, kept on one line: 62.5 mg."""
    return f"{plain(amount)}\N{NO-BREAK SPACE}mg"


def _ml(amount: Decimal) -> str:
    return f"{plain(amount)}\N{NO-BREAK SPACE}mL"


def _about(refusals: Sequence[Refusal], field: str) -> list[Refusal]:
    """The refusals that are about one form field."""
    return [refusal for refusal in refusals if refusal.field == field]


def templates(
    settings: Settings,
    desks: Sequence[Desk],
    backups: Callable[[], BackedUp],
    sealed_code: Callable[[SiteId], Alarm],
    apart: Callable[[SiteId], Apart | None],
) -> TemplateConfig[JinjaTemplateEngine]:
    """The environment of all pages: everything escaped, an unknown name is an error, words translated."""
    environment = Environment(
        loader=FileSystemLoader(DESKS / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=not settings.production,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        words.gettext, words.ngettext, newstyle=True, pgettext=words.pgettext
    )

    @pass_context
    def open_desks(context: Context) -> list[Desk]:
        who = _who(context)
        return desks_open_to(who.actor, desks) if who else []

    environment.globals.update(
        here=_here,
        opens=_opens,
        open_desks=open_desks,
        backed_up=backups,
        sealed_code=sealed_code,
        apart=apart,
        language=words.language,
        # A sentence that a rule has made may quote what somebody typed. `_()` is for what stands in the template: Jinja
        # takes what comes out of it for markup of ours, and its per cent signs for places to fill in.
        as_said=lambda sentence: words.gettext(sentence) if sentence else "",
        demo=not settings.production,
        is_published=lambda: is_kept(settings.data),
        new_key=lambda: str(new_id()),
        static=lambda name: f"/static/{name}?{_fingerprint(name)}",
        refusals=(),
        typed={},
    )
    environment.filters.update(
        clock_time=_clock_time,
        moment=_moment,
        day=_local_day,
        month=_month,
        aloud=_aloud,
        mg=_mg,
        ml=_ml,
        about=_about,
        plain=plain,
    )
    return TemplateConfig(engine=JinjaTemplateEngine.from_environment(environment))
