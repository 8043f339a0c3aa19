"""The waiting room: a kiosk that gives numbers, screens that survive their server, and reception's live queue."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from granian.constants import Interfaces
from granian.server.embed import Server
from playwright.sync_api import Browser
from sqlalchemy import text

import scheduling.service
from dispensary.app import create_app
from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from scheduling import calling
from tests.builders import Clinic, clinic
from tests.dispensary.visiting import MovableClock, demo_settings, hire
from tests.e2e.conftest import DESK, House, Person

KIOSK = {"width": 800, "height": 1280}
WALL = {"width": 1920, "height": 1080}


class Restarting:
    """The application on one port, which can be stopped as a program is told to stop, and started again."""

    def __init__(self, database: Database, now: datetime, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.database, self.clock, self.folder = database, MovableClock(now), folder
        self.house = House(f"http://127.0.0.1:{self.port}", self.clock, database, folder)

    def starts(self) -> None:
        app = create_app(demo_settings(self.folder, DISPENSARY_PORT=str(self.port)), self.database, self.clock)
        ready: dict[str, object] = {}

        async def run() -> None:
            server = Server(app, address="127.0.0.1", port=self.port, interface=Interfaces.ASGINL, log_enabled=False)
            server.workers_kill_timeout = 20
            ready.update(server=server, loop=asyncio.get_running_loop())
            await server.serve()

        self.thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        self.thread.start()
        for _ in range(400):
            with suppress(OSError), urlopen(f"{self.house.address}/health/live", timeout=2):
                break
            time.sleep(0.05)
        self.app, self.ready = app, ready

    def stops(self) -> float:
        """As serving.py stops it; says how many seconds that took."""
        began = time.monotonic()

        def tell() -> None:
            self.app.state.board.close()
            self.ready["server"].stop()  # type: ignore[attr-defined]

        self.ready["loop"].call_soon_threadsafe(tell)  # type: ignore[attr-defined]
        self.thread.join(30)
        return time.monotonic() - began


@pytest.fixture
def restarting(database: Database, now: datetime, tmp_path: Path) -> Iterator[Restarting]:
    restarting = Restarting(database, now, tmp_path)
    restarting.starts()
    yield restarting
    restarting.stops()


def staffed(house: House) -> Clinic:
    place = clinic(house.database, house.clock())
    with house.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    hire(house.database, site, "rahim", [Role.RECEPTION], place.now)
    return place


def number_of(place: Clinic, client: ClientId) -> str:
    with place.database.reading() as session:
        return str(session.execute(text("SELECT number FROM client WHERE id = :c"), {"c": client}).scalar_one())


def becomes(person: Person, kind: str) -> Person:
    person.signs_in("rahim", "/reception/devices")
    person.page.locator(f"label:has(input[value='{kind}'])").click()
    person.page.get_by_label("Where does it stand?").fill("Entrance")
    person.page.get_by_role("button", name="Make this browser that").click()
    person.page.wait_for_url(f"**/{kind}")
    return person


def waits(place: Clinic, client: ClientId) -> None:
    with place.database.writing() as session:
        scheduling.service.check_in(session, place_id=place.site_id, holder_id=client, now=place.now)


def is_called(place: Clinic, window: int) -> int:
    with place.database.writing() as session:
        visit = calling.call_next(session, place_id=place.site_id, window=window, now=place.now)
    assert visit is not None
    return visit.ticket


def test_two_screens_show_each_call_and_go_on_when_their_server_comes_back(
    chromium: Browser, restarting: Restarting
) -> None:
    place = staffed(restarting.house)
    for _ in range(4):
        waits(place, place.client())
    screens = [becomes(Person(chromium, restarting.house, WALL), "screen") for _ in range(2)]
    called = [screen.page.locator("[data-last]") for screen in screens]
    for screen in screens:
        screen.page.get_by_text("Your number will be shown here.").wait_for()
        screen.page.locator("[data-next] li").nth(3).wait_for()

    first = is_called(place, 1)
    for big in called:
        big.get_by_text(f"{first}", exact=True).wait_for()
        big.get_by_text("Window 1").wait_for()
    screens[0].picture("waiting-room")
    size = called[0].locator(".number").evaluate("element => parseFloat(getComputedStyle(element).fontSize)")
    smallest = (
        screens[0]
        .page.locator("[data-next] li")
        .first.evaluate("element => parseFloat(getComputedStyle(element).fontSize)")
    )
    assert (size > 400, smallest >= 110) == (True, True), "read from six metres"

    assert restarting.stops() < 10, "no stream keeps the server from stopping"
    second = is_called(place, 2)
    screens[0].page.locator("[data-away]").wait_for(state="visible")
    restarting.starts()
    for screen, big in zip(screens, called, strict=True):
        big.get_by_text(f"{second}", exact=True).wait_for()
        screen.page.locator("[data-before]").get_by_text("Window 1").wait_for()
        screen.page.locator("[data-away]").wait_for(state="hidden")
        assert place.database.vault is not None
        shown = screen.page.locator("body").inner_text()
        assert "HRP" not in shown
        assert "Ahmad" not in shown
        assert screen.page.locator("[data-sound]").get_attribute("aria-pressed") == "false"
        assert [trouble for trouble in screen.troubles if "ERR_" not in trouble] == []
        screen.closes()


def test_the_kiosk_gives_a_number_by_finger_or_scanner_and_forgets_it(chromium: Browser, house: House) -> None:
    place = staffed(house)
    one, other = place.client(), place.client()
    kiosk = becomes(Person(chromium, house, KIOSK), "kiosk")
    kiosk.picture("kiosk")
    for digit in "".join(sign for sign in number_of(place, one) if sign.isdigit()):
        key = kiosk.page.locator(f"[data-digit='{digit}']")
        box = key.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 68, "large enough for any finger"
        key.click()
    kiosk.page.get_by_role("button", name="Get a number").click()
    kiosk.page.get_by_text("Your number").first.wait_for()
    assert kiosk.page.locator(".number").inner_text() == "1"
    kiosk.picture("kiosk-number")
    kiosk.page.get_by_role("link", name="Done").click()

    kiosk.page.locator("#code").wait_for()
    assert kiosk.page.locator("#code").input_value() == ""
    kiosk.scans(number_of(place, other))
    kiosk.page.locator(".number").wait_for()
    assert kiosk.page.locator(".number").inner_text() == "2"
    kiosk.page.get_by_role("link", name="Done").click()

    kiosk.page.locator("#code").wait_for()
    kiosk.scans("nobody here")
    kiosk.page.get_by_text("Please go to the desk.").wait_for()
    assert kiosk.page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert kiosk.troubles == []
    kiosk.closes()


def test_what_somebody_typed_at_the_kiosk_is_gone_after_two_minutes(chromium: Browser, house: House) -> None:
    staffed(house)
    kiosk = becomes(Person(chromium, house, KIOSK), "kiosk")
    kiosk.page.clock.install()
    kiosk.page.goto("/kiosk")
    kiosk.page.locator("[data-digit='4']").click()
    assert kiosk.page.locator("#code").input_value() == "4"
    kiosk.page.clock.fast_forward(119_000)
    assert kiosk.page.locator("#code").input_value() == "4"
    with kiosk.page.expect_navigation():
        kiosk.page.clock.fast_forward(2_000)
    assert kiosk.page.locator("#code").input_value() == ""
    kiosk.closes()


def test_receptions_queue_follows_the_counter_and_brings_back_who_was_not_there(
    chromium: Browser, house: House
) -> None:
    place = staffed(house)
    away, other = place.client(), place.client()
    for client in (away, other):
        waits(place, client)
    desk = Person(chromium, house, DESK).signs_in("rahim", "/reception/queue")
    desk.sees("Waiting, in the order of the next calls", number_of(place, away))
    assert is_called(place, 1) == 1
    desk.page.get_by_role("heading", name="At a window").wait_for()  # by itself
    desk.page.get_by_role("button", name="Not there").click()
    desk.sees("called 1 time in vain")
    assert is_called(place, 1) == 2
    assert is_called(place, 2) == 1
    desk.picture("reception-queue")
    desk.page.set_viewport_size({"width": 390, "height": 844})
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert desk.troubles == []
    desk.closes()
