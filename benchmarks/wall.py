"""What the second wall costs: the same doses and pages with it and without, in turns on two copies of one clinic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from uuid import UUID

from sqlalchemy import text

from benchmarks.clinics import doses_for, open_clinic, signs_in, sits_down
from benchmarks.figures import Figure, of_rounds, ratio, say
from benchmarks.ground import Ground, Server, takehome
from benchmarks.load import put_on

NAME = "wall"
AT_ONCE = 32
ROUNDS = 6
DOSES = 300
PAGES = 100
WARM_UP = 100
DAYS = 14
WITH, WITHOUT = "with the wall", "without it"


def run(ground: Ground, *, rounds: int = ROUNDS, doses: int = DOSES, pages: int = PAGES) -> list[Figure]:
    """Doses every client of both copies once, and opens their pages at the counter, each copy in its turn."""
    wanted = WARM_UP + rounds * doses
    say(f"wall: enrolling {wanted} clients")
    ground.copy("wall_template")
    with ground.database("wall_template") as database:
        clients = open_clinic(database, clients=wanted, days=DAYS).clients
    ground.copy("wall_with", "wall_template")
    ground.copy("wall_without", "wall_template")
    with (
        takehome(ground, "wall_with") as walled,
        takehome(ground, "wall_without", program="benchmarks.unwalled") as bare,
    ):
        figures = list(_in_turns(ground, {WITH: walled, WITHOUT: bare}, clients, rounds, doses, pages))
    _refuse_unequal(ground, wanted)
    return figures


def _in_turns(
    ground: Ground, servers: dict[str, Server], clients: list[UUID], rounds: int, doses: int, pages: int
) -> Iterator[Figure]:
    seen: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    programs = {name: signs_in(server.port) for name, server in servers.items()}
    people = {name: sits_down(server.port) for name, server in servers.items()}
    left = iter(clients)
    for number, turn in enumerate([WARM_UP, *[doses] * rounds]):
        say(f"wall: round {number} of {rounds}" if number else "wall: warming up")
        given = list(islice(left, turn))
        for name, server in sorted(servers.items(), reverse=bool(number % 2)):
            asked = {
                "a dose": doses_for(programs[name], given),
                "a page of the counter": [
                    people[name].request("GET", f"/counter/clients/{client}") for client in given[:pages]
                ],
            }
            for what, requests in asked.items():
                before, before_postgresql = server.cpu(), ground.cpu()
                put_on(server.port, requests, at_once=AT_ONCE)
                if number:
                    seen[name, what, "server"].append((server.cpu() - before) / len(requests) * 1000)
                    seen[name, what, "PostgreSQL"].append((ground.cpu() - before_postgresql) / len(requests) * 1000)
    for what in ("a dose", "a page of the counter"):
        for whose in ("server", "PostgreSQL"):
            walled, bare = (
                of_rounds(NAME, f"{whose} CPU, {what}, {name}", seen[name, what, whose], "ms")
                for name in (WITH, WITHOUT)
            )
            yield from (walled, bare)
            yield ratio(NAME, f"{whose} CPU, {what}, ratio", walled, bare, goal=None)


def _refuse_unequal(ground: Ground, doses: int) -> None:
    """Raises RuntimeError unless both gave as many doses."""
    asked = text("SELECT count(*) FROM supply WHERE origin = 'counter'")
    given = []
    for name in ("wall_with", "wall_without"):
        with ground.database(name) as database, database.reading() as session:
            given.append(session.execute(asked).scalar_one())
    if given != [doses, doses]:
        raise RuntimeError(f"the two did not give the same doses: {given} of {doses}")
