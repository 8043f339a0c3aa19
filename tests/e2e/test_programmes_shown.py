"""Programmes as Chromium shows them, one of each script: every sign is drawn, and no label is wider than the page."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dispensary.demo.clinic import PASSWORD
from dispensary.programmes.building import build
from dispensary.programmes.reading import read_programme
from dispensary.published.keeping import keep
from tests.e2e.conftest import DESK, PHONE, House, Person

# A sign for which no font has a picture is drawn as one for which there is none anywhere: an empty box, as a rule.
_NOT_DRAWN = """() => {
    const canvas = document.createElement("canvas"), size = 24;
    canvas.width = canvas.height = 2 * size;
    const pen = canvas.getContext("2d", {willReadFrequently: true});
    pen.font = `${size}px ${getComputedStyle(document.body).fontFamily}`;
    const drawn = sign => {
        pen.clearRect(0, 0, 2 * size, 2 * size);
        pen.fillText(sign, 4, size);
        return pen.getImageData(0, 0, 2 * size, 2 * size).data.join();
    };
    const nowhere = drawn("\\u{e0fff}"), signs = new Set(document.body.innerText.replace(/[\\s\\p{M}\\p{Cf}]/gu, ""));
    const empty = [...signs].filter(sign => drawn(sign) === nowhere);
    return {seen: signs.size, empty, known: drawn("\\u{e0ffe}") === nowhere};
}"""
PAGES = {
    "pharmacist": ("/counter",),
    "nurse": ("/care",),
    "evaluator": ("/programme/published",),
    "administrator": ("/office",),
}


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("community-china", "中国社区项目"),
        ("community-cambodia", "កម្មវិធីសហគមន៍ កម្ពុជា"),
        ("community-india", "சமூகத் திட்டம், இந்தியா"),
        ("community-viet-nam", "Chương trình cộng đồng, Việt Nam"),
        ("sisattanak", "ໂຮງໝໍສີສັດຕະນາກ ວຽງຈັນ"),
    ],
    ids=lambda each: each if each.isascii() else "",
)
def test_every_sign_of_its_script_is_drawn_and_no_label_is_too_wide(
    house: House, person: Callable[[], Person], name: str, title: str
) -> None:
    programme = read_programme(name)
    build(house.database, programme, now=house.clock())
    keep(house.data, programme.publication)
    language = programme.head.language.replace("_", "-")
    there = {each.username for site in programme.sites for each in site.staff}
    for username in PAGES.keys() & there:
        desk = person()
        desk.page.goto("/signin")
        desk.page.locator("[name=username]").fill(username)
        desk.page.locator("[name=password]").fill(PASSWORD)
        desk.page.locator("[name=password]").press("Enter")
        desk.page.wait_for_url("**/")
        for path in PAGES[username]:
            desk.page.goto(path)
            assert desk.page.locator("html").get_attribute("lang") == language
            desk.picture(f"programme-{name}{path.replace('/', '-')}")
            found = desk.page.evaluate(_NOT_DRAWN)
            assert found["known"], "two signs that nobody has are drawn alike"
            assert found["seen"] > 25
            assert found["empty"] == [], path
            if username == "evaluator":
                desk.sees(title)
            desk.page.set_viewport_size(PHONE)
            desk.picture(f"programme-{name}{path.replace('/', '-')}-phone")
            assert desk.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
            desk.page.set_viewport_size(DESK)
        assert desk.troubles == []
