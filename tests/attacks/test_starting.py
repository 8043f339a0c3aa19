"""What keeps the program from starting is one clear line; what a kill or a power cut left behind does not."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import fasteners
import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.attacks.program import Program, kill, until


def refusal(program: Program, *command: str, **environment: str) -> str:
    """The one line with which the command refuses."""
    refused = program.run(*command, **environment)
    assert (refused.returncode, refused.stdout) == (2, ""), refused.stderr
    lines = refused.stderr.splitlines()
    assert len(lines) == 1, refused.stderr
    return lines[0]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of its own with the given options."""
    place = tmp_path / "disk"

    def mount(options: str) -> Path:
        place.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=False)
        if mounted.returncode != 0:
            pytest.skip("only who may mount a disk can try this")
        return place

    yield mount
    subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)


class TestOneClearLine:
    def test_a_path_in_which_no_socket_can_lie(self, nothing_yet: Program, tmp_path: Path) -> None:
        far = tmp_path / "a-name-of-forty-characters-that-goes-on-so" / "and-another-one-of-forty-behind-the-first"
        line = refusal(nothing_yet, "migrate", DISPENSARY_DATA=str(far / "data"), TMPDIR=str(far))

        assert line.endswith("too long for a socket, and that of temporary files (TMPDIR) too. Use a shorter one.")

    def test_a_second_start_finds_the_first_which_goes_on(self, program: Program) -> None:
        program.start()

        assert refusal(program, "serve") == (
            f"Another Takehome uses the data folder {program.data}. Stop it, or set DISPENSARY_DATA to another."
        )
        assert httpx.get(f"{program.url}/health/ready").status_code == 200

    def test_a_taken_port(self, nothing_yet: Program) -> None:
        with socket.create_server(("127.0.0.1", nothing_yet.port)):
            line = refusal(nothing_yet, "serve")

        assert line.startswith(f"Port {nothing_yet.port} on 127.0.0.1 cannot be used")

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("postgresql://clinic:secret@127.0.0.1:port/takehome", "DATABASE_URL cannot be read."),
            ("postgresql://clinic:secret@127.0.0.1/takehome?speed=high", "The database refused: invalid connection"),
            ("postgresql://clinic:secret@127.0.0.1:1/takehome", "The database does not answer: "),
        ],
    )
    def test_a_broken_database_url_whose_password_is_not_repeated(
        self, nothing_yet: Program, url: str, said: str
    ) -> None:
        line = refusal(nothing_yet, "migrate", DATABASE_URL=url)

        assert line.startswith(said)
        assert "secret" not in line

    @pytest.mark.parametrize(("command", "place"), [("serve", "file/data"), ("migrate", "/proc/takehome")])
    def test_a_data_folder_that_cannot_be_made(
        self, nothing_yet: Program, tmp_path: Path, command: str, place: str
    ) -> None:
        (tmp_path / "file").touch()
        folder = tmp_path / place

        line = refusal(nothing_yet, command, DISPENSARY_DATA=str(folder))

        assert line.startswith(f"The data folder {folder} cannot be")

    @pytest.mark.parametrize(
        ("options", "said"), [("size=1m", "the disk is full. Make room."), ("ro", "Read-only file system.")]
    )
    def test_a_disk_that_takes_nothing(
        self, nothing_yet: Program, disk: Callable[[str], Path], options: str, said: str
    ) -> None:
        assert refusal(nothing_yet, "serve", DISPENSARY_DATA=str(disk(options))).endswith(said)


class TestAfterAKill:
    def test_the_next_start_takes_over_the_postgresql_that_went_on_alone(self, program: Program) -> None:
        program.start()
        went_on = program.postmaster()
        program.kill_server()
        program.start()

        assert program.postmaster() == went_on
        assert program.stop() == 0
        assert program.left() == [], "the dead program no longer counts among those who use it"

    def test_notes_of_the_dead_keep_nobody_from_starting(self, program: Program) -> None:
        program.start()
        # After the next boot their numbers belong to somebody else, here to one whom PostgreSQL takes for its like.
        stranger = subprocess.Popen(["sleep", "600"], user=program.postgresql.owner())
        try:
            for cut_short in (False, True):
                program.cut_power()
                for note in (program.postgresql / "postmaster.pid", program.postgresql / ".s.PGSQL.5432.lock"):
                    lines = [str(stranger.pid), *note.read_text().splitlines()[1:]]
                    note.write_text("\n".join(lines[:2] if cut_short else lines))
                users = program.postgresql / ".handle_pids.json"
                users.write_text("[" if cut_short else json.dumps([stranger.pid]))
                program.start()
                assert program.postmaster().pid != stranger.pid
        finally:
            stranger.kill()
            stranger.wait()

    def test_a_new_postgresql_waits_until_the_last_process_of_the_dead_one_has_ended(self, program: Program) -> None:
        program.start()

        def work_for_ever() -> None:
            with suppress(OperationalError), database.engine.connect() as connection:
                connection.execute(text("DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$"))

        def at_work() -> bool:
            with database.engine.connect() as connection:
                busy = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active'"
                workers.extend(connection.scalars(text(busy)))
            return bool(workers)

        workers: list[int] = []
        with program.database() as database, ThreadPoolExecutor(1) as beside:
            beside.submit(work_for_ever)
            until(at_work, what="a process of PostgreSQL works")
            postmaster = program.postmaster()
            program.kill_server()
            kill([postmaster])
            (worker,) = [process for process in program.left() if process.pid in workers]
            log = program.postgresql / "log"
            program.begin()
            until(lambda: "pre-existing shared memory block" in log.read_text(), what="the new one sees the old one")
            assert not program.is_ready()
            assert worker.is_running()
            kill([worker])
            until(program.is_ready, what="the program is ready")

    def test_a_first_start_that_was_cut_off_is_begun_anew(self, nothing_yet: Program) -> None:
        for mark in ("PG_VERSION", "postmaster.pid"):  # PostgreSQL is being made; it runs
            written = nothing_yet.postgresql / mark
            nothing_yet.begin()
            until(lambda written=written: nothing_yet.is_going_on() and written.exists(), what=mark)
            nothing_yet.cut_power()
        nothing_yet.start()

        assert nothing_yet.stop() == 0
        assert nothing_yet.left() == []


class TestWhileItServes:
    def test_a_postgresql_that_was_killed_is_started_again_and_meanwhile_the_answer_is_503(
        self, program: Program
    ) -> None:
        program.start()
        killed = program.postmaster()
        with fasteners.InterProcessLock(program.data / ".postgresql.lock"):  # nobody starts it meanwhile
            program.kill_postgresql()
            lost = httpx.get(f"{program.url}/api/session", cookies={"takehome": "a token that somebody had"})
            assert (lost.status_code, lost.headers["content-type"]) == (503, "application/problem+json")
            assert lost.json()["code"] == "no-database"
            assert httpx.get(f"{program.url}/health/ready").status_code == 503
            assert httpx.get(f"{program.url}/health/live").status_code == 200

        until(program.is_ready, what="the program is ready again")
        assert program.postmaster() != killed
        assert program.stop() == 0
        assert program.left() == []
