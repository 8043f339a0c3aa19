"""The disk of the database fills up in the middle of the work: what was answered is kept, the rest is refused."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from dispensary.staff.rules import Role, the_program
from dispensary.staff.service import add_account
from tests.attacks.program import Program, until
from tests.builders import clinic, enrolled

pytestmark = pytest.mark.skipif("ATTACK" not in os.environ, reason="by `make attack`")

PASSWORD = "until nothing fits any more"
MEGABYTES = 220


@pytest.fixture
def small(made: Path, tmp_path: Path) -> Iterator[Program]:
    """A program whose data folder lies on a disk of its own, which is small."""
    program = Program(tmp_path)
    program.data.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "takehome-small", str(program.data)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk of its own can be made here: {mounted.stderr.strip()}")
    try:
        subprocess.run(["cp", "-a", f"{made}/data/.", str(program.data)], check=True)
        subprocess.run(["cp", "-a", f"{made}/keys", str(tmp_path)], check=True)
        yield program
    finally:
        program.clear()
        subprocess.run(["umount", "--lazy", str(program.data)], check=False)


def test_nothing_that_was_answered_is_lost_and_the_work_goes_on_once_there_is_room(
    small: Program, record_property: Callable[[str, object], None]
) -> None:
    small.start()
    with small.database() as database:
        place = clinic(database, datetime.now(UTC))
        with database.writing() as session:
            add_account(
                session,
                actor=the_program(place.site_id),
                site_id=place.site_id,
                username="counter",
                name="Aishah binti Yusof",
                initials="AY",
                password=PASSWORD,
                roles=[Role.PHARMACIST],
                at=place.now,
            )
            clients = [enrolled(session, place, mg="80", began=place.today) for _ in range(60)]
    answers: Counter[int] = Counter()
    kept = []
    filler = small.data / "filler"
    with httpx.Client(base_url=small.url, timeout=60) as desk:
        token = {"X-CSRFToken": desk.get("/api/session").json()["csrf_token"]}
        form = {"username": "counter", "password": PASSWORD}
        assert desk.post("/api/session", json=form, headers=token).status_code == 204
        token = {"X-CSRFToken": desk.get("/api/session").json()["csrf_token"]}

        def dose(client: object) -> int:
            body = {"key": f"full-{client}", "observed": True, "identified_by": "photo", "well": True}
            try:
                answer = desk.post(f"/api/clients/{client}/supplies", json=body, headers=token)
            except httpx.TransportError:
                return 0
            if answer.status_code == 201:
                kept.append(answer.json()["supply"])
            return answer.status_code

        assert [dose(client) for client in clients[:10]] == [201] * 10
        _fill(filler)
        for client in clients[10:40]:
            answers[dose(client)] += 1
        assert set(answers) <= {201, 503, 500, 401, 0}, answers
        filler.unlink()
        until(small.is_ready, what="the program is ready once there is room")
        later = [dose(client) for client in clients]
        until(lambda: dose(clients[-1]) in (200, 201), what="doses are given again")
        assert set(later) <= {200, 201}, Counter(later)
    with small.database() as database, database.engine.connect() as connection:
        rows = {str(row[0]) for row in connection.exec_driver_sql("SELECT id FROM supply")}
    assert set(kept) <= rows
    assert len(rows) == len(clients)
    verified = small.run("verify")
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout
    record_property("tries", len(clients) + 30)
    refused = sum(count for status, count in answers.items() if status != 201)
    record_property("figure", f"{refused} refused while full, none of {len(rows)} doses lost or doubled, verify clean")


def _fill(filler: Path) -> None:
    """Writes until nothing fits any more."""
    handle = os.open(filler, os.O_WRONLY | os.O_CREAT)
    block = b"x" * 4096
    try:
        while True:
            os.write(handle, block)
    except OSError:
        pass
    finally:
        os.close(handle)
