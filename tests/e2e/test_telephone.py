"""The telephone of a demonstration plays whole conversations, at a desk and at the width of a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from dispensary.jobs import send_texts
from dispensary.units import ClientId
from notifications.gateways.console import ConsoleGateway
from tests.dispensary.phones import Line, kl, line, with_pin
from tests.e2e.conftest import DESK, PHONE, House, Person

BOOKED = "Booked: Fri 27 Nov at 07:30. To change it reply MOVE, to give it up DROP."


class Handset:
    """A client's phone as the page plays it; what is written is answered by the outbox."""

    def __init__(self, person: Person, phone_line: Line, owner: ClientId | str) -> None:
        self.person, self.line = person, phone_line
        person.page.goto(f"/telephone/{owner}")

    def writes(self, text: str, answer: str) -> None:
        """Types it, presses Enter, and reads the answer as the newest text on the screen."""
        page = self.person.page
        before = page.locator(".text-mine").count()
        field = page.get_by_label("Write a text")
        field.fill(text)
        field.press("Enter")
        page.locator(".text-mine").nth(before).wait_for()
        send_texts(self.line.database, ConsoleGateway(), self.person.house.clock)
        page.locator(".text-theirs:last-of-type:not(.text-coming)").get_by_text(answer).wait_for()


@pytest.fixture
def phone_line(house: House) -> Line:
    return line(house.database, house.clock())


@pytest.fixture
def phone(chromium: Browser, house: House) -> Iterator[Person]:
    person = Person(chromium, house, DESK)
    yield person
    assert person.troubles == []
    person.closes()


def test_a_whole_conversation_is_played(phone: Person, phone_line: Line) -> None:
    client = phone_line.client()
    handset = Handset(phone, phone_line, client)
    handset.writes("BOOK", "For which day and time? For example FRI 7.30.")
    handset.writes("fri", "Free: Fri 27 Nov 1) 07:00")
    handset.writes("1", "Booked: Fri 27 Nov at 07:00.")
    handset.writes("MOVE 7.30", "Moved. You are now booked for Fri 27 Nov at 07:30.")
    handset.writes("WHEN", "You are booked for Fri 27 Nov 07:30.")
    handset.writes("查询", "You are booked for Fri 27 Nov 07:30.")
    handset.writes("LANG ZH", "短信将使用中文。")
    handset.writes("改到周六8点", "已改期。您现在的预约是11月28日周六 08:00。")
    handset.writes("WAIT", "现在要等多久还不知道。")
    handset.writes("LANG EN", "Texts will now be in English.")
    handset.writes("MENU 2", "LIST with a day: wait for a place.")
    assert phone_line.booked(client) == [kl(28, 8)]
    phone.picture("telephone")
    phone.page.set_viewport_size(PHONE)
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    phone.picture("telephone-phone")


def test_a_number_with_a_pin_asks_for_it_and_a_stranger_learns_nothing(phone: Person, phone_line: Line) -> None:
    client = with_pin(phone_line, phone_line.client(), "4821")
    handset = Handset(phone, phone_line, client)
    handset.writes("book fri 7.30", "Please reply with your PIN first.")
    handset.writes("4812", "This PIN is not right.")
    handset.writes("4821", BOOKED)
    assert "4821" not in phone.page.locator("#screen").inner_text()
    Handset(phone, phone_line, "stranger").writes("WHEN", "This number is not known here.")
