"""On a line like 2G: a satellite's counter, and what is held in a hand; each page under 60 kB over the wire."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import Browser, CDPSession
from sqlalchemy import text

from dispensary.clients.goals import assign, set_goal
from dispensary.clients.surveys import new_link, open_survey, shipped_questions
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.satellites import send_to
from dispensary.units import AccountId
from tests.builders import Clinic, clinic
from tests.dispensary.branch_place import programme
from tests.dispensary.test_pickups import prepared
from tests.dispensary.visiting import hire
from tests.e2e.conftest import DESK, PHONE, House, Person

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


NARROW = """() => ({
    wide: document.documentElement.scrollWidth,
    small: [...document.querySelectorAll("main a.button, main button, main input:not([type=hidden]), main select")]
        .filter(each => each.offsetParent && !each.closest("label"))
        .filter(each => each.getBoundingClientRect().height < 40)
        .map(each => `${each.tagName} ${each.name || each.textContent.trim()}`),
})"""
"""How wide a page has become, and what on it is too low for a thumb."""


def test_what_is_held_in_a_hand_is_light_fits_it_and_is_done_by_a_tap(chromium: Browser, house: House) -> None:
    place = clinic(house.database, house.clock())
    with house.database.writing() as session:
        site = session.get_one(Site, place.site_id)
    azman = hire(house.database, site, "azman", [Role.PEER_WORKER], place.now)
    hire(house.database, site, "siti", [Role.NURSE], place.now)
    client = place.client(mg="80")
    place.decide(client, per_supply=6)
    pickup = prepared(place, client, 1, 2)
    with house.database.writing() as session:
        given = {"actor": place.doctor, "client_id": client, "at": place.now}
        assign(session, account_id=AccountId(azman.id), **given)
        set_goal(session, words="see my brother in Ipoh", today=place.today, **given)
        runs = Actor(place.doctor.account_id, place.site_id, frozenset({Role.ADMINISTRATOR}))
        open_survey(session, actor=runs, document=shipped_questions(), address=house.address, at=place.now)
        survey = str(new_link(session, site_id=place.site_id, at=place.now))

    weighed: dict[str, int] = {}
    awkward: dict[str, object] = {}

    def opens(who: Person, wire: Wire, path: str) -> None:
        answer = who.page.goto(path)
        assert answer is not None
        assert answer.ok, path
        looks(who, wire, path)

    def looks(who: Person, wire: Wire, name: str) -> None:
        who.page.wait_for_load_state("networkidle")
        weighed[name] = wire.since()
        seen = who.page.evaluate(NARROW)
        if seen["wide"] > PHONE["width"] or seen["small"]:
            awkward[name] = seen
        who.picture("slow-" + "-".join(part for part in name.split("/")[-3:] if part)[:40])

    own = Person(chromium, house, PHONE, held=True)
    wire = Wire(own)
    opens(own, wire, f"/p/{pickup.link}")
    opens(own, wire, f"{survey}?tongue=ms")
    own.page.locator("label:has(input[name=private][value=yes])").tap()
    own.page.get_by_role("button", name="Hantar").tap()
    own.sees("Terima kasih")
    looks(own, wire, "the survey's thanks")

    peer = Person(chromium, house, PHONE, held=True)
    wire = Wire(peer)
    peer.page.goto("/signin")
    looks(peer, wire, "the very first page")
    peer.signs_in("azman", "/peers")
    looks(peer, wire, "signing in and one's own clients")
    peer.page.locator(f"a[href='/peers/clients/{client}']").tap()
    peer.sees("see my brother in Ipoh")
    looks(peer, wire, "a client of one's own")
    peer.page.get_by_label("What is worth knowing?").fill("Has new work.")
    peer.page.locator("label:has(input[value=yes])").first.tap()
    peer.page.get_by_role("button", name="Note it").tap()
    peer.sees("The contact is noted.")
    looks(peer, wire, "a contact noted")
    for path in ("/care/groups", "/care/outreach", "/care/survey"):
        opens(peer, wire, path)

    nurse = Person(chromium, house, PHONE, held=True)
    wire = Wire(nurse)
    nurse.page.goto("/signin")
    looks(nurse, wire, "the nurse's very first page")
    nurse.signs_in("siti", "/care")
    looks(nurse, wire, "signing in and the nurse's day")
    for path in (
        f"/care/clients/{client}", f"/care/clients/{client}/ask/assist", "/care/visits", "/care/naloxone",
        f"/care/naloxone/{client}", "/care/stopped", f"/care/stopped/{client}", "/care/outreach", "/care/referrals",
    ):  # fmt: skip
        opens(nurse, wire, path)
    assert {name: size for name, size in weighed.items() if size > MOST} == {}
    assert awkward == {}
    assert [*own.troubles, *peer.troubles, *nurse.troubles] == []
