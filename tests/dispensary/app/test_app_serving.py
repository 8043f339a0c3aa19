from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

# The program as `dispensary serve` runs it, with one page more that takes its time.
PROGRAM = """
import sys, time
from contextlib import asynccontextmanager
from litestar import get
from dispensary import desks, serving
from dispensary.embedded import NoDatabase
from dispensary.keys import BadKeys
from dispensary.settings import settings_from
from dispensary.web.guards import PUBLIC

@get("/slow/{seconds:float}", sync_to_thread=True)
def slow(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"

@asynccontextmanager
async def jobs(app):
    print("jobs began", flush=True)
    yield
    print("jobs ended", flush=True)

PUBLIC.add("/slow/{seconds}")
desks.HANDLERS.append(slow)
serving.STOP_WITHIN = 3
try:
    serving.serve(settings_from(), ready=lambda: print("ready", flush=True), lifespan=[jobs])
except (serving.CannotServe, NoDatabase, BadKeys) as reason:
    print(reason, flush=True)
    sys.exit(2)
print("ended", flush=True)
"""

# The same, whose server is slow to come back from saying that it has stopped, as on a machine that is very busy, and
# whose interpreter is slow to go.
LATE = (
    """
import asyncio, sys, time
tell = asyncio.SelectorEventLoop.call_soon_threadsafe

def tell_and_dawdle(loop, told, *rest, **more):
    handle = tell(loop, told, *rest, **more)
    if "shutdown" in told.__qualname__:
        time.sleep(0.4)
    return handle

class LastToGo:
    def __del__(self):
        time.sleep(1)

asyncio.SelectorEventLoop.call_soon_threadsafe = tell_and_dawdle
sys.last_to_go = LastToGo()
"""
    + PROGRAM
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


class Running:
    def __init__(self, folder: Path, database_url: str, port: int, program: str = PROGRAM) -> None:
        self.port = port
        self.complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it lives as long as the program
        environment = {
            **os.environ,
            "DISPENSARY_DATA": str(folder),
            "DATABASE_URL": database_url,
            "DISPENSARY_PORT": str(port),
            "PYTHONWARNINGS": "ignore",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self.complaints,
            text=True,
        )

    def until(self, line: str) -> None:
        assert self.process.stdout is not None
        for said in self.process.stdout:
            if said.strip() == line:
                return
        raise AssertionError(f"it ended without saying “{line}”: {self.complained()}")

    def complained(self) -> str:
        self.complaints.seek(0)
        return self.complaints.read()[-2000:]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=30)

    def ends(self) -> tuple[int, list[str]]:
        said, _ = self.process.communicate(timeout=30)
        return self.process.returncode, said.splitlines()


Starts = Callable[..., Running]


@pytest.fixture
def starts(tmp_path: Path, database_url: str) -> Iterator[Starts]:
    running: list[Running] = []

    def start(
        folder: str = "data", url: str = database_url, port: int | None = None, program: str = PROGRAM
    ) -> Running:
        running.append(Running(tmp_path / folder, url, port or free_port(), program))
        return running[-1]

    yield start
    for each in running:
        each.process.kill()
        each.process.communicate()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_when_told_to_stop_it_ends_what_is_under_way(starts: Starts, how: signal.Signals) -> None:
    program = starts()
    program.until("jobs began")
    program.until("ready")
    assert program.get("/health/ready").json()["status"] == "ready"
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(program.get("/slow/1.5")))
    asking.start()
    time.sleep(0.5)
    program.process.send_signal(how)
    asking.join()
    assert [answer.text for answer in answers] == ["slept"]
    assert program.ends() == (0, ["jobs ended", "ended"])


def test_it_does_not_go_before_the_threads_of_its_server_which_would_then_abort_it(starts: Starts) -> None:
    program = starts(program=LATE)
    program.until("ready")
    assert program.get("/health/ready").json()["status"] == "ready"
    program.process.send_signal(signal.SIGTERM)
    assert program.ends() == (0, ["jobs ended", "ended"])
    assert "panicked" not in program.complained()


def test_a_request_that_takes_too_long_is_given_up_and_the_jobs_still_end(starts: Starts) -> None:
    program = starts()
    program.until("ready")

    answers: list[str] = []

    def asks() -> None:
        try:
            answers.append(program.get("/slow/8").text)
        except httpx.HTTPError:
            answers.append("given up")

    asking = threading.Thread(target=asks)
    asking.start()
    time.sleep(0.5)
    began = time.monotonic()
    program.process.send_signal(signal.SIGTERM)
    code, said = program.ends()
    asking.join()
    assert (code, said) == (0, ["jobs ended", "ended"])
    assert time.monotonic() - began < 25, "8 s for the thread that sleeps, and what a slow machine takes for the rest"
    assert "slept" not in answers, "nobody is told that what was given up was done"


def test_killed_it_is_one_process_and_leaves_port_and_folder_free(starts: Starts) -> None:
    program = starts()
    program.until("ready")
    program.process.kill()
    program.process.wait()
    with pytest.raises(httpx.ConnectError):
        program.get("/health/live")
    again = starts(port=program.port)
    again.until("ready")
    assert again.get("/health/live").status_code == 200


def test_a_second_program_on_the_folder_finds_the_first(starts: Starts) -> None:
    starts().until("ready")
    code, said = starts().ends()
    assert code == 2
    assert len(said) == 1
    assert said[0].startswith("Another Takehome uses the data folder")


def test_a_taken_port_is_one_clear_line(starts: Starts) -> None:
    first = starts()
    first.until("ready")
    code, said = starts(folder="other", port=first.port).ends()
    assert code == 2
    assert said == [
        f"Port {first.port} on 127.0.0.1 cannot be used (Address already in use). "
        "Stop the program that has it, or set DISPENSARY_PORT to another."
    ]


def test_a_database_that_does_not_answer_is_one_clear_line(starts: Starts) -> None:
    code, said = starts(url="postgresql://nobody@127.0.0.1:1/none").ends()
    assert code == 2
    assert len(said) == 1
    assert said[0].startswith("The database does not answer: ")


def test_a_database_without_all_migrations_is_one_clear_line(starts: Starts, database_url: str) -> None:
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001_scheduling'")
    assert starts().ends() == (2, ["The database is not up to date. Run `dispensary migrate` first."])


def test_a_folder_that_cannot_be_made_is_one_clear_line(starts: Starts, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, said = starts(folder="file/data").ends()
    assert code == 2
    assert said == [f"The data folder {tmp_path}/file/data cannot be used: Not a directory."]


def test_a_damaged_key_file_is_one_clear_line(starts: Starts, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keys.json").write_text("{")
    code, said = starts().ends()
    assert code == 2
    assert len(said) == 1
    assert "cannot be read" in said[0]
