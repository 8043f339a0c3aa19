"""Against Debian's own Kannel with its fake operator: a text goes out and is reported, and one comes in."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest

from notifications.gateways import Accepted, Called, Inbound, Rejected
from notifications.gateways.kannel import KannelGateway
from notifications.models import State

FAKE_SMSC = Path("/usr/lib/kannel/test/fakesmsc")
SECRET = "a-secret-of-the-tests-alone"
TO, WROTE = "+60123456789", "+60198765432"

CONFIGURATION = """
group = core
admin-port = {admin}
admin-password = {word}
smsbox-port = {boxes}
box-allow-ip = 127.0.0.1
log-file = "{folder}/bearerbox.log"
log-level = 1
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = FAKE
port = {operator}
host = 127.0.0.1
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = {boxes}
sendsms-port = {send}
log-file = "{folder}/smsbox.log"
log-level = 1

group = sendsms-user
username = takehome
password = {word}
default-sender = 12345
max-messages = 10
concatenation = true

group = sms-service
keyword = default
catch-all = true
omit-empty = true
send-sender = true
post-url = "http://kannel:{secret}@127.0.0.1:{hooks}/hooks/kannel/inbound?id=%I"
"""


@dataclass
class Hooks:
    """Our side: keeps what Kannel calls it with."""

    port: int
    calls: list[Called] = field(default_factory=list)

    def waits_for(self, found: Callable[[], object], seconds: float = 180) -> None:
        ends = time.monotonic() + seconds
        while not found():
            assert time.monotonic() < ends, [called.url for called in self.calls]
            time.sleep(0.1)


@dataclass
class Clinic:
    gateway: KannelGateway
    hooks: Hooks
    said: Path
    """What the fake operator says that it got."""
    send_port: int

    def reports(self) -> list[tuple[str, State]]:
        found = [each for called in self.hooks.calls for each in self.gateway.parse_status(called)]
        return [(report.provider_id, report.state) for report in found]


def free_ports(number: int) -> list[int]:
    with ExitStack() as held:
        return [held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(number)]


@contextmanager
def running(command: list[str], said: Path, port: int | None) -> Iterator[None]:
    """Runs a program of Kannel until the block ends; with a port, goes on once it listens there."""
    with said.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=said.parent)
    try:
        ends = time.monotonic() + 60
        while port is not None:
            with socket.socket() as asks:
                if asks.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, said.read_text("utf-8", "replace")[-2000:]
            assert time.monotonic() < ends
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@contextmanager
def listening(port: int) -> Iterator[Hooks]:
    hooks = Hooks(port)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            url = f"https://clinic.example.org{self.path}"
            hooks.calls.append(Called(url, dict(parse_qsl(urlsplit(url).query)), headers, body))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - http.server looks for these names

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hooks
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def kannel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    bearerbox = shutil.which("bearerbox", path="/usr/sbin:/usr/bin")
    smsbox = shutil.which("smsbox", path="/usr/sbin:/usr/bin")
    if bearerbox is None or smsbox is None or not FAKE_SMSC.exists():
        pytest.skip("Debian's kannel and kannel-extras are not installed")
    folder = tmp_path_factory.mktemp("kannel")
    admin, boxes, operator, send, hooks_port = free_ports(5)
    conf = folder / "kannel.conf"
    conf.write_text(
        CONFIGURATION.format(
            admin=admin, boxes=boxes, operator=operator, send=send, hooks=hooks_port,
            folder=folder, secret=SECRET, word="password",
        )
    )  # fmt: skip
    gateway = KannelGateway(
        url=f"http://127.0.0.1:{send}",
        username="takehome",
        password="password",
        secret=SECRET,
        reports_to=f"http://127.0.0.1:{hooks_port}/hooks/kannel",
        timeout=30,
    )
    said = folder / "operator.txt"
    texts = [f"{WROTE} 12345 text book", f"{WROTE} 12345 ucs2 %98%84%7E%A6"]
    client = [str(FAKE_SMSC), "-H", "127.0.0.1", "-r", str(operator), "-i", "1", "-m", "8", *texts]
    with (
        listening(hooks_port) as hooks,
        running([bearerbox, str(conf)], folder / "bearerbox.txt", operator),
        running([smsbox, str(conf)], folder / "smsbox.txt", send),
        running(client, said, None),
    ):
        yield Clinic(gateway, hooks, said, send)


@pytest.mark.parametrize("body", ["You have nothing booked. £ü{}", "您没有预约。"], ids=["plain", "chinese"])
def test_a_text_goes_out_and_is_reported_as_taken_and_as_delivered_in_any_order(kannel: Clinic, body: str) -> None:
    reference = uuid4()
    kannel.hooks.waits_for(lambda: kannel.hooks.calls)  # the operator is connected: something came in
    assert kannel.gateway.send(TO, body, reference, 3600) == Accepted(str(reference))
    ours = {(str(reference), State.SENT), (str(reference), State.DELIVERED)}
    kannel.hooks.waits_for(lambda: ours <= set(kannel.reports()))
    assert all(kannel.gateway.verify(called) for called in kannel.hooks.calls)
    assert TO in kannel.said.read_text("utf-8", "replace")


def test_a_text_comes_in_with_its_number_its_id_and_in_its_alphabet(kannel: Clinic) -> None:
    def read() -> dict[str, Inbound]:
        found = [each for called in kannel.hooks.calls for each in kannel.gateway.parse_inbound(called)]
        return {inbound.text: inbound for inbound in found}

    kannel.hooks.waits_for(lambda: {"book", "预约"} <= read().keys())
    assert {inbound.phone for inbound in read().values()} == {WROTE}
    assert len({inbound.message_id for inbound in read().values()}) == len(read())
    came_in = [called for called in kannel.hooks.calls if called.url.split("?")[0].endswith("/inbound")]
    assert all(kannel.gateway.verify(called) for called in came_in)
    assert not [called.url for called in kannel.hooks.calls if WROTE.strip("+") in called.url]


def test_a_wrong_password_is_refused_for_now(kannel: Clinic) -> None:
    wrong = KannelGateway(
        url=f"http://127.0.0.1:{kannel.send_port}",
        username="takehome",
        password="x",
        secret=SECRET,
        reports_to="http://x",
    )
    assert wrong.send(TO, "text", uuid4(), 60) == Rejected("403", permanent=False)
