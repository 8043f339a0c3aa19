"""A satellite runs alone on a server of its own and is joined again, with the commands of docs/satellite.md."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dispensary.commands import apart
from dispensary.embedded import discard_embedded
from dispensary.key_sources import open_vault
from dispensary.prescribing.service import order_dose
from dispensary.refusals import Refused
from dispensary.supplies.guests import end
from dispensary.units import DoseDay, milligrams
from tests.attacks.boxes import Box, at, closes, sends
from tests.attacks.servers import kill_server
from tests.dispensary.branch_place import programme


@pytest.fixture
def boxes(made: Path, tmp_path: Path) -> Iterator[tuple[Box, Box]]:
    """The centre, migrated; and a machine for the satellite on which nothing is yet."""
    centre, far = Box(tmp_path / "centre"), Box(tmp_path / "far")
    centre.folder.mkdir()
    far.folder.mkdir()
    subprocess.run(["cp", "-a", f"{made}/.", str(centre.folder)], check=True)
    yield centre, far
    for box in (centre, far):
        discard_embedded(box.postgresql)


BALANCES = """SELECT s.code, b.balance, b.lines FROM register_book b JOIN site s ON s.id = b.site_id
    WHERE s.code IN ('HRP', 'KLG') ORDER BY 1"""
OF_SATELLITE = (
    "supply", "dose_exception", "bottle", "day_close", "lot", "register_book", "stock_count", "audit_entry", "visit",
)  # fmt: skip


def rows_of_satellite(box: Box) -> dict[str, Any]:
    """Every row that the satellite wrote, table by table, as both servers have it."""
    found = {}
    for table in OF_SATELLITE:
        column = "place_id" if table == "visit" else "site_id"
        found[table] = box.asks(
            f"SELECT to_jsonb(t)::text FROM {table} t WHERE {column} = (SELECT id FROM site WHERE code = 'KLG')"
            " AND NOT to_jsonb(t)::text LIKE '%given at two sites%' ORDER BY 1"
        )
    found["register_line"] = box.asks(
        """SELECT to_jsonb(l)::text FROM register_line l JOIN register_book b ON b.id = l.book_id
        JOIN site s ON s.id = b.site_id AND s.code = 'KLG' ORDER BY 1"""
    )
    return found


def test_a_satellite_runs_alone_for_days_and_is_joined_with_nothing_lost_and_nothing_twice(
    boxes: tuple[Box, Box], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    centre, far = boxes
    began = datetime.now(UTC) - timedelta(days=3)
    monkeypatch.setattr(apart, "now", lambda: began + timedelta(minutes=1))

    # The centre, with clients whose doses the satellite gives, others of its own, and a programme around it.
    with centre.database() as database:
        here = programme(database, began)
        theirs = [here.main.client() for _ in range(5)]
        stays = {client: sends(here.main, client) for client in theirs}
        homers, _ = [here.main.client() for _ in range(3)], here.other.client()
        here.main.decide(theirs[0], per_supply=2)

    # docs/satellite.md, step by step
    public = re.search(r"age1\w+", far.types("backup-key", tmp_path / "klg.secret"))
    key = re.search(r"k\d{3}", centre.types("keys", "add", "--not-yet"))
    assert public is not None
    assert key is not None
    cut = tmp_path / "klg.cut"
    assert (
        "no key of the satellite's own" in centre.tries("lend", "KLG", cut, "--to", public[0], "--key", "k001").output
    )
    assert "5 clients" in centre.types("lend", "KLG", cut, "--to", public[0], "--key", key[0])
    assert b"Ahmad" not in cut.read_bytes()
    assert "KLG: 5 clients" in far.types("borrow", cut, "--secret", tmp_path / "klg.secret")
    assert "no row breaks a rule" in far.types("verify")
    # It knows its own clients and can read no others' names; nobody else's key is on it, nor the house's.
    assert sorted(far.asks("SELECT id FROM client")) == sorted((client,) for client in theirs)
    assert sorted(far.asks("SELECT client_id FROM client_key")) == sorted((client,) for client in theirs)
    assert list(open_vault(far.keys).ring.sealing.keys) == [key[0]]

    # Apart: three days with doses at both, and one client who is given their dose twice.
    with centre.database() as at_centre, far.database() as at_far:
        home, alone = at(here.main, at_centre), at(here.satellite, at_far)
        with pytest.raises(Refused, match="written on another server"):
            at(here.satellite, at_centre).give(theirs[0])
        with pytest.raises(Refused, match="written on another server"), at_far.writing() as session:
            order_dose(
                session, actor=here.main.doctor, client_id=theirs[0], mg=milligrams("85"), parts=[], reason="by hand",
                from_day=DoseDay(home.today + timedelta(days=1)), today=home.today, at=home.now,
            )  # fmt: skip
        wanderer = theirs[4]
        for day in range(3):
            for client in homers:
                home.give(client)
            if day == 1:
                at_centre.write(
                    lambda session: end(
                        session, actor=home.pharmacist, stay_id=stays[wanderer], reason="came here",
                        at=home.now,
                    )
                )  # fmt: skip
                home.give(wanderer)
            for client in theirs:
                if (client, day) != (theirs[0], 1):  # who had a bottle for it
                    alone.give(client, take_home_days=alone.ahead(1) if (client, day) == (theirs[0], 0) else ())
            closes(home)
            closes(alone)
            home.move_on()
            alone.move_on()
    wrote = rows_of_satellite(far)
    assert len(wrote["supply"]) == 14

    # Joined, and cut off in the middle of it: the centre loses its power while it waits for a client's row.
    monkeypatch.setattr(apart, "now", lambda: datetime.now(UTC))
    with suppress(psycopg.OperationalError), psycopg.connect(centre.line) as holding:
        holding.execute("SELECT 1 FROM client WHERE id = %s FOR UPDATE", [theirs[3]])
        assert "Not all of KLG came" in centre.tries("join", "KLG", "--line", far.line, "--within", "2").output
        part = len(centre.asks("SELECT 1 FROM supply s JOIN site ON site.id = s.site_id WHERE code = 'KLG'"))
        assert 0 < part < 14, "it stands in the middle"
        kill_server(centre.postgresql)
    kill_server(far.postgresql)
    said = centre.types("join", "KLG", "--line", far.line)
    assert "1 open alerts for a doctor: covered at two sites" in said
    assert rows_of_satellite(centre) == wrote
    assert centre.asks(BALANCES) == [
        ("HRP", Decimal(5000 - 16 * 10), 11),
        ("KLG", Decimal(5000 - 16 * 15), 15),
    ]

    # The double dose is a dose in error under an exception, an urgent alert that names both, and in home's trail.
    assert centre.asks("SELECT kind, mg, dose_day FROM extra_dose") == [
        ("in_error", Decimal(80), here.main.today + timedelta(days=1))
    ]
    ((sentence, role, severity, site),) = centre.asks(
        "SELECT sentence, role, severity, s.code FROM alert JOIN site s ON s.id = site_id"
    )
    assert (role, severity, site) == ("doctor", "urgent", "HRP")
    assert re.fullmatch(r"Two doses for .*: 80 mg taken at HRP on .*; 80 mg taken at KLG on .*\.", sentence)
    told = centre.asks(
        "SELECT a.act, s.code FROM audit_entry a JOIN site s ON s.id = a.site_id WHERE subject_id = :who AND act IN"
        " ('found another dose while apart', 'dispensed') ORDER BY s.code, a.seq", who=wanderer,
    )  # fmt: skip
    assert told.count(("dispensed", "HRP")) == 4, "home's trail has what the satellite gave, too"
    assert told.count(("found another dose while apart", "HRP")) == 1

    def whole(box: Box) -> list[object]:
        return [
            box.asks(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")
            for table in ("dose", "extra_dose", "alert", "day_outcome", "day_correction")
        ]

    for box in (centre, far):
        assert "no row breaks a rule" in box.types("verify")
    before = (rows_of_satellite(centre), whole(centre))
    assert "0 hand-overs, 0 lines" in centre.types("join", "KLG", "--line", far.line)
    assert (rows_of_satellite(centre), whole(centre)) == before

    # What the centre knows since comes with another cut; what the counter wrote stays.
    with centre.database() as database, database.writing() as session:
        order_dose(
            session, actor=here.main.doctor, client_id=theirs[1], mg=milligrams("85"), parts=[], reason="more pain",
            from_day=DoseDay(here.main.today + timedelta(days=5)), today=here.main.today, at=datetime.now(UTC),
        )  # fmt: skip
    newer = tmp_path / "klg-2.cut"
    assert "4 clients" in centre.types("lend", "KLG", newer, "--to", public[0], "--key", key[0], "--warn-after", "5")
    own = rows_of_satellite(far)["supply"]
    assert "KLG: 4 clients" in far.types("borrow", newer, "--secret", tmp_path / "klg.secret")
    assert "older than what is known" in far.tries("borrow", cut, "--secret", tmp_path / "klg.secret").output
    assert far.asks("SELECT mg FROM dose_order WHERE client_id = :who ORDER BY 1", who=theirs[1]) == [
        (Decimal(80),), (Decimal(85),)
    ]  # fmt: skip
    assert rows_of_satellite(far)["supply"] == own
    assert wanderer not in [row[0] for row in far.asks("SELECT client_id FROM client_key")], "they come there no more"
    assert "no row breaks a rule" in far.types("verify")
    assert "0 hand-overs, 0 lines" in centre.types("join", "KLG", "--line", far.line), "none of it comes back"

    # And back for good.
    assert "written here again" in centre.types("join", "KLG", "--line", far.line, "--last")
    with centre.database() as at_centre, far.database() as at_far:
        with pytest.raises(Refused, match="written on another server"):
            replace(alone, database=at_far).give(theirs[1])
        replace(alone, database=at_centre).give(theirs[1])
    assert "no row breaks a rule" in centre.types("verify")
