"""Which of a site's windows a browser stands at: kept by the browser itself, since it says nothing of anybody."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from dispensary.settings import Settings
from scheduling.queue_rules import MOST_WINDOWS

COOKIE = "takehome.window"
_YEAR = 400 * 24 * 3600


def window_at(request: Request[Any, Any, Any]) -> int:
    """The number of this browser's window; the first, unless somebody has said otherwise."""
    kept = request.cookies.get(_name(request.app.state["settings"]), "")
    return int(kept) if kept.isascii() and kept.isdigit() and 1 <= int(kept[:3]) <= MOST_WINDOWS else 1


def _name(settings: Settings) -> str:
    return f"__Host-{COOKIE}" if settings.production else COOKIE


def window_cookie(window: int, settings: Settings) -> Cookie:
    """Keeps which window this browser stands at, whoever signs in there."""
    return Cookie(
        key=_name(settings),
        value=str(window),
        path="/",
        httponly=True,
        samesite="strict",
        secure=settings.production,
        max_age=_YEAR,
    )
