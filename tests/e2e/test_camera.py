"""The counter's camera: Chromium films a printed pass, slightly blurred, and the counter opens its client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Browser

from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.supplies.pickups import prepare_pickup
from dispensary.supplies.printing.qr import qr_png
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.conftest import CHROMIUM_ARGUMENTS, path_of_chromium
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, House, Person

FRAMES = 20


def film(text: str, to: Path) -> None:
    """A printed card before a camera: held askew, moved a little, blurred, unevenly lit, as joined JPEG frames."""
    code = Image.open(BytesIO(qr_png(text, 6))).convert("L")
    with to.open("wb") as file:
        for n in range(FRAMES):
            view = Image.new("L", (640, 480), 120)
            ImageDraw.Draw(view).rectangle((0, 0, 640, 240), fill=135)
            view.paste(code, ((640 - code.width) // 2 + n % 5, (480 - code.height) // 2 - n % 3))
            view = view.rotate(6, fillcolor=120).filter(ImageFilter.GaussianBlur(1.2))
            view.convert("RGB").save(file, "JPEG", quality=80)


@pytest.fixture
def place(house: House) -> Clinic:
    place = clinic(house.database, house.clock())
    with house.database.reading() as session:
        site = session.get_one(Site, place.site_id)
    hire(house.database, site, "pharmacist", [Role.PHARMACIST], place.now)
    return place


@pytest.fixture
def filming(chromium: Browser, place: Clinic, tmp_path: Path) -> Iterator[tuple[Browser, ClientId]]:
    """A Chromium whose camera sees the pass of a client's pickup."""
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    with place.database.writing() as session:
        prepared = prepare_pickup(
            session,
            actor=place.pharmacist,
            client_id=client,
            collect_on=place.today,
            take_home_days=place.ahead(1, 2),
            valid=(place.now - timedelta(hours=7), place.now + timedelta(hours=17)),
            today=place.today,
            at=place.now,
        )
    video = tmp_path / "pass.mjpeg"
    film(prepared.token, video)
    browser = chromium.browser_type.launch(
        executable_path=path_of_chromium(),
        args=[
            *CHROMIUM_ARGUMENTS,
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={video}",
        ],
    )
    yield browser, client
    browser.close()


def test_a_pass_before_the_camera_opens_its_client(filming: tuple[Browser, ClientId], house: House) -> None:
    browser, client = filming
    counter = Person(browser, house, DESK).signs_in("pharmacist", "/counter")
    counter.page.get_by_role("button", name="Camera").wait_for()
    counter.picture("counter-camera-offered")

    counter.page.keyboard.press("Alt+c")
    counter.sees("Hold the pass before the camera")
    counter.page.wait_for_url(f"**/counter/clients/{client}?pickup=*")
    counter.sees("2 prepared bottles")
    assert counter.page.locator("[name=pickup_id]").is_checked()
    counter.presses("1", "2", "3")
    counter.sees("Handed over at")
    assert counter.troubles == []
    counter.closes()


def test_without_a_camera_the_page_says_so_and_the_code_is_typed(
    chromium: Browser, house: House, place: Clinic
) -> None:
    counter = Person(chromium, house, DESK).signs_in("pharmacist", "/counter")
    counter.page.get_by_role("button", name="Camera").click()
    counter.sees("There is no camera here")
    counter.page.keyboard.press("Escape")
    counter.page.locator("[data-scan]:focus").wait_for()
    assert counter.troubles == []
    counter.closes()
