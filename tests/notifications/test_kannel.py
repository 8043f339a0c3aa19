import base64
import logging
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest

from notifications.gateways import Accepted, Called, Inbound, Rejected, Status, Unknown
from notifications.gateways.kannel import KannelGateway
from notifications.models import State
from notifications.queries import undelivered

from .fake_kannel import PASSWORD, USERNAME, FakeKannel

TO, BODY = "+60123456789", "You have nothing booked. Reply SLOTS for free times."
REFERENCE = uuid4()
SECRET = "a secret of the tests alone"
HOOKS = "https://clinic.example.org/hooks/kannel"


@pytest.fixture
def fake():
    server = FakeKannel()
    yield server
    server.close()


@pytest.fixture
def kannel(fake):
    return gateway(fake)


def gateway(fake, **more):
    settings = {"username": USERNAME, "password": PASSWORD, "secret": SECRET, "timeout": 0.5, "reports_to": HOOKS}
    return KannelGateway(url=fake.base, **{**settings, **more})


def basic(password, user="kannel"):
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def asked(url, **headers):
    return Called(url, dict(parse_qsl(urlsplit(url).query)), headers)


class TestSending:
    def test_posts_the_text_with_its_validity_and_asks_for_reports(self, fake, kannel):
        assert kannel.send(TO, BODY, REFERENCE, 3601) == Accepted(str(REFERENCE))
        (message,) = fake.messages
        assert (message["x-kannel-to"], message["text"]) == (TO, BODY)
        assert (message["x-kannel-coding"], message["x-kannel-validity"]) == ("0", "61")
        assert message["x-kannel-dlr-mask"] == "27"
        assert message["x-kannel-dlr-url"].startswith(f"{HOOKS}/status?reference={REFERENCE}&signature=")
        assert message["x-kannel-dlr-url"].endswith("&type=%d")

    def test_puts_neither_number_nor_text_nor_password_into_an_address(self, fake, kannel):
        kannel.send(TO, BODY, REFERENCE, 60)
        assert fake.paths == ["/cgi-bin/sendsms"]
        report = fake.messages[0]["x-kannel-dlr-url"]
        assert not [word for word in ("60123456789", "booked", PASSWORD, SECRET) if word in report]

    def test_says_when_a_text_is_not_in_the_plain_alphabet(self, fake, kannel):
        kannel.send(TO, "您没有预约。", REFERENCE, 1)
        assert (fake.messages[0]["x-kannel-coding"], fake.messages[0]["text"]) == ("2", "您没有预约。")
        assert fake.messages[0]["x-kannel-validity"] == "1"

    def test_names_its_sender_and_its_operator_where_they_are_set(self, fake):
        gateway(fake, sender="CLINIC", smsc="north").send(TO, BODY, REFERENCE, 60)
        assert (fake.messages[0]["x-kannel-from"], fake.messages[0]["x-kannel-smsc"]) == ("CLINIC", "north")

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            (400, Rejected("400", permanent=True)),
            (403, Rejected("403", permanent=False)),
            (503, Rejected("503", permanent=False, slow_down=True)),
            (500, Unknown("HTTP 500")),
            (200, Unknown("HTTP 200")),
        ],
    )
    def test_tells_a_refusal_for_good_from_one_for_now(self, fake, kannel, status, outcome):
        fake.script = [status]
        assert kannel.send(TO, BODY, REFERENCE, 600) == outcome

    def test_with_a_wrong_password_waits_for_somebody_to_put_it_right(self, fake):
        assert gateway(fake, password="wrong").send(TO, BODY, REFERENCE, 60) == Rejected("403", permanent=False)

    def test_without_an_answer_is_unknown_and_with_nobody_there_is_tried_again(self, fake, kannel):
        fake.script = ["hang"]
        assert kannel.send(TO, BODY, REFERENCE, 600) == Unknown("TimeoutError")
        fake.close()
        assert kannel.send(TO, BODY, REFERENCE, 600) == Rejected("no-connection", permanent=False)


class TestTheOutboxThroughKannel:
    def test_never_sends_again_what_may_have_gone_and_tells_reception(self, outbox, fake, kannel, clock, database):
        fake.script = ["hang"]
        message_id = outbox.queue(outbox.contact())
        assert outbox.send(kannel).unknown == 1
        clock.pass_(minutes=1)
        assert outbox.send(kannel).unknown == 1
        clock.pass_(hours=20)
        assert outbox.send(kannel).claimed == 0
        assert len(fake.messages) == 1
        with database.reading() as session:
            (lost,) = undelivered(session)
        assert (lost.message_id, lost.state) == (message_id, "unknown")

    def test_writes_no_number_and_no_text_to_the_log(self, outbox, fake, kannel, caplog):
        caplog.set_level(logging.DEBUG)
        fake.script = [400, "hang", 500]
        for number in range(3):
            outbox.queue(outbox.contact(), f"{number}", kind="nothing_booked")
        outbox.send(kannel)
        lines = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
        assert any("no answer" in line for line in lines)
        assert not [line for line in lines if "123456789" in line or "nothing booked" in line]


class TestWhatComesIn:
    def inbound(self, kannel, body, charset="UTF-8", phone=TO, message_id="7bb8c773"):
        headers = {"content-type": f'text/plain; charset="{charset}"', "x-kannel-from": phone}
        query = {"id": message_id} if message_id else {}
        return kannel.parse_inbound(Called(f"{HOOKS}/inbound", query, headers, body))

    def test_is_a_text_with_its_id_in_the_alphabet_that_it_came_in(self, kannel):
        assert self.inbound(kannel, b"book fri 7") == [Inbound("7bb8c773", TO, "book fri 7")]
        assert self.inbound(kannel, b"\x98\x84~\xa6", "UTF-16BE") == [Inbound("7bb8c773", TO, "预约")]

    @pytest.mark.parametrize("charset", ["", "no-such-one"])
    def test_in_a_strange_alphabet_is_read_as_far_as_it_can_be(self, kannel, charset):
        assert self.inbound(kannel, b"book \xff", charset)[0].text == "book �"

    @pytest.mark.parametrize(
        ("given", "kept"), [("60123456789", TO), ("0123456789", "0123456789"), ("CLINIC", "CLINIC")]
    )
    def test_has_the_plus_that_an_operator_leaves_out(self, kannel, given, kept):
        assert self.inbound(kannel, b"", phone=given)[0].phone == kept

    def test_is_nothing_without_a_number_or_an_id(self, kannel):
        assert self.inbound(kannel, b"x", phone="") == []
        assert self.inbound(kannel, b"x", message_id="") == []


class TestAReport:
    @pytest.mark.parametrize(
        ("kind", "state", "code"),
        [
            ("8", "sent", None),
            ("1", "delivered", None),
            ("2", "undelivered", "report-2"),
            ("16", "failed", "report-16"),
        ],
    )
    def test_is_read(self, kannel, kind, state, code):
        called = Called("", {"type": kind, "reference": str(REFERENCE)})
        assert kannel.parse_status(called) == [Status(str(REFERENCE), State(state), code, REFERENCE)]

    @pytest.mark.parametrize(
        "query", [{}, {"type": "1"}, {"type": "4", "reference": str(REFERENCE)}, {"type": "1", "reference": "x"}]
    )
    def test_that_says_nothing_is_nothing(self, kannel, query):
        assert kannel.parse_status(Called("", query)) == []


class TestWhoMayCall:
    def test_whoever_knows_the_secret(self, kannel):
        assert kannel.verify(asked(f"{HOOKS}/inbound?id=1", **basic(SECRET)))

    @pytest.mark.parametrize(
        "header", ["", "Basic", "Basic !", "Bearer x", basic("")["authorization"], basic("other")["authorization"]]
    )
    def test_nobody_else(self, kannel, header):
        assert not kannel.verify(asked(f"{HOOKS}/inbound?id=1", authorization=header))

    def test_a_report_by_the_signature_of_its_text_alone(self, fake, kannel):
        kannel.send(TO, BODY, REFERENCE, 60)
        signed = fake.messages[0]["x-kannel-dlr-url"].replace("%d", "1")
        assert kannel.verify(asked(signed))
        assert not kannel.verify(asked(signed.replace(str(REFERENCE), str(uuid4()))))
        assert not kannel.verify(asked(signed.replace("/status", "/inbound")))
        assert not kannel.verify(asked(signed[:-10]))
        assert not gateway(fake, secret="another secret of the tests").verify(asked(signed))
