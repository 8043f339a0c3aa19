"""A real server on a real port with a clock that the test moves, and Debian's Chromium looking at it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from granian.constants import Interfaces
from granian.server.embed import Server
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from dispensary.database import Database
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import PASSWORD, MovableClock, demo_settings

PICTURES = Path(__file__).parents[2] / "test-output" / "pages"
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


@dataclass
class House:
    """The application as it is served, its clock, and the folder of its data."""

    address: str
    clock: MovableClock
    database: Database
    data: Path
    people: list[Person] = field(default_factory=list)
    """Who sits at a browser. They go when the house closes: a page that is left open works on, a camera most of all."""


@pytest.fixture
def house(database: Database, now: datetime, tmp_path: Path) -> Iterator[House]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clock = MovableClock(now)
    settings = demo_settings(tmp_path, DISPENSARY_PORT=str(port))
    app = lent_app(settings, database, clock)
    started: dict[str, object] = {}

    async def run() -> None:
        server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
        started.update(server=server, loop=asyncio.get_running_loop())
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{port}"
    for _ in range(200):
        with suppress(OSError), urlopen(f"{address}/health/live", timeout=2):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the server does not answer")
    house = House(address, clock, database, settings.data)
    yield house
    for person in house.people:
        person.closes()
    started["loop"].call_soon_threadsafe(started["server"].stop)  # type: ignore[attr-defined]
    thread.join(20)


class Person:
    """Somebody at a browser: signs in, looks, types; what is on the screen is kept as a picture."""

    def __init__(self, browser: Browser, house: House, viewport: dict[str, int], *, held: bool = False) -> None:
        """`held`: it is held in a hand and touched, as Chromium on a telephone is."""
        self.house = house
        house.people.append(self)
        self.context: BrowserContext = browser.new_context(
            viewport=viewport, base_url=house.address, has_touch=held, is_mobile=held
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, line: ConsoleMessage) -> None:
        # A refusal is an answer with a status of its own, which Chromium calls a failed resource.
        if line.type == "error" and "Failed to load resource" not in line.text:
            self.troubles.append(line.text)

    def signs_in(self, username: str, desk: str) -> Person:
        self.page.goto("/signin")
        self.page.get_by_label("Account").fill(username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.goto(desk)
        return self

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"{name}.png"), full_page=True)

    def sees(self, *texts: str) -> None:
        for text in texts:
            self.page.get_by_text(text, exact=False).first.wait_for()

    def scans(self, text: str) -> None:
        """What a scanner does: it types fast, then Enter, wherever the focus is."""
        self.page.keyboard.type(text, delay=2)
        self.page.keyboard.press("Enter")

    def types(self, text: str) -> None:
        """What a person does: looks where the cursor is, then types; a page that has come may not have set it yet."""
        self.page.locator("input:focus, textarea:focus").wait_for()
        self.page.keyboard.type(text)

    def presses(self, *keys: str) -> None:
        """What a person does: one key after the other."""
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(200)

    def downloads(self, link: str) -> bytes:
        with self.page.expect_download() as expected:
            self.page.get_by_role("link", name=link).click()
        return Path(expected.value.path()).read_bytes()

    def fetches(self, path: str) -> bytes:
        """A document that the browser would show in a window of its own, such as a PDF."""
        answer = self.context.request.get(path)
        assert answer.ok, (path, answer.status)
        return answer.body()

    def closes(self) -> None:
        self.context.close()


def fits(desk: Person) -> None:
    """Nothing is to be scrolled for on this page, but for the line that says it is a demonstration."""
    bottom = desk.page.evaluate("document.querySelector('main').getBoundingClientRect().bottom + scrollY")
    assert bottom <= DESK["height"], f"{desk.page.url} is {bottom} px high"
    width = desk.page.evaluate("document.documentElement.scrollWidth")
    assert width <= DESK["width"], f"{desk.page.url} is {width} px wide"


@pytest.fixture
def person(chromium: Browser, house: House) -> Iterator[type[Person]]:
    people: list[Person] = []

    def arrive(viewport: dict[str, int] = DESK) -> Person:
        people.append(Person(chromium, house, viewport))
        return people[-1]

    yield arrive  # type: ignore[misc]
    for each in people:
        each.closes()
