"""How the web says no: a page for people, application/problem+json (RFC 9457) for programs, never a stack trace."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from litestar import Request
from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Redirect, Response
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dispensary.database import broken_constraint, collided
from dispensary.logs import failure
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.settings import Settings
from dispensary.staff.sessions import FactorDue, Locked, NotSignedIn
from dispensary.web.acting import AnothersPage
from dispensary.web.forgery import FormTooOld
from dispensary.web.shell import request_number
from dispensary.web.templating import page

log = structlog.get_logger("dispensary.failures")

AnyRequest = Request[Any, Any, Any]


class Unavailable(Refused):
    """The house cannot answer now and will again; what was asked for is not done."""

    status = 503


class Failed(Refused):
    """Something broke that nobody foresaw. Only its number is told."""

    status = 500


class _Plain(Refused):
    """A refusal by the web itself, with HTTP's own status."""

    def __init__(self, status: int, *refusals: Refusal) -> None:
        super().__init__(*refusals)
        self.status = status


def wants_page(request: AnyRequest) -> bool:
    """Whether a person asks by a browser: anything outside /api, /health and /schema."""
    return not request.scope["path"].startswith(("/api", "/health", "/schema"))


def as_problem(refused: Refused) -> Response[dict[str, Any]]:
    """The refusal as problem+json. With several reasons, the first leads and `errors` has them all."""
    first = refused.first
    body: dict[str, Any] = {
        "type": f"urn:takehome:{first.code}",
        "title": HTTPStatus(refused.status).phrase,
        "status": refused.status,
        "code": first.code,
        "detail": first.sentence,
        "remedy": first.remedy,
        "evidence": dict(first.evidence),
        "field": first.field,
        "errors": [
            {
                "code": each.code,
                "detail": each.sentence,
                "remedy": each.remedy,
                "evidence": dict(each.evidence),
                "field": each.field,
            }
            for each in refused.refusals
        ],
    }
    return Response(body, status_code=refused.status, media_type="application/problem+json", headers=_headers(refused))


def _headers(refused: Refused) -> dict[str, str]:
    if refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return {"Retry-After": "5"}
    if isinstance(refused, Locked):
        return {"X-Locked": "1"}
    minutes = refused.first.evidence.get("minutes")
    if refused.status == HTTPStatus.TOO_MANY_REQUESTS and isinstance(minutes, int):
        return {"Retry-After": str(minutes * 60)}
    return {}


def _came_from(request: AnyRequest) -> str:
    """The page of ours that the request came from, or the first page."""
    referer = urlsplit(request.headers.get("referer", ""))
    if referer.netloc != request.headers.get("host") or not referer.path.startswith("/"):
        return "/"
    return referer.path + (f"?{referer.query}" if referer.query else "")


def say(request: AnyRequest, refused: Refused) -> Response[Any]:
    """The answer to a refused request, for whoever asked."""
    if not wants_page(request):
        return as_problem(refused)
    if isinstance(refused, NotSignedIn | Locked) and request.method == "GET" and "x-keep" not in request.headers:
        door = "/lock" if isinstance(refused, Locked) else "/signin"
        path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
        onward = f"{path}?{query}" if query else path
        return Redirect(door if onward == "/" else f"{door}?next={quote(onward)}", status_code=303)
    if isinstance(refused, FactorDue) and request.method == "GET" and "x-keep" not in request.headers:
        return Redirect(f"/second-factor?done=due&next={quote(request.scope['path'])}", status_code=303)
    if isinstance(refused, Locked):
        shown = page("refused.html", refused=refused, back=f"/lock?next={quote(_came_from(request))}", kept=True)
        shown.headers.update(_headers(refused))
        return shown
    shown = page("refused.html", refused=refused, back=_came_from(request), kept=request.method == "POST")
    shown.headers.update(_headers(refused))
    return shown


# What msgspec says of a value, and how a person would say it.
_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "an amount",
    "str": "text",
    "bool": "true or false",
    "uuid": "an id",
    "date": "a day such as 2026-11-24",
    "datetime": "a moment such as 2026-11-24T07:05:00+08:00",
    "object": "an object",
    "array": "a list",
}


_MISSING = re.compile(r"(?:Object missing required field `|Missing required \w+ parameter ')(.+?)[`'].*")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`.*")


def _about(field: str, message: str) -> Refusal:
    """One thing that does not fit, with the name of the field as the sender wrote it."""
    if match := _MISSING.fullmatch(message):
        return Refusal("missing-value", f"{match[1]} is missing.", field=match[1])
    if match := _UNKNOWN.fullmatch(message):
        return Refusal("unknown-field", f"{match[1]} is not a field here.", field=match[1])
    return Refusal("bad-value", _in_plain_words(message), field="" if field == "data" else field)


def _in_plain_words(message: str) -> str:
    message = re.sub(r" - at `.*`$", "", message)
    if match := re.fullmatch(r"Expected `(\w+)(?: \| \w+)*`(?:, got `\w+`)?", message):
        return f"It must be {_EXPECTED.get(match[1], match[1])}."
    if match := re.fullmatch(r"Expected `\w+` of length ([<>]=) (\d+)", message):
        return f"It must be {'at least' if match[1] == '>=' else 'at most'} {match[2]} long."
    if match := re.fullmatch(r"Expected `\w+` ([<>]=?) (.+)", message):
        words = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}
        return f"It must be {words[match[1]]} {match[2]}."
    if match := re.fullmatch(r"Invalid (?:RFC3339 encoded )?(\w+)", message):
        return f"It must be {_EXPECTED.get(match[1].lower(), match[1])}."
    if match := re.fullmatch(r"Invalid enum value '?(.*?)'?", message):
        return f"“{match[1][:40]}” is none of the choices."
    return message if message.endswith(".") else f"{message}."


def _bad_values(reason: ValidationException) -> BadInput:
    errors = [error for error in reason.extra or [] if isinstance(error, dict)] if reason.extra else []
    if not errors:
        return BadInput(_about("", reason.detail))
    return BadInput(*(_about(str(error.get("key", "")), str(error.get("message", ""))) for error in errors))


_BY_STATUS = {
    400: Refusal("bad-request", "The request cannot be read.", "Send what the page or /schema asks for."),
    403: Refusal(
        "not-from-here",
        "This was sent from a page of another site.",
        "Open the page here, and do it there if it is meant.",
    ),
    404: Refusal("no-page", "There is no such page.", "Check the address, or begin at the first page."),
    405: Refusal("no-such-act", "This page cannot be asked for in this way.", "Begin at the first page."),
    408: Refusal("too-slow", "What was sent did not come in time.", "Send it again, over a better line."),
    413: Refusal("too-large", "What was sent is larger than 2 MB.", "Send a smaller file."),
}


def of_http(request: AnyRequest, reason: HTTPException) -> Response[Any]:
    """What the framework itself refuses: no such page, a body that does not fit, a stale form."""
    if isinstance(reason, ValidationException):
        return say(request, _bad_values(reason))
    if reason.status_code >= 500:
        return of_anything(request, reason)
    refusal = _BY_STATUS.get(reason.status_code) or Refusal("refused", f"{HTTPStatus(reason.status_code).phrase}.")
    answer = say(request, _Plain(reason.status_code, refusal))
    answer.headers.update(reason.headers or {})  # such as Allow, which 405 is nothing without
    return answer


def of_refused(request: AnyRequest, reason: Refused) -> Response[Any]:
    """What a use case refused."""
    return say(request, reason)


def of_anothers_page(request: AnyRequest, reason: AnothersPage) -> Response[Any]:
    """A form that was drawn for somebody else: what was typed is shown, to be written again on a page of one's own.

    `X-Form-Old` tells a page's script that the form would be heard with a new token (keep.js).
    """
    old = {"X-Form-Old": "1"} if isinstance(reason, FormTooOld) else {}
    if not wants_page(request):
        answer: Response[Any] = as_problem(reason)
        answer.headers.update(old)
        return answer
    back, written = _came_from(request), list(reason.typed.items())
    return page("anothers_page.html", refused=reason, headers=old, back=back, written=written)


def of_integrity(request: AnyRequest, reason: IntegrityError) -> Response[Any]:
    """A rule that the database holds and no service had put into words. Nothing was kept; its name is told."""
    constraint = broken_constraint(reason)
    log.warning("broken constraint", request=request_number(request.scope), constraint=constraint)
    return say(
        request,
        Refused(
            Refusal(
                "broken-constraint",
                "This contradicts what is already recorded, and nothing of it was kept.",
                "Open the page again: somebody may have been faster.",
                {"constraint": constraint},
            )
        ),
    )


def of_bad_data(request: AnyRequest, _: DataError) -> Response[Any]:
    """A value that no column takes, such as a NUL sign in a text."""
    return say(request, BadInput(Refusal("bad-value", "A value holds a sign or a figure that cannot be kept.")))


def of_lost_database(request: AnyRequest, reason: OperationalError | PoolTimeout) -> Response[Any]:
    """The database is away, or so busy that the unit of work was given up. Nothing was kept in either case."""
    log.error("database", request=request_number(request.scope), failure=type(reason).__name__)
    waited = isinstance(reason, DBAPIError) and (
        collided(reason) or getattr(reason.orig, "sqlstate", None) in ("55P03", "57014")
    )
    if waited or isinstance(reason, PoolTimeout):
        busy = Refusal("busy", "Somebody else is working on the same record.", "Try again in a moment.")
        return say(request, Unavailable(busy))
    return say(
        request,
        Unavailable(
            Refusal(
                "no-database",
                "The database does not answer.",
                "It is not known whether this was recorded. Send it again in a moment: it is never recorded twice. "
                "If it stays so, call whoever runs the server.",
            )
        ),
    )


def of_anything(request: AnyRequest, reason: Exception) -> Response[Any]:
    """What nobody foresaw: the number of the request, by which the log tells more, and nothing else."""
    number = request_number(request.scope)
    settings: Settings | None = request.app.state.get("settings")
    log.error("unexpected", request=number, **failure(reason, production=settings is None or settings.production))
    return say(
        request,
        Failed(
            Refusal(
                "unexpected",
                "Something went wrong in the program, and nothing of this was kept.",
                f"Try again. If it stays so, tell whoever runs the server the incident number {number}.",
                {"incident": number},
            )
        ),
    )


HANDLERS: dict[Any, Any] = {
    AnothersPage: of_anothers_page,
    Refused: of_refused,
    HTTPException: of_http,
    IntegrityError: of_integrity,
    DataError: of_bad_data,
    OperationalError: of_lost_database,
    PoolTimeout: of_lost_database,
    Exception: of_anything,
}
