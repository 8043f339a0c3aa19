"""The downtime pack: what it says, that its words alone open it, and that an old one is whole until a new one is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import sync_playwright
from pypdf import PdfReader
from pypdf.errors import FileNotDecryptedError

from dispensary.database import Database
from dispensary.jobs import make_packs
from dispensary.prescribing.service import hold_doses
from dispensary.refusals import BadInput, NotAllowed
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.outage_files import KEPT, folder_of, keep_pack, packs_in, read_pack, stem_of
from dispensary.supplies.outage_making import make_pack
from dispensary.supplies.outage_pack import small
from dispensary.supplies.outage_settings import set_downtime
from tests.builders import Clinic, clinic
from tests.dispensary.test_closing import close
from tests.dispensary.test_dispensing import codes, one
from tests.dispensary.test_pickups import prepared

WORDS = "river lamp seven oranges"
CHROMIUM = "/usr/bin/chromium"


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def runs_site(place: Clinic) -> Actor:
    account = place.pharmacist
    return Actor(account.account_id, place.site_id, frozenset({Role.ADMINISTRATOR}), account.name, account.initials)


def sets(place: Clinic, *, password: str = WORDS, days_ahead: int = 3, copy_to: str = "") -> None:
    with place.database.writing() as session:
        set_downtime(
            session, actor=runs_site(place), password=password, days_ahead=days_ahead, copy_to=copy_to, at=place.now
        )


def made(place: Clinic, data: Path) -> dict[str, object]:
    return place.database.write(
        lambda session: make_pack(session, site_id=place.site_id, today=place.today, data=data, at=place.now)
    )


def files(place: Clinic, data: Path) -> dict[str, bytes]:
    made(place, data)
    folder = folder_of(data, "HRP")
    return {end: (folder / f"{stem_of('HRP', place.now)}.{end}").read_bytes() for end in ("pdf", "html")}


def words_of(pdf: bytes, password: str = WORDS) -> str:
    reader = PdfReader(BytesIO(pdf))
    assert reader.decrypt(password)
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


class TestWhatItSays:
    def test_is_who_is_due_what_and_what_stands_against_it(self, place: Clinic, tmp_path: Path) -> None:
        usual = place.client(mg="62.5")
        place.decide(usual, per_supply=2)
        prepared(place, usual, 1, 2)
        held = place.client(mg="80")
        with place.database.writing() as session:
            hold_doses(
                session, actor=place.doctor, client_id=held, from_day=place.today, until_day=None, reason="QTc",
                at=place.now,
            )  # fmt: skip
        had = place.client(mg="45")
        place.give(had)
        sets(place)
        said = words_of(files(place, tmp_path)["pdf"])
        assert "62.5 mg" in said
        assert "12.5 mL of LOT-HRP" in said
        assert "Prepared for 24 Nov: 2 for 25 Nov to 26 Nov, in the safe" in said
        assert "STOP. The prescriber holds the dose of 2026-11-24: QTc" in said
        assert "No dose: has it" in said
        assert "25 Nov: 45 mg, due" in said
        assert "27 Nov: 45 mg, due" in said
        assert "28 Nov" not in said
        assert "Page 1 of 2" in said
        assert "made 24 Nov 2026 07:00" in said
        assert "Ahmad Test" in said

    def test_looks_as_far_ahead_as_the_site_says(self, place: Clinic, tmp_path: Path) -> None:
        place.client()
        sets(place, days_ahead=7)
        assert "1 Dec: 80 mg, due" in words_of(files(place, tmp_path)["pdf"])

    def test_a_photo_is_made_small(self) -> None:
        large = BytesIO()
        Image.effect_noise((480, 600), 60).convert("RGB").save(large, "PNG")
        photo = small(large.getvalue())
        assert len(photo) < 6000
        assert Image.open(BytesIO(photo)).size == (90, 112)


class TestTheWords:
    def test_alone_open_the_pdf(self, place: Clinic, tmp_path: Path) -> None:
        place.client()
        sets(place)
        pdf = files(place, tmp_path)["pdf"]
        with pytest.raises(FileNotDecryptedError):
            PdfReader(BytesIO(pdf)).pages[0].extract_text()
        assert not PdfReader(BytesIO(pdf)).decrypt("river lamp seven apples")
        assert b"/AESV3" in pdf
        assert b"Ahmad" not in pdf

    @pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium here")
    def test_alone_open_the_page_from_the_disk_without_a_network(self, place: Clinic, tmp_path: Path) -> None:
        place.client(mg="62.5")
        sets(place)
        html = files(place, tmp_path)["html"]
        assert b"Ahmad" not in html
        path = folder_of(tmp_path, "HRP") / f"{stem_of('HRP', place.now)}.html"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_context(offline=True).new_page()
            page.goto(path.as_uri())
            page.fill("#password", "river lamp seven apples")
            page.keyboard.press("Enter")
            page.wait_for_selector("#wrong:visible")
            page.fill("#password", WORDS)
            page.keyboard.press("Enter")
            page.wait_for_selector("article")
            assert "62.5 mg" in page.inner_text("#pack")
            assert "Ahmad Test" in page.inner_text("#pack")
            browser.close()

    @pytest.mark.parametrize(
        ("password", "code"),
        [
            ("short", "short-password"),
            ("aaaaaaaaaaaaaa", "guessable-password"),
            ("river lamp seven oranges, " + "é" * 70, "long-password"),
        ],
        ids=["short", "guessable", "too long for a pdf"],
    )
    def test_are_as_long_as_a_password_must_be(self, place: Clinic, password: str, code: str) -> None:
        with pytest.raises(BadInput) as refused:
            sets(place, password=password)
        assert codes(refused) == [code]

    def test_are_sealed_and_stand_in_no_trail(self, place: Clinic) -> None:
        sets(place)
        assert WORDS.encode() not in bytes(one(place, "SELECT password_sealed FROM downtime_setting"))  # type: ignore[call-overload]
        assert one(place, "SELECT count(*) FROM audit_entry WHERE details LIKE '%river%'") == 0

    def test_are_set_by_the_administrator_alone(self, place: Clinic) -> None:
        with pytest.raises(NotAllowed), place.database.writing() as session:
            set_downtime(session, actor=place.pharmacist, password=WORDS, days_ahead=3, copy_to="", at=place.now)


class TestTheFiles:
    def test_are_not_made_without_words(self, place: Clinic, tmp_path: Path) -> None:
        assert made(place, tmp_path) == {"made": False}
        assert make_packs(place.database, tmp_path, lambda: place.now) == 0
        assert not (tmp_path / "downtime").exists()

    def test_are_made_each_hour_and_after_a_close_once(self, place: Clinic, tmp_path: Path) -> None:
        place.client()
        sets(place)
        assert [make_packs(place.database, tmp_path, lambda: place.now) for _ in range(2)] == [1, 0]
        close(place)
        assert [make_packs(place.database, tmp_path, lambda: place.now) for _ in range(2)] == [1, 0]
        place.now += timedelta(hours=1)
        assert make_packs(place.database, tmp_path, lambda: place.now) == 1
        assert one(place, "SELECT count(*) FROM audit_entry WHERE act = 'made downtime pack'") == 3

    def test_name_a_site_and_a_moment_and_are_for_their_owner(self, place: Clinic, tmp_path: Path) -> None:
        sets(place)
        made(place, tmp_path)
        found = sorted(path.name for path in folder_of(tmp_path, "HRP").iterdir())
        assert found == ["downtime-HRP-20261123T230000Z.html", "downtime-HRP-20261123T230000Z.pdf"]
        assert {path.stat().st_mode & 0o077 for path in folder_of(tmp_path, "HRP").iterdir()} == {0}

    def test_the_newest_few_are_kept(self, tmp_path: Path, now: datetime) -> None:
        for hour in range(KEPT + 3):
            keep_pack(tmp_path, code="HRP", made_at=now + timedelta(hours=hour), forms={"pdf": b"p", "html": b"h"})
        kept = packs_in(tmp_path, "HRP")
        assert len(kept) == KEPT
        assert kept[0].made_at == now + timedelta(hours=KEPT + 2)
        assert len(list(tmp_path.iterdir())) == 2 * KEPT

    def test_a_copy_lies_on_another_disk_or_the_answer_says_why_not(self, place: Clinic, tmp_path: Path) -> None:
        stick = tmp_path / "stick"
        sets(place, copy_to=str(stick))
        assert made(place, tmp_path)["not_copied"] == "the folder is not there"
        stick.mkdir()
        assert made(place, tmp_path)["not_copied"] == ""
        assert len(packs_in(stick, "HRP")) == 1

    @pytest.mark.parametrize("name", ["../keys.json", "downtime-KLG-20261123T230000Z.pdf", "keys.json", ""])
    def test_nothing_else_is_read_by_a_name(self, place: Clinic, tmp_path: Path, name: str) -> None:
        sets(place)
        made(place, tmp_path)
        assert read_pack(folder_of(tmp_path, "HRP"), "HRP", name) is None
        assert read_pack(folder_of(tmp_path, "HRP"), "HRP", f"{stem_of('HRP', place.now)}.pdf")

    def test_an_old_one_is_whole_when_the_program_is_killed_while_it_writes(
        self, tmp_path: Path, now: datetime
    ) -> None:
        keep_pack(tmp_path, code="HRP", made_at=now, forms={"pdf": b"old" * 1000, "html": b"old" * 1000})
        writes = (
            "import sys; from datetime import datetime, timedelta; from pathlib import Path\n"
            "from dispensary.supplies.outage_files import keep_pack\n"
            "at = datetime.fromisoformat(sys.argv[2])\n"
            "print('begun', flush=True)\n"
            "for n in range(1, 100000):\n"
            "    forms = {'pdf': b'new' * 2_000_000, 'html': b'new' * 2_000_000}\n"
            "    keep_pack(Path(sys.argv[1]), code='HRP', made_at=at + timedelta(seconds=n), forms=forms)\n"
        )
        for delay in (0.01, 0.05, 0.12):
            program = subprocess.Popen(
                [sys.executable, "-c", writes, str(tmp_path), now.isoformat()],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )
            assert program.stdout is not None
            program.stdout.readline()
            try:
                program.wait(delay)
            except subprocess.TimeoutExpired:
                program.send_signal(signal.SIGKILL)
                program.wait()
            kept = packs_in(tmp_path, "HRP")
            assert kept
            for pack in kept:
                for end in ("pdf", "html"):
                    assert len((tmp_path / f"{pack.stem}.{end}").read_bytes()) in (3000, 6_000_000)
        keep_pack(tmp_path, code="HRP", made_at=now + timedelta(days=1), forms={"pdf": b"p", "html": b"h"})
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".part")]
