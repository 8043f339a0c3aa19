"""What we ask of Twilio and what our fake of it answers, both checked against Twilio's own description by prism."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from notifications.gateways import Accepted, Rejected
from notifications.gateways.twilio import TwilioGateway

from .fake_twilio import ACCOUNT, TOKEN, FakeTwilio
from .node import needs

DESCRIPTION = Path(__file__).parents[3] / "shared/data/twilio/twilio_api_v2010.json"
TO, BODY = "+60123456789", "You have nothing booked. Reply SLOTS for free times."
REFERENCE = uuid4()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeTwilio]:
    server = FakeTwilio()
    yield server
    server.close()


@pytest.fixture(scope="module")
def prism(fake: FakeTwilio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a prism that lets nothing pass that the description does not know."""
    if not DESCRIPTION.exists():
        pytest.skip("Twilio's description is not here (shared/data/twilio)")
    command = needs("@stoplight/prism-cli") / "dist" / "index.js"
    port, said = free_port(), tmp_path_factory.mktemp("prism") / "said.txt"
    with said.open("w") as out:
        process = subprocess.Popen(
            [
                "node",
                str(command),
                "proxy",
                "--errors",
                "-h",
                "127.0.0.1",
                "-p",
                str(port),
                str(DESCRIPTION),
                fake.base,
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        ends = time.monotonic() + 120
        while "is listening" not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < ends, said.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def by_prism(prism: str, **more: str) -> TwilioGateway:
    settings = {"account_sid": ACCOUNT, "auth_token": TOKEN, "sender": "+15005550006", **more}
    return TwilioGateway(api_base=prism, timeout=30, **settings)  # type: ignore[arg-type]


def test_a_text_is_sent_as_twilio_describes_it(prism: str, fake: FakeTwilio) -> None:
    gateway = by_prism(prism, status_url="https://clinic.example.org/hooks/twilio/status")
    assert gateway.send(TO, BODY, REFERENCE, 3600) == Accepted(str(fake.messages[-1]["sid"]))
    assert fake.forms[-1]["ValidityPeriod"] == "3600"


def test_so_is_one_by_a_messaging_service_and_in_another_alphabet(prism: str, fake: FakeTwilio) -> None:
    gateway = by_prism(prism, sender="MG" + "2" * 32)
    assert gateway.send(TO, "您没有预约。+ & = %41", REFERENCE, 60) == Accepted(str(fake.messages[-1]["sid"]))
    assert fake.messages[-1]["body"] == "您没有预约。+ & = %41"


def test_it_is_looked_up_as_twilio_describes_it(prism: str, fake: FakeTwilio) -> None:
    gateway = by_prism(prism)
    gateway.send(TO, "Only once.", REFERENCE, 60)
    seen = gateway.look_up(TO, "Only once.", REFERENCE, fake.now - timedelta(minutes=1))
    assert [text.provider_id for text in seen] == [fake.messages[-1]["sid"]]  # type: ignore[union-attr]


def test_a_refusal_comes_through_as_what_it_is(prism: str, fake: FakeTwilio) -> None:
    fake.script = [(400, 21610)]
    assert by_prism(prism).send(TO, BODY, REFERENCE, 60) == Rejected("21610", permanent=True, opted_out=True)


def test_what_twilio_does_not_describe_is_not_let_through(prism: str, fake: FakeTwilio) -> None:
    """That prism looks at all: a status callback that is no address is refused before our fake hears of it."""
    before = len(fake.forms)
    outcome = by_prism(prism, sender="+15005550006", status_url="not an address").send(TO, BODY, REFERENCE, 60)
    assert not isinstance(outcome, Accepted)
    assert len(fake.forms) == before
