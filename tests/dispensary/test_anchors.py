"""Anchors of the audit trail: a chain that was touched is found, also one that was written anew as a whole."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.cli import main
from dispensary.database import Database
from dispensary.nights import anchor_trails, stamp_anchors
from dispensary.settings import TimeStamps
from dispensary.staff import audit
from dispensary.staff.anchor_rules import Anchor, BadAnchor, agrees, anchor_of, read_anchor
from dispensary.staff.anchoring import anchors_of, make_anchor, read_files, unlike_anchors, unlike_table, write_files
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic
from tests.dispensary.visiting import MovableClock


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    place = clinic(database, now)
    for _ in range(3):
        place.client()
    return place


def touched(place: Clinic, *statements: str) -> None:
    """The hand of a database administrator, whom no trigger stops."""
    with place.database.engine.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")
        for statement in statements:
            connection.execute(text(statement), {"site": place.site_id})


def anchored(place: Clinic) -> Anchor:
    with place.database.writing() as session:
        return make_anchor(session, site_id=place.site_id, day=place.today, at=place.now)


def chain_says(place: Clinic) -> list[str]:
    with place.database.reading() as session:
        return list(audit.broken_links(session, site_id=place.site_id))


def file_says(place: Clinic, folder: Path) -> list[str]:
    with place.database.reading() as session:
        return list(unlike_anchors(session, read_files(folder), whose="the file"))


def table_says(place: Clinic) -> list[str]:
    with place.database.reading() as session:
        return list(unlike_table(session, site_id=place.site_id))


LAST = "(SELECT max(seq) FROM audit_entry WHERE site_id = :site)"
REWRITTEN = """
DO $$
DECLARE e audit_entry%ROWTYPE; head bytea := sha256(convert_to('{site}', 'UTF8'));
BEGIN
    FOR e IN SELECT * FROM audit_entry WHERE site_id = '{site}' ORDER BY seq LOOP
        UPDATE audit_entry SET previous = head, hash = sha256(head || convert_to(concat_ws('|', e.site_id, e.seq,
            (extract(epoch FROM e.at) * 1000000)::bigint, coalesce(e.account_id::text, ''), e.act, e.subject,
            coalesce(e.subject_id::text, ''), e.details), 'UTF8')) WHERE site_id = e.site_id AND seq = e.seq
            RETURNING hash INTO head;
    END LOOP;
    UPDATE audit_chain SET head = head_of.hash, length = head_of.seq
        FROM (SELECT seq, hash FROM audit_entry WHERE site_id = '{site}' ORDER BY seq DESC LIMIT 1) head_of
        WHERE site_id = '{site}';
END $$
"""


def rewrite(place: Clinic) -> None:
    """Every hash of the chain is computed anew, as PostgreSQL itself would have."""
    touched(place, REWRITTEN.format(site=place.site_id))


class TestTheChainItself:
    def test_an_untouched_chain_is_whole(self, place: Clinic) -> None:
        assert chain_says(place) == []

    def test_a_changed_entry_is_named(self, place: Clinic) -> None:
        touched(place, "UPDATE audit_entry SET act = 'looked at' WHERE seq = 4 AND site_id = :site")
        assert chain_says(place) == [f"audit entry 4 of site {place.site_id} does not fit the chain"]

    def test_an_entry_that_was_removed_from_the_middle_is_named(self, place: Clinic) -> None:
        touched(place, "DELETE FROM audit_entry WHERE seq = 4 AND site_id = :site")
        assert f"audit entry 4 of site {place.site_id} is missing" in chain_says(place)

    def test_an_entry_that_was_removed_from_the_end_is_noticed(self, place: Clinic) -> None:
        touched(place, f"DELETE FROM audit_entry WHERE seq = {LAST} AND site_id = :site")
        assert chain_says(place) == [f"the end of the audit chain of site {place.site_id} does not fit its entries"]

    def test_an_inserted_entry_is_named(self, place: Clinic) -> None:
        touched(
            place,
            "UPDATE audit_entry SET seq = -seq WHERE seq >= 4 AND site_id = :site",
            "UPDATE audit_entry SET seq = 1 - seq WHERE seq < 0 AND site_id = :site",
            "INSERT INTO audit_entry SELECT site_id, 4, at, account_id, act, subject, subject_id, details, hash,"
            " sha256(hash) FROM audit_entry WHERE seq = 3 AND site_id = :site",
        )
        assert f"audit entry 4 of site {place.site_id} does not fit the chain" in chain_says(place)

    def test_two_entries_that_changed_places_are_named(self, place: Clinic) -> None:
        touched(
            place,
            "UPDATE audit_entry SET seq = -4 WHERE seq = 4 AND site_id = :site",
            "UPDATE audit_entry SET seq = 4 WHERE seq = 5 AND site_id = :site",
            "UPDATE audit_entry SET seq = 5 WHERE seq = -4 AND site_id = :site",
        )
        named = chain_says(place)
        assert [f"audit entry {n} of site {place.site_id} does not fit the chain" for n in (4, 5)] == named[:2]

    def test_the_chains_of_two_sites_that_were_swapped_are_named(self, place: Clinic, now: datetime) -> None:
        other = clinic(place.database, now, code="SAT")
        swap = "UPDATE {0} SET site_id = CASE site_id WHEN '{1}' THEN '{2}'::uuid ELSE '{1}'::uuid END"
        touched(
            place,
            "ALTER TABLE audit_entry DROP CONSTRAINT pk_audit_entry",
            "ALTER TABLE audit_chain DROP CONSTRAINT pk_audit_chain",
            *(swap.format(name, place.site_id, other.site_id) for name in ("audit_entry", "audit_chain")),
        )
        assert chain_says(place)
        assert chain_says(other)


class TestAWhollyRewrittenChain:
    def test_it_fits_itself_and_is_found_by_the_file(self, place: Clinic, tmp_path: Path) -> None:
        anchor = anchored(place)
        with place.database.reading() as session:
            assert write_files(tmp_path, anchors_of(session, site_id=place.site_id, last=5)) == 1
        assert file_says(place, tmp_path) == []
        touched(place, "UPDATE audit_entry SET account_id = NULL WHERE seq = 4 AND site_id = :site")

        rewrite(place)

        assert chain_says(place) == [], "every hash fits"
        assert table_says(place) == [
            f"the audit chain of HRP is not that of 2026-11-24: entry {anchor.length} or one before it is another or"
            " gone"
        ]
        touched(
            place,
            "UPDATE audit_anchor SET head = (SELECT head FROM audit_chain WHERE site_id = :site) WHERE site_id = :site",
        )
        with place.database.reading() as session:
            assert list(verify(session, now=place.now)) == [], "whoever rewrites the table too leaves no trace inside"
        assert file_says(place, tmp_path) == [
            f"the audit chain of HRP is not that of 2026-11-24: entry {anchor.length} or one before it is another than"
            " the file says"
        ]

    def test_entries_cut_off_with_the_end_put_right_are_found_by_the_file(self, place: Clinic, tmp_path: Path) -> None:
        anchor = anchored(place)
        with place.database.reading() as session:
            write_files(tmp_path, anchors_of(session, site_id=place.site_id, last=5))
        touched(place, f"DELETE FROM audit_entry WHERE seq > {LAST} - 2 AND site_id = :site")
        rewrite(place)

        assert chain_says(place) == []
        assert file_says(place, tmp_path) == [
            f"the audit chain of HRP is not that of 2026-11-24: it had {anchor.length} entries then, and the last of"
            " them is gone"
        ]

    def test_the_line_of_another_site_does_not_fit(self, place: Clinic, now: datetime) -> None:
        other = clinic(place.database, now, code="SAT")
        mine, theirs = anchored(place), anchored(other)
        with place.database.reading() as session:
            swapped = [
                Anchor("HRP", theirs.day, theirs.length, theirs.head, theirs.groups),
                Anchor("SAT", mine.day, mine.length, mine.head, mine.groups),
                Anchor("XYZ", mine.day, mine.length, mine.head, mine.groups),
            ]
            assert len(list(unlike_anchors(session, swapped))) == 3
            assert list(unlike_anchors(session, [mine, theirs])) == []

    def test_an_anchor_of_a_chain_that_had_only_begun_fits(self, place: Clinic) -> None:
        head = sha256(str(place.site_id).encode()).digest()
        with place.database.reading() as session:
            assert list(unlike_anchors(session, [anchor_of(code="HRP", day=place.today, length=0, head=head)])) == []


class TestTheLine:
    made = anchor_of(code="HRP", day=date(2026, 11, 24), length=10452, head=bytes(range(32)))

    def test_it_is_read_back_from_the_short_and_the_whole_form_however_it_is_typed(self) -> None:
        assert read_anchor(self.made.whole_line) == self.made
        short = read_anchor(self.made.line)
        assert (short.head, short.groups) == (b"", self.made.groups)
        assert read_anchor(f"hrp 2026-11-24 10,452 {' '.join(self.made.groups)}").groups == self.made.groups
        assert agrees(short, head=bytes(range(32)))
        assert not agrees(short, head=bytes(32))

    @given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 9))
    def test_one_digit_misheard_is_known_and_its_group_is_said(self, group: int, place: int, heard: int) -> None:
        groups = list(self.made.groups)
        wrong = groups[group][:place] + str(heard) + groups[group][place + 1 :]
        if wrong != groups[group]:
            groups[group] = wrong
            with pytest.raises(BadAnchor, match=f"Group {group + 1}, “{wrong}”, is misread"):
                read_anchor(f"HRP 2026-11-24 10452 {'-'.join(groups)}")

    def test_two_digits_or_two_groups_that_changed_places_are_known(self) -> None:
        groups = self.made.groups
        first = groups[0]
        n = next(n for n in range(4) if first[n] != first[n + 1])
        swapped = first[:n] + first[n + 1] + first[n] + first[n + 2 :]
        for wrong in ((swapped, *groups[1:]), (groups[1], groups[0], *groups[2:])):
            with pytest.raises(BadAnchor, match="Group 1"):
                read_anchor(f"HRP 2026-11-24 10452 {'-'.join(wrong)}")

    @pytest.mark.parametrize(
        "typed",
        ["", "HRP", "HRP 2026-11-24 10452", "HRP today 10452 1-2-3-4-5-6", "HRP 2026-11-24 many 123456", "a b c d e"],
    )
    def test_what_is_no_line_is_said_to_be_none(self, typed: str) -> None:
        with pytest.raises(BadAnchor):
            read_anchor(typed)

    def test_another_length_or_day_makes_other_digits(self) -> None:
        for other in (
            anchor_of(code="HRP", day=date(2026, 11, 24), length=10453, head=bytes(range(32))),
            anchor_of(code="HRP", day=date(2026, 11, 25), length=10452, head=bytes(range(32))),
            anchor_of(code="SAT", day=date(2026, 11, 24), length=10452, head=bytes(range(32))),
        ):
            assert other.groups != self.made.groups


class TestTheNight:
    def test_each_site_is_anchored_once_and_its_line_lies_in_both_folders(
        self, place: Clinic, now: datetime, tmp_path: Path
    ) -> None:
        clinic(place.database, now, code="SAT")
        second = tmp_path / "elsewhere"
        second.mkdir()
        clock = MovableClock(now)
        folders = [tmp_path / "data" / "anchors", second]

        assert anchor_trails(place.database, folders, clock) == 2
        assert anchor_trails(place.database, folders, clock) == 0
        clock.goes_on(days=1)
        assert anchor_trails(place.database, folders, clock) == 2

        names = ["anchor-HRP-2026-11-24.txt", "anchor-HRP-2026-11-25.txt"]
        names += [name.replace("HRP", "SAT") for name in names]
        for folder in folders:
            assert [path.name for path in sorted(folder.iterdir())] == names
        assert (folders[0] / names[0]).stat().st_mode & 0o077 == 0

    def test_a_second_folder_that_is_not_there_stops_no_anchor_and_is_tried_again(
        self, place: Clinic, now: datetime, tmp_path: Path
    ) -> None:
        clock, second = MovableClock(now), tmp_path / "elsewhere"
        folders = [tmp_path / "anchors", second]

        assert anchor_trails(place.database, folders, clock) == 1
        assert len(list(folders[0].iterdir())) == 1
        assert not second.exists()
        with place.database.reading() as session:
            failed = session.execute(text("SELECT job, failure FROM job_run WHERE failure <> ''")).all()
        assert [(row[0], "is not there" in row[1]) for row in failed] == [("keep anchors", True)]

        second.mkdir()
        clock.goes_on(minutes=61)
        assert anchor_trails(place.database, folders, clock) == 0
        assert [path.name for path in second.iterdir()] == ["anchor-HRP-2026-11-24.txt"]

    def test_a_file_that_is_there_is_never_written_again(self, place: Clinic, tmp_path: Path) -> None:
        anchored(place)
        with place.database.reading() as session:
            kept = anchors_of(session, site_id=place.site_id, last=5)
        write_files(tmp_path, kept)
        (path,) = tmp_path.iterdir()
        path.write_text("as it was\n")

        assert write_files(tmp_path, kept) == 0
        assert path.read_text() == "as it was\n"

    def test_an_anchor_is_only_ever_added(self, place: Clinic) -> None:
        anchored(place)
        for statement in (
            "UPDATE audit_anchor SET length = 1",
            "UPDATE audit_anchor SET stamp = NULL",
            "DELETE FROM audit_anchor",
            "TRUNCATE audit_anchor",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(statement))

    def test_many_programs_at_once_make_one_anchor(self, place: Clinic) -> None:
        made: list[Anchor] = []
        threads = [threading.Thread(target=lambda: made.append(anchored(place))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(made) == 8
        assert len({each.groups for each in made}) == 1


class TestTheCommands:
    @pytest.fixture(autouse=True)
    def environment(self, place: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
        monkeypatch.setenv("DATABASE_URL", place.database.url.replace("+psycopg", ""))
        monkeypatch.setattr("dispensary.commands.parts.vault_of", lambda _: place.database.vault)

    def test_what_anchor_prints_is_what_verify_takes_and_a_rewritten_chain_is_named(
        self, place: Clinic, tmp_path: Path
    ) -> None:
        printed = CliRunner().invoke(main, ["anchor"])
        assert printed.exit_code == 0, printed.output
        (tmp_path / "lines.txt").write_text(printed.output)
        asked = ["verify", "--anchors", str(tmp_path / "lines.txt")]
        well = CliRunner().invoke(main, asked)
        assert (well.exit_code, "1 anchors fit" in well.output) == (0, True), well.output

        touched(
            place,
            "UPDATE audit_entry SET account_id = NULL, act = 'x' WHERE seq = 3 AND site_id = :site",
            "DELETE FROM audit_anchor",
        )
        rewrite(place)

        assert CliRunner().invoke(main, ["verify"]).exit_code == 0
        found = CliRunner().invoke(main, asked)
        assert found.exit_code == 1
        assert "the audit chain of HRP is not that of" in found.output
        code, day, length, _, groups = printed.output.split()
        typed = CliRunner().invoke(main, ["verify", "--anchor", f"{code} {day} {length} {groups}"])
        assert typed.exit_code == 1
        misread = CliRunner().invoke(main, ["verify", "--anchor", f"{code} {day} {length} {groups[:-1]}x"])
        assert (misread.exit_code, "6 groups of 6 digits" in misread.output) == (2, True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TimeStamps, list[int]]]:
    """A time-stamping authority of this machine's own, made of openssl; what it is to answer stands in the list."""
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "tsa.cnf").write_text(
        "[tsa]\ndefault_tsa = own\n[own]\nserial = serial\nsigner_digest = sha256\ndigests = sha256\n"
        "default_policy = 1.2.3.4\nordering = no\ntsa_name = no\ness_cert_id_chain = no\n"
    )
    (folder / "serial").write_text("01\n")

    def openssl(*words: str, given: bytes = b"") -> bytes:
        return subprocess.run(["openssl", *words], cwd=folder, input=given, capture_output=True, check=True).stdout

    (folder / "ca.cnf").write_text(
        "[req]\ndistinguished_name = dn\nx509_extensions = ca\n[dn]\n[ca]\nbasicConstraints = critical,CA:TRUE\n"
        "keyUsage = critical,keyCertSign\nsubjectKeyIdentifier = hash\n[leaf]\nbasicConstraints = critical,CA:FALSE\n"
        "keyUsage = critical,digitalSignature\nextendedKeyUsage = critical,timeStamping\n"
        "authorityKeyIdentifier = keyid\nsubjectKeyIdentifier = hash\n"
    )
    new = ("-newkey", "rsa:2048", "-nodes", "-config", "ca.cnf")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test root", "-days", "9")
    openssl("req", "-new", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Test stamps")
    openssl(
        *("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tsa.pem"),
        *("-days", "9", "-extfile", "ca.cnf", "-extensions", "leaf"),
    )
    answers: list[int] = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            status = answers.pop(0) if answers else 200
            said = b"not now"
            if status == 200:
                (folder / "asked.tsq").write_bytes(asked)
                said = openssl(
                    *("ts", "-reply", "-queryfile", "asked.tsq", "-config", "tsa.cnf"),
                    *("-signer", "tsa.pem", "-inkey", "tsa.key"),
                )
            self.send_response(200 if status == 1 else status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield TimeStamps(f"http://127.0.0.1:{server.server_port}/tsr", folder / "ca.pem"), answers
    server.shutdown()
    server.server_close()


class TestTimeStamps:
    def test_a_stamp_comes_beside_the_anchor_and_openssl_reads_it(
        self, place: Clinic, now: datetime, tmp_path: Path, authority: tuple[TimeStamps, list[int]]
    ) -> None:
        asked, answers = authority
        clock = MovableClock(now)
        anchor_trails(place.database, [tmp_path], clock)
        answers[:] = [503, 1]  # away; then an answer that is none

        assert stamp_anchors(place.database, asked, [tmp_path], clock) == 0
        assert stamp_anchors(place.database, asked, [tmp_path], clock) == 0
        assert stamp_anchors(place.database, asked, [tmp_path], clock) == 1
        assert stamp_anchors(place.database, asked, [tmp_path], clock) == 0, "one is enough"

        with place.database.reading() as session:
            (kept,) = anchors_of(session, site_id=place.site_id, last=5)
        assert kept.stamped_at is not None
        assert abs(kept.stamped_at.timestamp() - datetime.now(kept.stamped_at.tzinfo).timestamp()) < 300
        text_file, stamp_file = tmp_path / "anchor-HRP-2026-11-24.txt", tmp_path / "anchor-HRP-2026-11-24.tsr"
        told = subprocess.run(
            ["openssl", "ts", "-verify", "-data", text_file, "-in", stamp_file, "-CAfile", str(asked.roots)],
            capture_output=True,
            text=True,
        )
        assert "Verification: OK" in told.stdout + told.stderr

    def test_a_stamp_that_nobody_known_vouches_for_or_that_is_of_another_file_is_not_kept(
        self, place: Clinic, now: datetime, tmp_path: Path, authority: tuple[TimeStamps, list[int]]
    ) -> None:
        asked, _ = authority
        stranger = tmp_path / "stranger.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(tmp_path / "k")),
                *("-out", str(stranger), "-subj", "/CN=Somebody else", "-days", "9"),
            ],
            check=True,
            capture_output=True,
        )
        clock = MovableClock(now)
        anchor_trails(place.database, [tmp_path / "anchors"], clock)

        assert stamp_anchors(place.database, TimeStamps(asked.url, stranger), [tmp_path / "anchors"], clock) == 0

        said: list[bytes] = []

        def same_answer(url: str, request: bytes) -> bytes:
            from dispensary.staff.stamping import ask_by_http

            said.append(said[0] if said else ask_by_http(url, request))
            return said[0]

        assert stamp_anchors(place.database, asked, [tmp_path / "anchors"], clock, fetch=same_answer) == 1
        clock.goes_on(days=1)
        anchor_trails(place.database, [tmp_path / "anchors"], clock)
        assert stamp_anchors(place.database, asked, [tmp_path / "anchors"], clock, fetch=same_answer) == 0
        assert len(list((tmp_path / "anchors").glob("*.tsr"))) == 1

    def test_nobody_answering_at_all_stops_nothing(self, place: Clinic, now: datetime, tmp_path: Path) -> None:
        clock = MovableClock(now)
        assert anchor_trails(place.database, [tmp_path], clock) == 1
        nobody = TimeStamps("http://127.0.0.1:9/tsr", None)
        began = datetime.now(tz=now.tzinfo)
        assert stamp_anchors(place.database, nobody, [tmp_path], clock) == 0
        assert datetime.now(tz=now.tzinfo) - began < timedelta(seconds=5)
