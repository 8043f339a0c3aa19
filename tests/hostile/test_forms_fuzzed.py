"""Whatever a browser, or what pretends to be one, sends to a page: a sentence comes back, and none of it as markup."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from httpx import Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from structlog.testing import capture_logs

from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import PASSWORD, Visitor, hire

ROUNDS = 40 if "ATTACK" in os.environ else 1
"""How often each form is sent; by `make attack` often enough that most mixtures come about."""
HOUSE = Path(__file__).parents[2] / "dispensary"
MARKUP = '"><img src=x onerror=alert(1)><script>alert(2)</script>'
SQL = (
    "'",
    "''",
    '"',
    "\\",
    "';--",
    "' OR '1'='1",
    "1); DROP TABLE client; --",
    "'||pg_sleep(9)||'",
    "$$;SELECT pg_sleep(9);$$",
    "%' AND 1=CAST((SELECT version()) AS int)--",
    "\\'; SELECT 1; --",
    "%27%00",
)
HOSTILE = (
    MARKUP,
    *SQL,
    "{{7*7}}${7*7}%s%(x)s",
    "a\0b",
    "\udcff",
    "\u202e\u2066evil\u2069",
    "\ufeff\u200b",
    "1e500",
    "-1e500",
    "NaN",
    "Infinity",
    "-0",
    "9" * 400,
    "0x10",
    "٣",
    "²",
    "2026-02-30",
    "0000-00-00",
    "99999-12-31",
    "24:61",
    "../../../../etc/passwd",
    "javascript:alert(1)",
    "\r\nSet-Cookie: x=y",
    "x" * 70_000,
    "[]",
    "{}",
    "null",
    "true",
)
PLAUSIBLE = ("on", "yes", "no", "1", "2", "80", "5", "2026-11-24", "2026-11-30", "07:30", "titration", "A remark.", "")


def _names() -> list[str]:
    """Every name that a form of any page has, and every one that a handler looks for."""
    pages = "\n".join(path.read_text("utf-8") for path in HOUSE.rglob("*.html"))
    code = "\n".join(path.read_text("utf-8") for where in ("desks", "web") for path in (HOUSE / where).glob("*.py"))
    found = set(re.findall(r'name="(\w+)"', pages))
    found |= set(re.findall(r'(?:form|data|typed\.\w+|read\.\w+)[(,]\s*"(\w+)"', code))
    return sorted(found - {"_csrf_token", "_acting", "key"})


@dataclass
class Browser:
    """Somebody with every role, who comes back when they were sent away."""

    here: Desks
    visitor: Visitor = field(init=False)
    drawn: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.here.database.reading() as session:
            site = session.get_one(Site, self.here.place.site_id)
        hire(self.here.database, site, "everything", Role, self.here.place.now)
        self.visitor = Visitor(self.here.app)
        self.comes_back()

    def comes_back(self) -> None:
        self.here.clock.goes_on(minutes=16)  # the door may have closed: it was tried with wrong passwords too
        assert self.visitor.signs_in("everything", PASSWORD).status_code == 303
        self.drawn = self.visitor.drawn()

    def asks(self, method: str, path: str, form: dict[str, Any] | None = None) -> Response:
        for _ in range(2):
            body = None if form is None else {"key": str(uuid4()), **form, **self.drawn}
            content = None if body is None else _encoded(body)
            headers = {"content-type": "application/x-www-form-urlencoded"} if form is not None else {}
            answer = self.visitor.client.request(method, path, content=content, headers=headers, follow_redirects=False)
            away = answer.headers.get("location", "").split("?")[0] in ("/signin", "/lock")
            if not away and answer.status_code != 401:
                return answer
            self.comes_back()
        return answer


def _encoded(form: dict[str, Any]) -> bytes:
    """As a browser writes it; a list is one name several times, and a lone surrogate is bytes that are no text."""

    def escaped(text: str) -> str:
        return quote(text.encode("utf-8", "surrogatepass"), safe="")

    pairs = [(name, each) for name, value in form.items() for each in (value if isinstance(value, list) else [value])]
    return "&".join(f"{escaped(name)}={escaped(each)}" for name, each in pairs).encode()


def _pages(here: Desks, method: str) -> list[HTTPRoute]:
    """The paths outside the API that are asked for like this."""
    apart = ("/api", "/hooks", "/schema", "/static", "/health", "/screen/events")
    return [
        route
        for route in here.app.routes
        if isinstance(route, HTTPRoute)
        and not route.path_format.startswith(apart)
        and any(isinstance(each, HTTPRouteHandler) and method in each.http_methods for each in route.route_handlers)
    ]


def _filled(route: HTTPRoute, values: Callable[[], str]) -> str:
    return re.sub(r"\{\w+\}", lambda _: quote(values().encode("utf-8", "surrogatepass"), safe=""), route.path_format)


def _stands(answer: Response, path: str) -> None:
    """Nothing broke, and nothing that was sent came back as markup."""
    assert answer.status_code < 500, (path, answer.status_code, answer.text[-600:])
    kind = answer.headers.get("content-type", "")
    if "html" in kind:
        assert "<img src=x" not in answer.text, path
        assert "<script>alert" not in answer.text, path
        assert "Traceback" not in answer.text
        if answer.status_code >= 400:
            assert len(re.sub(r"<[^>]+>", "", answer.text.split("<main", 1)[-1]).split()) > 3, path
    assert "x=y" not in answer.headers.get("set-cookie", "")


@pytest.fixture
def browser(database: Database, now: datetime, tmp_path: Path) -> Iterator[Browser]:
    here = desks(database, now, tmp_path)
    with capture_logs():
        yield Browser(here)


def test_no_form_breaks_whatever_its_fields_hold(
    browser: Browser, record_property: Callable[[str, object], None]
) -> None:
    dice = random.Random(7)
    known = [str(browser.here.place.client(mg="60")) for _ in range(3)] + [str(browser.here.place.lot_id)]
    names, routes = _names(), _pages(browser.here, "POST")
    assert (len(names) > 200, len(routes) > 150) == (True, True)
    sent = 0
    for number in range(ROUNDS):
        for route in routes:
            # Each form gets markup first: what is refused is quoted, and must be quoted as text.
            hostile = MARKUP if number == 0 else HOSTILE[(sent + number) % len(HOSTILE)]
            path = _filled(route, lambda: dice.choice(known) if dice.random() < 0.8 else str(uuid4()))
            mixed = (
                dict.fromkeys(names, hostile)
                if number == 0 or dice.random() < 0.3
                else {name: dice.choice((*PLAUSIBLE, *known, hostile)) for name in names if dice.random() < 0.8}
            )
            if dice.random() < 0.2:
                mixed = {name: [value, value, hostile] for name, value in mixed.items()}
            if dice.random() < 0.1:
                mixed = {}
            if len(hostile) > 10_000:  # within two megabytes; a test of its own sends more
                some = dice.sample(names, 20)
                mixed = {name: hostile if name in some else "1" for name in mixed}
            _stands(browser.asks("POST", path, mixed), f"{path} with {hostile[:40]!r}")
            sent += 1
    record_property("tries", sent)
    record_property("figure", f"{len(routes)} forms, {len(names)} names of fields")


def test_a_refusal_that_quotes_what_was_typed_quotes_it_as_text(browser: Browser) -> None:
    typed = {"name": "x", "jump_percent": "10", "missed_days_ask": "2", "jump_mg": "<i>1</i>%(x)s%'", "phone": '"<b>'}
    answer = browser.asks("POST", "/office/site", typed)
    assert answer.status_code == 422
    assert "&lt;i&gt;" in answer.text
    assert "<i>1" not in answer.text
    assert '"<b>' not in answer.text


def test_no_page_takes_for_its_own_words_what_a_rule_has_said() -> None:
    told = {
        path.name: found
        for path in HOUSE.rglob("*.html")
        if (
            found := re.findall(
                r"(?<![\w.])n?gettext\((?=[^\"'])[^)]*|(?<![\w.])_\((?=[^\"'])[^)]*", path.read_text("utf-8")
            )
        )
    }
    assert told == {}, "what is no literal goes through as_said()"


def test_sql_in_an_address_is_text_like_any_other(
    browser: Browser, record_property: Callable[[str, object], None]
) -> None:
    client, sent = str(browser.here.place.client(mg="60")), 0
    for route in _pages(browser.here, "GET"):
        asked = {
            name
            for handler in route.route_handlers
            if isinstance(handler, HTTPRouteHandler)
            for name in handler.parsed_fn_signature.parameters
        } | {"q", "day", "month", "next", "page"}
        known = _filled(route, lambda: client)
        for sql in SQL if ROUNDS > 1 else SQL[5:8]:
            began = time.monotonic()
            for path in {
                _filled(route, partial(str, sql)),
                known + "?" + "&".join(f"{name}={quote(sql)}" for name in asked),
            }:
                answer = browser.asks("GET", path)
                _stands(answer, path)
                assert "syntax error" not in answer.text
                sent += 1
            if time.monotonic() - began > 8:  # a busy machine, or a statement that slept: that sleeps each time
                began = time.monotonic()
                browser.asks("GET", path)
                assert time.monotonic() - began < 8, (route.path_format, sql)
        plain = browser.asks("GET", _filled(route, lambda: "xqzx")).status_code
        assert browser.asks("GET", _filled(route, lambda: "x' OR '1'='1")).status_code == plain, route.path_format
    record_property("tries", sent)
