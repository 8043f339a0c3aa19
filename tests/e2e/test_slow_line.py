"""A satellite's counter on a line like 2G: each page under 60 kB over the wire, one dose however often one presses."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import Browser, CDPSession
from sqlalchemy import text

from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.supplies.satellites import send_to
from tests.builders import Clinic
from tests.dispensary.branch_place import programme
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, House, Person

LINE = {"offline": False, "latency": 300, "downloadThroughput": 250_000 / 8, "uploadThroughput": 50_000 / 8}
"""300 ms there and back, 250 kbit/s down and 50 up, as Chromium's own profile of 2G has it."""
MOST = 60_000


class Wire:
    """What came over the line since it was asked last, in bytes with headers, as the browser counted them."""

    def __init__(self, person: Person) -> None:
        self.line: CDPSession = person.context.new_cdp_session(person.page)
        self.line.send("Network.enable")
        self.line.send("Network.emulateNetworkConditions", LINE)
        self.bytes = 0
        self.line.on("Network.loadingFinished", self._came)

    def _came(self, event: dict[str, float]) -> None:
        self.bytes += int(event["encodedDataLength"])

    def since(self) -> int:
        came, self.bytes = self.bytes, 0
        return came


def doses(place: Clinic) -> int:
    with place.database.reading() as session:
        return int(session.execute(text("SELECT count(*) FROM dose WHERE voided_at IS NULL")).scalar_one())


def test_a_satellite_on_a_slow_line_doses_once_and_no_page_is_heavy(chromium: Browser, house: House) -> None:
    here = programme(house.database, house.clock())
    place = here.satellite
    with house.database.writing() as session:
        site = session.get_one(Site, place.site_id)
        clients = [here.main.client(mg="80") for _ in range(2)]
    hire(house.database, site, "far", [Role.PHARMACIST, Role.NURSE, Role.RECEPTION], place.now)
    with house.database.writing() as session:
        for number, client in enumerate(clients):
            send_to(session, actor=here.main.pharmacist, client_id=client, satellite="KLG", key=f"slow-line-{number}",
                    at=place.now)  # fmt: skip
        session.execute(
            text("INSERT INTO site_apart (site_id, since, known_at, whole) VALUES (:main, :at, :at, false)"),
            {"main": here.main.site_id, "at": place.now - timedelta(days=2)},
        )
        numbers = [
            str(session.scalar(text("SELECT number || '@HRP' FROM client WHERE id = :id"), {"id": client}))
            for client in clients
        ]

    counter = Person(chromium, house, DESK)
    wire = Wire(counter)
    weighed: dict[str, int] = {}

    def weighs(name: str) -> None:
        counter.page.wait_for_load_state("networkidle")
        weighed[name] = wire.since()

    counter.page.goto("/signin")
    weighs("the very first page, with all that is kept of it afterwards")
    counter.signs_in("far", "/counter")
    counter.sees("This site works on its own")
    counter.picture("satellite-apart")
    weighs("signing in and the counter")
    for client, number in zip(clients, numbers, strict=True):
        counter.scans(number)
        counter.page.wait_for_url(f"**/counter/clients/{client}")
        weighs(f"client {number}")
        counter.presses("1", "2")
        counter.presses("3", "3", "3")  # nothing seems to happen for a while: somebody presses again
        counter.sees("Handed over at")
        weighs(f"dose of {number}")
    assert doses(place) == 2
    for page in ("/counter", "/counter/day", "/guests", "/reception", "/care", "/consulting"):
        answer = counter.page.goto(page)
        assert answer is not None
        assert answer.ok, page
        weighs(page)
    assert {name: size for name, size in weighed.items() if size > MOST} == {}
    assert counter.troubles == []
