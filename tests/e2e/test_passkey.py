"""A second factor in a real browser: an authenticator set up from its secret, a passkey made, and each used."""

from __future__ import annotations

import asyncio
import re
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

from dispensary.database import Database
from dispensary.staff.rules import Role
from tests.dispensary.factored import Authenticator
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import PASSWORD, MovableClock, acts_of, demo_settings, hire, open_site
from tests.e2e.conftest import DESK, House, Person, fits

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def named(database: Database, now: datetime, tmp_path: Path) -> Iterator[House]:
    """A server at an address that has a name, since passkeys are made for nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clock, address = MovableClock(now), f"http://localhost:{port}"
    settings = demo_settings(tmp_path, DISPENSARY_PORT=str(port), PUBLIC_BASE_URL=address)
    app, started = lent_app(settings, database, clock), {}

    async def run() -> None:
        server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
        started.update(server=server, loop=asyncio.get_running_loop())
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    for _ in range(200):
        with suppress(OSError), urlopen(f"{address}/health/live", timeout=2):
            break
        time.sleep(0.05)
    yield House(address, clock, database, settings.data)
    started["loop"].call_soon_threadsafe(started["server"].stop)
    thread.join(20)


def test_an_authenticator_then_a_passkey_and_each_opens_the_door(
    chromium: Browser, named: House, database: Database, now: datetime
) -> None:
    site = open_site(database, now)
    hire(database, site, "siti", [Role.DOCTOR], now)
    siti = Person(chromium, named, DESK)
    page, devices = siti.page, siti.context.new_cdp_session(siti.page)
    devices.send("WebAuthn.enable")
    device = devices.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})["authenticatorId"]

    siti.signs_in("siti", "/second-factor")
    page.get_by_role("link", name="Set up an authenticator").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    siti.sees("Let the app read this")
    fits(siti)
    phone = Authenticator(re.sub(r"\s", "", page.locator(".factor-secret").text_content() or ""))
    page.get_by_label("Code").fill(phone.shows(named.clock()))
    page.get_by_role("button", name="Confirm").click()
    siti.sees("Your second factor is set up.")
    codes = page.locator(".factor-codes code").all_text_contents()

    page.goto("/second-factor")
    page.get_by_role("link", name="Set up a passkey").click()
    page.get_by_label("What do you call the device?").fill("my phone")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("recovery code").fill("AAAAA-AAAAA")
    page.get_by_role("button", name="Ask the device").click()
    siti.sees("This code is not right")
    page.get_by_label("recovery code").fill(codes[0])
    page.get_by_role("button", name="Ask the device").click()
    siti.sees("The passkey is set up.", "my phone")
    fits(siti)
    page.goto("/second-factor/codes")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Passkey instead of the code").click()
    siti.sees("The codes before these open nothing any more.")

    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Sign in by passkey").click()
    siti.sees("Where do you work now?")
    page.get_by_role("button", name="Sign out", exact=True).click()
    named.clock.goes_on(minutes=1)
    siti.signs_in("siti", "/signin/code")
    fits(siti)
    page.get_by_label("Code of your authenticator").fill(phone.shows(named.clock()))
    page.get_by_role("button", name="Sign in", exact=True).click()
    siti.sees("Where do you work now?")
    page.get_by_role("button", name="Sign out", exact=True).click()

    devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.get_by_role("button", name="Sign in by passkey").click()
    siti.sees("The device has signed nothing")
    assert siti.troubles == []
    assert acts_of(database, site).count("sign in") == 3
    siti.closes()
