"""What is too much for a server, sent to the real one: bodies without end, heads without end, bytes one by one."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from dispensary.serving import HEAD_WITHIN
from tests.attacks.program import Program

SLOW = 300

pytestmark = pytest.mark.skipif("ATTACK" not in os.environ, reason="by `make attack`")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("heavy"))
    try:
        program.start()
        yield program
    finally:
        program.clear()


def _answer(served: Program, sent: bytes, *, within: float = 15) -> bytes:
    """What the server says to these bytes; nothing when it ends the connection."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=within) as line:
        with suppress(ConnectionError):
            for at in range(0, len(sent), 1 << 16):
                line.sendall(sent[at : at + (1 << 16)])
        with suppress(ConnectionError):
            return line.recv(200)
    return b""


def test_a_body_of_a_hundred_megabytes_is_refused_and_not_read(
    served: Program, record_property: Callable[[str, object], None]
) -> None:
    process = psutil.Process(served.server.pid)  # type: ignore[union-attr]
    before = process.memory_info().rss
    head = b"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    said = _answer(served, head + b"Content-Length: 104857600\r\n\r\n" + b"x" * 104_857_600)
    assert said[:12] in (b"HTTP/1.1 413", b"")
    chunked = b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(200))
    said = _answer(served, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\n\r\n")
    assert said[:12] in (b"HTTP/1.1 413", b"")
    grown = (process.memory_info().rss - before) / 1024**2
    record_property("figure", f"100 MB refused, the server grew by {max(grown, 0):.0f} MB")
    assert grown < 40
    assert httpx.get(f"{served.url}/health/live").status_code == 200


@pytest.mark.parametrize(
    ("head", "refused"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 1_000_000 + b"\r\n\r\n", (b"431", b"400", b"")),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5000)), (b"431", b"400", b"")),
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (b"414", b"431", b"400", b"")),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", (b"400", b"")),
        (b"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", (b"400", b"")),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", (b"400", b"505", b"")),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", (b"400", b"")),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (b"400", b"505", b"")),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500, (b"400", b"")),
    ],
)
def test_a_head_that_is_none_is_refused(served: Program, head: bytes, refused: tuple[bytes, ...]) -> None:
    said = _answer(served, head)
    assert said[9:12] in refused, said[:80]
    assert httpx.get(f"{served.url}/health/live").status_code == 200


def _goes_on(line: socket.socket) -> bool:
    """Sends one more byte; whether the server still listens and has said nothing."""
    try:
        line.setblocking(True)
        line.sendall(b"a")
        line.setblocking(False)
        line.recv(100)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False  # an answer, or the end


def test_hundreds_that_send_a_byte_a_second_keep_nobody_out(
    served: Program, record_property: Callable[[str, object], None]
) -> None:
    with ExitStack() as stack:
        lines = [
            stack.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=10)) for _ in range(SLOW)
        ]
        began, took, ended = time.monotonic(), [], 0.0
        for line in lines:
            line.sendall(b"GET /counter HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        while lines and time.monotonic() - began < HEAD_WITHIN + 8:
            asked = time.monotonic()
            assert httpx.get(f"{served.url}/health/ready", timeout=20).status_code == 200
            took.append(time.monotonic() - asked)
            lines = [line for line in lines if _goes_on(line)]
            ended = time.monotonic() - began
            time.sleep(1)
    record_property("tries", SLOW)
    record_property(
        "figure", f"{SLOW} slow clients ended after {ended:.0f} s, others answered within {max(took) * 1000:.0f} ms"
    )
    assert lines == []
    assert max(took) < 5


def test_the_folder_of_the_program_is_nobody_elses(served: Program) -> None:
    assert Path(served.keys).stat().st_mode & 0o077 == 0
