"""Somebody with the disk: names, numbers and phones that the clinic was told are looked for in everything it wrote."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from dispensary.staff.rules import Actor, Role, the_program
from dispensary.staff.service import add_account
from dispensary.supplies.outage_making import make_pack
from dispensary.supplies.outage_settings import set_downtime
from tests.attacks.program import Program
from tests.builders import clinic

pytestmark = pytest.mark.skipif("ATTACK" not in os.environ, reason="by `make attack`")

PASSWORD = "nobody reads this one"
PEOPLE = (
    ("Zyxwvutina Qurashi-Oberholz", "901231-14-7788", "+60127654398", "Second Ident Quokka"),
    ("Wunibald Xylander", "A77665544Z", "+60198765301", "Scar like a Zeppelin"),
    ("Philippina Vogtsberg", "750101-07-5566", "+60134445991", "Tattoo of an Axolotl"),
)
PHONE_AT_THE_DESK = "012-765 4398"
SECRETS = (*(secret for person in PEOPLE for secret in person), PHONE_AT_THE_DESK, "Qurashi", "Xylander", PASSWORD)


def _forms(text: str) -> Iterator[bytes]:
    """How a text may lie in a file: as it is, wide, in hexadecimal, in base64 at any offset, in an address."""
    for raw in {text.encode(), text.encode("utf-16-le"), text.upper().encode(), text.lower().encode()}:
        yield raw
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
        for offset in range(3):
            whole = base64.b64encode(b"\0" * offset + raw)
            yield whole[4 if offset else 0 : -4]
    yield text.replace(" ", "%20").encode()
    yield text.replace(" ", "+").encode()


def _found(where: Path, needles: dict[bytes, str]) -> list[str]:
    found = []
    for path in where.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found += [f"{path.relative_to(where)}: {said}" for needle, said in needles.items() if needle in content]
    return found


def _lives(program: Program) -> None:
    """A day of the clinic over HTTP: people come, are found, dosed, mistaken for others, and mistyped."""
    with httpx.Client(base_url=program.url, timeout=60) as desk:
        token = {"X-CSRFToken": desk.get("/api/session").json()["csrf_token"]}
        form = {"username": "everything", "password": PASSWORD}
        assert desk.post("/api/session", json={**form, "password": PASSWORD + "?"}, headers=token).status_code == 401
        assert desk.post("/api/session", json=form, headers=token).status_code == 204
        token = {"X-CSRFToken": desk.get("/api/session").json()["csrf_token"]}
        for number, (name, national_id, phone, second) in enumerate(PEOPLE):
            body = {
                "number": f"Q-{number}",
                "name": name,
                "began_on": "2026-01-05",
                "national_id": national_id,
                "second_identifier": second,
                "phone": {"number": phone, "consented": True, "language": "en"},
            }
            answer = desk.post("/api/clients", json=body, headers=token)
            assert answer.status_code == 201, answer.text
            client = answer.json()["id"]
            desk.post("/api/clients", json=body, headers=token)  # the number is taken
            desk.post("/api/clients", json={**body, "born": name}, headers=token)  # a name where a day belongs
            desk.post("/api/clients", content=f'{{"name": "{name}", broken', headers=token)
            order = {"mg": "40", "from_day": "2026-01-05", "reason": "entry", "second_look": name}
            desk.post(f"/api/clients/{client}/orders", json=order, headers=token)
            for asked in (name, national_id, phone, PHONE_AT_THE_DESK, f"{name}\0", f"{name}' OR 1=1"):
                desk.post("/api/clients/search", json={"find": asked}, headers=token)
                desk.get("/api/clients", params={"find": asked})
            desk.get(f"/api/clients/{name}")
            desk.get(f"/no/such/page/{phone}?name={name}", headers={"Referer": f"http://x/{name}", "User-Agent": name})
            desk.request(name.split()[0].upper(), "/api/clients")
            desk.get(f"/api/clients/{client}")
        page = httpx.Client(base_url=program.url, timeout=60)
        page.get("/signin")
        page.post("/signin", data={"username": PEOPLE[0][0], "password": PEOPLE[0][1]})


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Program]:
    """A program that has worked and stopped, with whatever it has left on its disk."""
    # Short names: PostgreSQL's sockets lie in these folders, and a socket's path is short.
    (tmp_path / "p").mkdir()
    program = Program(tmp_path / "p")
    (tmp_path / "t").mkdir()
    place_for = {"DISPENSARY_BACKUPS": str(tmp_path / "p" / "backups"), "TMPDIR": str(tmp_path / "t")}
    made = program.run("backup-key", str(tmp_path / "secret.key"))
    assert made.returncode == 0, made.stderr
    place_for["DISPENSARY_BACKUP_KEYS"] = next(word for word in made.stdout.split() if word.startswith("age1"))
    try:
        program.start()
        with program.database() as database:
            place = clinic(database, datetime.now(UTC))
            with database.writing() as session:
                account = add_account(
                    session,
                    actor=the_program(place.site_id),
                    site_id=place.site_id,
                    username="everything",
                    name="Aishah binti Yusof",
                    initials="AY",
                    password=PASSWORD,
                    roles=list(Role),
                    at=place.now,
                )
            _lives(program)
            with database.writing() as session:
                everything = Actor(account.id, place.site_id, frozenset(Role), account.name, account.initials)
                set_downtime(
                    session,
                    actor=everything,
                    password="river lamp seven oranges",
                    days_ahead=3,
                    copy_to="",
                    at=place.now,
                )
            database.write(
                lambda session: make_pack(
                    session, site_id=place.site_id, today=place.today, data=program.data, at=place.now
                )
            )
        backed_up = program.run("backup", **place_for)
        assert backed_up.returncode == 0, backed_up.stderr
        with program.database() as database, database.engine.connect() as connection:
            connection.exec_driver_sql("CHECKPOINT")
        assert program.stop() == 0
        yield program
    finally:
        program.clear()


def test_none_of_it_lies_anywhere_in_plain(
    written: Program, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    needles = {form: f"{secret} as {form[:40]!r}" for secret in SECRETS for form in _forms(secret)}
    there = {path.relative_to(written.data.parent).parts[0] for path in written.data.parent.rglob("*")}
    assert {"data", "backups", "log"} <= there
    assert list((written.data / "downtime").rglob("*.pdf"))
    size = sum(path.stat().st_size for path in written.data.parent.rglob("*") if path.is_file())
    record_property("tries", len(needles))
    record_property("figure", f"{len(SECRETS)} secrets in {size / 1024**2:.0f} MB")
    for where in (written.data.parent, tmp_path / "t"):
        assert _found(where, needles) == []
    # The search finds what is there: the site's code lies in plain, and a copy of a name would.
    assert any(b"Harapan" in path.read_bytes() for path in (written.data / "postgresql").rglob("*") if path.is_file())
    planted = written.data / "planted"
    planted.write_text(f"a note about {PEOPLE[1][0].lower()}")
    assert _found(written.data, needles) != []
