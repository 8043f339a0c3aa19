"""Every route, asked by every role, by nobody, at a closed screen and from another site: as the table says.

The table is permissions.csv, written by hand. It says `yes` where a role is let in, `-` where the guard refuses it,
`own` where it is let in and this very thing is not theirs to change, and `door` where a path asks for a proof of its
own, such as a signature. Under `elsewhere` stands what somebody with every role at another site is told of what is
here: the same as of an id that is nobody's, be it `404`, a form refused before that (`unknown`) or a page that asks
first (`same`); `shared` is what belongs to every site. A route without a line, a line without a route, and a guard that
lets in somebody else, fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import psycopg
import pytest
from httpx import Response

from dispensary.database import Database
from dispensary.keys import Vault
from tests.dispensary.permissions_place import ROLES, UNKNOWN, FilledPlace, lines, routes
from tests.dispensary.visiting import Visitor

LINES = lines()
GUARDED = "Your work at this site does not include this."
OBJECT = re.compile(r"\{(\w+_id|serial)\}")
ENDS_SIGN_IN = {
    "DELETE /api/session",
    "POST /api/session",
    "POST /lock",
    "POST /lock/now",
    "POST /signin",
    "POST /signout",
    "POST /signout-everywhere",
    "POST /switch-site",
    "POST /reception/devices",
}
MEDICAL = re.compile(
    r"\b\d+(\.\d+)?\s?mg\b|\bHIV\b|epatitis|rifampicin|A result asks|General hospital|Ask how the week"
    r"|through the night"
)
NAMED = r"Ahmad Test"
NEVER_SHOWN = {
    "reception": MEDICAL,
    "peer worker": re.compile(rf"{MEDICAL.pattern}|{NAMED}"),
    "evaluator": re.compile(rf"{NAMED}|\bH\d{{4}}\b|General hospital"),
    "administrator": re.compile(rf"{NAMED}|General hospital|A result asks|Ask how the week"),
}


@pytest.fixture(scope="module")
def place(server: str, vault: Vault, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledPlace]:
    """One filled database, one application, one sign-in a role."""
    admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE permission_matrix TEMPLATE takehome STRATEGY file_copy")
    database = Database(server.replace("/takehome?", "/permission_matrix?"), vault)
    yield FilledPlace(database, datetime.fromisoformat("2026-11-23T23:00:00+00:00"), tmp_path_factory.mktemp("data"))
    database.close()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE permission_matrix WITH (FORCE)")


def answered(answer: Response) -> str:
    """What the table would say of an answer."""
    where = answer.headers.get("location", "")
    if answer.status_code >= 500:
        return f"broken ({answer.status_code})"
    if where.startswith(("/signin", "/lock")):
        return where.split("?")[0].removeprefix("/")
    if answer.status_code == 401:
        return "401"
    if answer.status_code != 403:
        return "yes"
    return "-" if GUARDED in answer.text else "own"


def agrees(expected: str, answer: Response) -> bool:
    """Whether an answer is what the table says. A door of its own answers in its own way, and never breaks."""
    found = answered(answer)
    return found == expected or (expected == "door" and not found.startswith("broken"))


def missing_and_unknown(of_table: set[str], of_program: set[str]) -> tuple[set[str], set[str]]:
    """Routes without a line, and lines without a route."""
    return of_program - of_table, of_table - of_program


class TestTheTable:
    def test_has_one_line_for_each_route_and_none_for_anything_else(self, place: FilledPlace) -> None:
        of_program = {f"{method} {route}" for method, route in routes(place.app)}
        assert missing_and_unknown({line.named for line in LINES}, of_program) == (set(), set())
        assert len({line.named for line in LINES}) == len(LINES)

    def test_says_of_each_in_words_that_mean_something(self) -> None:
        wrong = [
            line.named
            for line in LINES
            if {line.expected[role] for role in ROLES} - {"yes", "-", "own", "door"}
            or line.expected["nobody"] not in {"yes", "door", "401", "signin"}
            or line.expected["closed"] not in {"yes", "door", "401", "lock"}
            or (line.expected["elsewhere"] == "") is bool(OBJECT.search(line.route))
        ]
        assert not wrong, "\n".join(map(str, wrong))

    def test_finds_a_route_without_a_line_a_line_without_a_route_and_a_guard_that_lets_in_somebody_else(
        self, place: FilledPlace
    ) -> None:
        named = {line.named for line in LINES}
        assert missing_and_unknown(named - {"GET /counter"}, named) == ({"GET /counter"}, set())
        assert missing_and_unknown(named, named - {"GET /counter"}) == (set(), {"GET /counter"})
        counter = place.asks(place.people["reception"], "GET", "/counter")
        assert agrees("-", counter)
        assert not agrees("yes", counter)
        assert not agrees("-", place.asks(place.people["pharmacist"], "GET", "/counter"))


class TestEachRole:
    @pytest.mark.parametrize("role", ROLES)
    def test_is_let_in_where_the_table_says_and_nowhere_else(self, place: FilledPlace, role: str) -> None:
        who, wrong, shown = place.people[role], [], []
        for line in sorted(LINES, key=lambda line: line.method != "GET"):  # looks first: they find all that there is
            answer = place.asks(who, line.method, place.path(line.route))
            over = line.named in ENDS_SIGN_IN and answered(answer) in ("signin", "lock")
            if not agrees(line.expected[role], answer) and not (over and line.expected[role] == "yes"):
                wrong.append((line.named, line.expected[role], answered(answer)))
            if line.method == "GET" and line.expected[role] == "yes":
                shown.append(answer.status_code < 400)
                said = too_much(role, answer)
                wrong += [(line.named, "says nothing of", said)] if said else []
            if line.named in ENDS_SIGN_IN:
                place.comes_again(role)
                who = place.people[role]
        assert not wrong, "\n".join(map(str, wrong))
        assert sum(shown) > len(shown) * 0.75, "the place is filled: what is asked for is there"


def too_much(role: str, answer: Response) -> str:
    """What a page or an answer shows that is not this role's to know; nothing otherwise."""
    if role not in NEVER_SHOWN or not answer.headers.get("content-type", "").startswith(("text/", "application/json")):
        return ""
    found = NEVER_SHOWN[role].search(re.sub(r"<(script|style)\b.*?</\1>", "", answer.text, flags=re.DOTALL))
    return found[0] if found else ""


class TestWhoeverIsNotSignedIn:
    def test_comes_in_nowhere_but_where_anybody_may(self, place: FilledPlace) -> None:
        stranger = Visitor(place.app, comes_back=False)
        wrong = self.wrong(place, stranger, "nobody")
        assert not wrong, wrong

    def test_nor_does_anybody_at_a_screen_that_was_closed(self, place: FilledPlace) -> None:
        place.comes_again("everything")
        closed = place.people["everything"]
        place.asks(closed, "POST", "/lock/now")
        assert self.wrong(place, closed, "closed") == []
        place.comes_again("everything")

    def wrong(self, place: FilledPlace, who: Visitor, column: str) -> list[tuple[str, str, str]]:
        found = []
        for line in LINES:
            if line.named in ENDS_SIGN_IN and line.expected[column] == "yes":
                continue
            answer = place.asks(who, line.method, place.path(line.route))
            if not agrees(line.expected[column], answer):
                found.append((line.named, line.expected[column], answered(answer)))
        return found


def without_ids(answer: Response) -> tuple[int, str]:
    """An answer as it reads, whatever id was asked for and whatever numbers the forms of its page carry."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", answer.text)
    return answer.status_code, re.sub(r"[0-9a-f]{64,}|\b\d{16}\b|A{16,}", "TOKEN", text)


class TestAnotherSite:
    """Somebody with every role, at a site that has nothing to do with the one where all of it is."""

    def test_sees_of_anybody_elses_what_it_sees_of_nobody(self, place: FilledPlace) -> None:
        wrong = []
        elsewhere = place.people["elsewhere"]
        for line in (line for line in LINES if line.expected["elsewhere"]):
            asked = [place.path(line.route), place.nobodys(line.route)]
            if line.route.count("{") > 1 and "{client_id}" in line.route:
                mine = place.client_elsewhere
                asked += [place.path(line.route, client_id=mine), place.nobodys(line.route, client_id=mine)]
            told = [without_ids(place.asks(elsewhere, line.method, path)) for path in asked]
            expected = line.expected["elsewhere"]
            if expected == "shared":
                continue
            same = told[0::2] == told[1::2]
            status = told[0][0]
            right = {"404": status == 404, "unknown": not 200 <= status < 300, "same": True}[expected]
            if not same or not right:
                differ = [(mine, theirs) for mine, theirs in zip(told[0::2], told[1::2], strict=True) if mine != theirs]
                wrong.append((line.named, expected, [status for status, _ in told], differ))
        assert not wrong, "\n".join(map(str, wrong))

    def test_there_is_something_to_see_behind_most_of_the_ids(self, place: FilledPlace) -> None:
        named = {found for line in LINES for found in OBJECT.findall(line.route)}
        real = {name for name in named if place.ids.get(name, UNKNOWN) != UNKNOWN}
        assert {"client_id", "supply_id", "pickup_id", "carrying_id", "alert_id", "result_id", "task_id"} <= real
        assert len(real) >= 30
