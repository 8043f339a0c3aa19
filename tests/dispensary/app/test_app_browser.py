"""The pages in a real browser: keyboard, scanner, a server that goes away, and a browser without JavaScript."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, get, post
from litestar.response import Redirect, Template
from playwright.sync_api import Browser, Page

from dispensary.database import Database
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.rules import Act, Role
from dispensary.web.forms import Form, one
from dispensary.web.guards import requires
from dispensary.web.templating import page
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import PASSWORD, MovableClock, demo_settings, hire, open_site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")

FORM = """{% extends "base.html" %}{% block title %}Try{% endblock %}{% block main %}
{{ parts.header("Try") }}{{ parts.refused() }}
{% call parts.form("/try") %}
{{ parts.field("mg", "Dose", required=true) }}
{{ parts.tick("sober", "Sober") }}
{% set give = parts.primary("Give", key="1", name="act", value="give") %}
{% set hold = parts.secondary("Hold", key="2", name="act", value="hold") %}
{{ parts.buttons(give, hold) }}
{% endcall %}{% endblock %}"""

SCAN = """{% extends "base.html" %}{% block title %}Scan{% endblock %}{% block main %}
{{ parts.header("Scan") }}
{% call parts.form("/scan", method="get") %}
{{ parts.field("code", "Pass", scan=true) }}{{ parts.primary("Find") }}
{% endcall %}
{{ parts.link("One", "/try", key="1") }}{% endblock %}"""


class House:
    """The application on a port, in a thread, with two pages more; it can be made to answer nothing for a while."""

    stands: House
    """The one of the test that runs, whose pages they are."""

    def __init__(self, app: Litestar) -> None:
        House.stands = self
        self.app = app
        self.sent: list[dict[str, Any]] = []
        self.away = False
        self.slow = 0.0
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()))

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        if self.away:
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"away"})
            return
        await self.app(scope, receive, send)

    async def serve(self) -> None:
        self.server = Server(self.answer, port=self.port, interface=Interfaces.ASGINL, log_enabled=False)
        self.server.workers_kill_timeout = 2
        self.loop = asyncio.get_running_loop()
        await self.server.serve()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.server.stop)
        self.thread.join(10)


@get("/try", guards=[requires(Act.ORDER)], sync_to_thread=False)
def try_page() -> Template:
    return Template(template_str=FORM, media_type="text/html")


@get("/scan", guards=[requires(Act.ORDER)], sync_to_thread=False)
def scan_page() -> Template:
    return Template(template_str=SCAN, media_type="text/html")


@post("/try", guards=[requires(Act.ORDER)], sync_to_thread=True)
def try_it(data: Form) -> Any:
    house = House.stands
    time.sleep(house.slow)
    house.sent.append({name: one(data, name) for name in data if name != "_csrf_token"})
    if one(data, "mg").isdigit():
        return Redirect("/", status_code=303)
    refused = BadInput(Refusal("bad-amount", "Write digits.", "Correct the dose.", field="mg"))
    shown = page("x", refused=refused, typed=data)
    return Template(template_str=FORM, media_type="text/html", status_code=422, context=shown.context)


@pytest.fixture
def house(database: Database, now: datetime, tmp_path: Path) -> Iterator[House]:
    hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
    house = House(lent_app(demo_settings(tmp_path), database, MovableClock(now), more=[try_page, scan_page, try_it]))
    house.thread.start()
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", house.port)).close()
            break
        except OSError:
            time.sleep(0.02)
    yield house
    house.stop()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The one browser of all tests, without the pages of this one afterwards."""
    yield chromium
    for context in chromium.contexts:
        context.close()


def signed_in(browser: Browser, house: House, **options: Any) -> Page:
    context = browser.new_context(base_url=f"http://127.0.0.1:{house.port}", **options)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.goto("/signin")
    page.fill("[name=username]", "siti")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/")
    return page


@pytest.fixture
def at(browser: Browser, house: House) -> Iterator[Page]:
    page = signed_in(browser, house)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    yield page
    page.context.close()
    assert complaints == []


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.name ?? document.activeElement.tagName"))


def test_a_form_is_sent_with_the_button_that_was_pressed(at: Page, house: House) -> None:
    at.goto("/try")
    at.fill("[name=mg]", "40")
    at.click("text=Hold")
    at.wait_for_url("**/")
    assert [(sent["mg"], sent["act"]) for sent in house.sent] == [("40", "hold")]


def test_enter_presses_the_first_button(at: Page, house: House) -> None:
    at.goto("/try")
    at.fill("[name=mg]", "40")
    at.press("[name=mg]", "Enter")
    at.wait_for_url("**/")
    assert house.sent[0]["act"] == "give"


def test_a_key_presses_its_button_and_while_typing_only_with_alt(at: Page, house: House) -> None:
    at.goto("/try")
    at.click("[name=mg]")
    at.keyboard.type("12")
    assert at.input_value("[name=mg]") == "12"
    at.keyboard.press("Alt+2")
    at.wait_for_url("**/")
    at.goto("/try")
    at.fill("[name=mg]", "40")
    at.keyboard.press("Escape")
    at.keyboard.press("1")
    at.wait_for_url("**/")
    assert [(sent["mg"], sent["act"]) for sent in house.sent] == [("12", "hold"), ("40", "give")]


def test_a_scanner_never_presses_buttons_by_typing(at: Page, house: House) -> None:
    at.goto("/try")
    at.fill("[name=mg]", "40")
    at.keyboard.press("Escape")
    at.keyboard.type("21121", delay=5)
    time.sleep(0.4)
    assert house.sent == []


def test_a_scanner_always_reaches_the_scan_field(at: Page) -> None:
    at.goto("/scan")
    at.wait_for_function("document.activeElement.name === 'code'")
    at.keyboard.press("Escape")
    assert focused(at) == "BODY"
    at.keyboard.type("1AB2", delay=5)
    at.keyboard.press("Enter")
    at.wait_for_url("**/scan?code=1AB2")


def test_what_was_refused_comes_back_as_typed_with_the_field_in_focus(at: Page, house: House) -> None:
    at.goto("/try")
    at.fill("[name=mg]", "4O")
    at.check("[name=sober]")
    at.click("text=Give")
    at.wait_for_selector(".notice-refusal")
    assert "Write digits." in at.inner_text(".notice-refusal")
    assert (at.input_value("[name=mg]"), at.is_checked("[name=sober]")) == ("4O", True)
    at.wait_for_function("document.activeElement.name === 'mg'")
    at.fill("[name=mg]", "40")
    at.click("text=Give")
    at.wait_for_url("**/")
    assert house.sent[0]["key"] == house.sent[1]["key"]


def test_pressing_twice_sends_once(at: Page, house: House) -> None:
    house.slow = 0.5
    at.goto("/try")
    at.fill("[name=mg]", "40")
    at.dblclick("text=Give")
    at.wait_for_url("**/")
    assert len(house.sent) == 1


def test_when_the_server_is_away_what_was_typed_is_kept_and_sent_with_the_same_key(at: Page, house: House) -> None:
    at.goto("/try")
    key = at.input_value("form [name=key] >> nth=0")
    at.fill("[name=mg]", "40")
    house.away = True
    at.click("text=Give")
    at.wait_for_selector("#keep-banner:visible")
    assert "The server does not answer. What you typed is kept." in at.inner_text("#keep-banner")
    assert at.input_value("[name=mg]") == "40"
    house.away = False
    at.click("[data-retry]")
    at.wait_for_url("**/")
    assert [(sent["mg"], sent["key"], sent["act"]) for sent in house.sent] == [("40", key, "give")]


def test_it_is_sent_again_by_itself(at: Page, house: House) -> None:
    at.goto("/try")
    at.fill("[name=mg]", "40")
    house.away = True
    at.click("text=Give")
    at.wait_for_selector("#keep-banner:visible")
    house.away = False
    at.wait_for_url("**/")
    assert len(house.sent) == 1


def test_a_sign_in_that_ended_keeps_what_was_typed_until_one_is_back(at: Page, house: House) -> None:
    at.goto("/try")
    at.fill("[name=mg]", "40")
    cookies = at.context.cookies()
    at.context.clear_cookies(name="takehome")
    at.click("text=Give")
    at.wait_for_selector("[data-when=signed-out]:visible")
    assert at.input_value("[name=mg]") == "40"
    at.context.add_cookies(cookies)
    at.click("[data-retry]")
    at.wait_for_url("**/")
    assert [sent["mg"] for sent in house.sent] == ["40"]


def test_without_javascript_everything_works(browser: Browser, house: House) -> None:
    page = signed_in(browser, house, java_script_enabled=False)
    page.goto("/try")
    page.fill("[name=mg]", "4O")
    page.click("text=Give")
    assert "Write digits." in page.inner_text(".notice-refusal")
    assert page.input_value("[name=mg]") == "4O"
    page.fill("[name=mg]", "40")
    page.click("text=Give")
    page.wait_for_url("**/")
    page.click("text=Signed in on another device?")
    page.click("text=Sign out everywhere")
    page.wait_for_url("**/signin")
    page.context.close()


TOO_SMALL_TO_TOUCH = """() =>
    [...document.querySelectorAll("a, button, input:not([type=hidden]), label.option, summary")]
    .filter((each) => each.checkVisibility() && !each.matches(".skip, .option input, .keep-banner *"))
    .filter((each) => each.getBoundingClientRect().height < 44)
    .map((each) => each.outerHTML)"""
TOO_SMALL_TO_READ = """() =>
    [...document.querySelectorAll("body *:not(kbd)")]
    .filter((each) => each.checkVisibility())
    .filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .filter((each) => parseFloat(getComputedStyle(each).fontSize) < 16)
    .map((each) => each.outerHTML)"""


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", ["/", "/try", "/scan", "/signin", "/nothing"])
def test_nothing_is_too_wide_too_small_to_read_or_to_touch(
    browser: Browser, house: House, path: str, width: int
) -> None:
    page = signed_in(browser, house, viewport={"width": width, "height": 800})
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.documentElement.scrollHeight") <= 800
    assert page.evaluate(TOO_SMALL_TO_TOUCH) == []
    assert page.evaluate(TOO_SMALL_TO_READ) == []
    page.context.close()
