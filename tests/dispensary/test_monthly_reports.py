"""Last month's report goes into a folder and by mail: once for each site and month, over TLS, and names nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import text

from dispensary.database import Database
from dispensary.jobs import close_left_open, write_reports
from dispensary.settings import BadSettings, Reports, settings_from
from dispensary.staff.rules import Role
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.mail_server import Post, post_office
from tests.dispensary.visiting import MovableClock, text_of

TO = "ministry@example.org, office@example.org"
SECOND_OF_DECEMBER = datetime(2026, 12, 2, 1, 0, tzinfo=UTC)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    with post_office(tmp_path) as post:
        yield post


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    here = desks(database, now, tmp_path)
    for _ in range(6):
        here.place.client()
    here.clock.moment = SECOND_OF_DECEMBER
    return here


def reports(folder: Path, post: Post, **given: str) -> Reports:
    made = settings_from(
        {
            "REPORTS_FOLDER": str(folder / "reports"),
            "REPORTS_SMTP": f"smtp://reports:{quote(post.password)}@127.0.0.1:{post.port}",
            "REPORTS_SMTP_CA": str(post.certificate),
            "REPORTS_MAIL_FROM": "clinic@example.org",
            "REPORTS_MAIL_TO": TO,
            **given,
        }
    ).reports
    assert made is not None
    return made


def runs(here: Desks) -> list[tuple[str, str]]:
    with here.database.reading() as session:
        sql = "SELECT slot, failure FROM job_run WHERE job = 'monthly report' ORDER BY slot"
        return [(slot, failure) for slot, failure in session.execute(text(sql))]


def test_a_month_that_is_over_is_written_once_and_mailed_with_its_hashes(
    here: Desks, post: Post, tmp_path: Path
) -> None:
    where = reports(tmp_path, post)
    assert write_reports(here.database, where, here.clock) == 0, "the last day of November is not closed yet"
    here.clock.goes_on(days=2)
    assert write_reports(here.database, where, here.clock) == 1, "it does not wait for ever"
    here.clock.goes_on(hours=2)
    assert write_reports(here.database, where, here.clock) == 0
    assert runs(here) == [("HRP 2026-11", "")]

    folder = tmp_path / "reports" / "HRP" / "2026-11"
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    manifest = json.loads(files["programme-report.manifest.json"])
    every = [json.loads(content) for name, content in files.items() if name.endswith(".manifest.json")]
    assert len(every) == 4
    assert {each["name"]: each["sha256"] for one in every for each in one["tables"]} == {
        name: sha256(content).hexdigest() for name, content in files.items() if not name.endswith(".manifest.json")
    }
    assert manifest["period"] == {"from": "2026-11-01", "until_not_including": "2026-12-01"}
    assert b"in_care,6,,6" in files["programme-report.csv"]

    ((sender, to, mail),) = post.mails
    assert (sender, to) == ("clinic@example.org", ["ministry@example.org", "office@example.org"])
    assert mail["Subject"] == "HRP 2026-11"
    mailed = {part.get_filename(): part.get_content() for part in mail.iter_attachments()}
    assert mailed["programme-report.pdf"] == files["programme-report.pdf"]
    assert set(mailed) == set(files)
    assert post.said_in_the_clear == ["EHLO", "STARTTLS"], "nothing else is said before the connection is safe"
    sent = mail.as_bytes() + b"".join(files.values())
    with here.database.reading() as session:
        numbers = list(session.scalars(text("SELECT number FROM client")))
    assert numbers
    assert [number for number in numbers if number.encode() in sent] == []
    assert b"methadone" not in mail.get_body().get_content().encode().lower()  # type: ignore[union-attr]

    here.clock.moment = datetime(2027, 1, 5, 1, 0, tzinfo=UTC)
    assert write_reports(here.database, where, here.clock) == 1
    assert [slot for slot, _ in runs(here)] == ["HRP 2026-11", "HRP 2026-12"]


def test_what_fails_is_seen_in_the_office_and_tried_again(here: Desks, post: Post, tmp_path: Path) -> None:
    here.clock.goes_on(days=3)
    where = reports(tmp_path, post)
    post.tls = False
    assert write_reports(here.database, where, here.clock) == 0
    ((slot, failure),) = runs(here)
    assert (slot, failure.startswith("NotSent: 127.0.0.1 did not take the mail")) == ("HRP 2026-11", True)
    assert post.mails == []
    assert "AUTH" not in post.said_in_the_clear
    office = text_of(here.administrator.get("/office"))
    assert "The job “monthly report” failed for HRP 2026-11." in office
    assert "The report of the month before was not made" in text_of(here.seat(Role.EVALUATOR).get("/evaluation"))

    post.tls = True
    assert write_reports(here.database, where, here.clock) == 0, "not again within the hour"
    for wrong in ("password", "refuses", "certificate"):
        here.clock.goes_on(minutes=61)
        if wrong == "password":
            trial = reports(tmp_path, post, REPORTS_SMTP=f"smtp://reports:guessed@127.0.0.1:{post.port}")
        elif wrong == "refuses":
            trial, post.refuses = where, True
        else:
            assert where.mail is not None
            trial, post.refuses = replace(where, mail=replace(where.mail, authority=None)), False
        assert write_reports(here.database, trial, here.clock) == 0, wrong
        assert post.mails == []
        assert "guessed" not in runs(here)[0][1]
        assert post.password not in runs(here)[0][1]
    here.clock.goes_on(minutes=61)
    assert write_reports(here.database, where, here.clock) == 1
    assert len(post.mails) == 1
    assert "monthly report” failed" not in text_of(here.administrator.get("/office"))


def test_a_folder_alone_is_enough_and_none_is_nothing(here: Desks, post: Post, tmp_path: Path) -> None:
    assert close_left_open(here.database, MovableClock(datetime(2026, 11, 30, 23, 0, tzinfo=UTC))) == 1
    assert write_reports(here.database, None, here.clock) == 0
    (tmp_path / "taken").write_text("a file is no folder")
    assert write_reports(here.database, Reports(tmp_path / "taken", None), here.clock) == 0
    assert "taken" in runs(here)[0][1]
    here.clock.goes_on(minutes=61)
    assert write_reports(here.database, Reports(tmp_path / "own", None), here.clock) == 1
    assert (tmp_path / "own" / "HRP" / "2026-11" / "programme-report.pdf").read_bytes()[:5] == b"%PDF-"
    assert post.mails == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"REPORTS_FOLDER": ""}, "REPORTS_FOLDER is not"),
        ({"REPORTS_SMTP": "http://mail.example.org"}, "REPORTS_SMTP cannot be read"),
        ({"REPORTS_SMTP": "smtp://mail.example.org:post"}, "REPORTS_SMTP cannot be read"),
        ({"REPORTS_MAIL_TO": "ministry"}, "REPORTS_MAIL_TO is no mail address"),
        ({"REPORTS_MAIL_TO": ""}, "REPORTS_MAIL_TO is no mail address"),
        ({"REPORTS_MAIL_FROM": "a@b\nBcc: c@d"}, "REPORTS_MAIL_FROM is no mail address"),
        ({"REPORTS_SMTP_CA": "/nowhere/ca.pem"}, "REPORTS_SMTP_CA names no file"),
    ],
)
def test_a_setting_that_cannot_be_is_named_at_the_start(
    post: Post, tmp_path: Path, given: dict[str, str], said: str
) -> None:
    with pytest.raises(BadSettings, match=said):
        reports(tmp_path, post, **given)
