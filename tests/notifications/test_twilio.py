import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from notifications.gateways import Accepted, Called, Inbound, Rejected, Seen, Status, Unknown
from notifications.gateways.twilio import TwilioGateway
from notifications.models import State

from .fake_twilio import ACCOUNT, TOKEN

TO, BODY = "+60123456789", "You have nothing booked. Reply SLOTS for free times."
REFERENCE = uuid4()


def called(form, url="https://clinic.example.org/", signature="", **query):
    return Called(url, query, {"x-twilio-signature": signature}, urlencode(form).encode())


@pytest.fixture
def twilio(fake_twilio):
    return gateway(fake_twilio)


def gateway(fake, **more):
    settings = {"account_sid": ACCOUNT, "auth_token": TOKEN, "sender": "+15005550006", "timeout": 0.5, **more}
    return TwilioGateway(api_base=fake.base, **settings)


class TestSending:
    def test_posts_the_text_with_its_validity_and_where_to_report(self, fake_twilio):
        outcome = gateway(fake_twilio, status_url="https://kl.example/twilio/status").send(TO, BODY, REFERENCE, 3600)
        assert outcome == Accepted(fake_twilio.messages[0]["sid"])
        assert fake_twilio.forms == [
            {
                "To": TO,
                "From": "+15005550006",
                "Body": BODY,
                "ValidityPeriod": "3600",
                "StatusCallback": f"https://kl.example/twilio/status?reference={REFERENCE}",
            }
        ]

    @pytest.mark.parametrize(("seconds", "asked"), [(1, "6"), (600, "600"), (10**6, "36000")])
    def test_keeps_the_validity_within_twilios_bounds(self, fake_twilio, twilio, seconds, asked):
        twilio.send(TO, BODY, REFERENCE, seconds)
        assert fake_twilio.forms[0]["ValidityPeriod"] == asked

    def test_may_use_a_messaging_service(self, fake_twilio):
        gateway(fake_twilio, sender="MG" + "2" * 32).send(TO, BODY, REFERENCE, 600)
        assert fake_twilio.forms[0]["MessagingServiceSid"] == "MG" + "2" * 32
        assert "From" not in fake_twilio.forms[0]

    @pytest.mark.parametrize(
        ("turn", "outcome"),
        [
            ((400, 21211), Rejected("21211", permanent=True)),
            ((400, 21610), Rejected("21610", permanent=True, opted_out=True)),
            ((400, 21611), Rejected("21611", permanent=False)),
            ((429, 20429), Rejected("20429", permanent=False, slow_down=True)),
            ((403, 20005), Rejected("20005", permanent=False)),
            ((400, 21408), Rejected("21408", permanent=True)),
        ],
    )
    def test_tells_a_refusal_for_good_from_one_for_now(self, fake_twilio, twilio, turn, outcome):
        fake_twilio.script = [turn]
        assert twilio.send(TO, BODY, REFERENCE, 600) == outcome

    @pytest.mark.parametrize("turn", ["hang", "deaf", (500, 20500), (503, 20503)])
    def test_without_a_clear_answer_is_unknown_within_the_timeout(self, fake_twilio, twilio, turn):
        fake_twilio.script = [turn]
        began = datetime.now(UTC)
        assert isinstance(twilio.send(TO, BODY, REFERENCE, 600), Unknown)
        assert datetime.now(UTC) - began < timedelta(seconds=5)

    def test_to_nobody_there_is_unknown(self, fake_twilio):
        unreachable = gateway(fake_twilio)
        fake_twilio.close()
        assert isinstance(unreachable.send(TO, BODY, REFERENCE, 600), Unknown)

    def test_with_a_wrong_token_waits_for_somebody_to_put_it_right(self, fake_twilio):
        assert gateway(fake_twilio, auth_token="wrong").send(TO, BODY, REFERENCE, 600) == Rejected("20003", False)


class TestLookingUp:
    def test_finds_the_text_by_number_words_and_date(self, fake_twilio, twilio):
        for to, body in [(TO, BODY), (TO, "other words"), ("+60198765432", BODY)]:
            twilio.send(to, body, REFERENCE, 600)
        since = fake_twilio.now - timedelta(seconds=30)
        assert twilio.look_up(TO, BODY, REFERENCE, since) == [Seen(fake_twilio.messages[0]["sid"], State.SENT)]
        assert twilio.look_up(TO, BODY, REFERENCE, fake_twilio.now + timedelta(minutes=5)) == []

    def test_takes_over_how_far_it_has_come(self, fake_twilio, twilio):
        twilio.send(TO, BODY, REFERENCE, 600)
        fake_twilio.messages[0] |= {"status": "undelivered", "error_code": 30003}
        (seen,) = twilio.look_up(TO, BODY, REFERENCE, fake_twilio.now)
        assert (seen.state, seen.code) == (State.UNDELIVERED, "30003")

    def test_knows_the_words_that_a_trial_account_puts_before_the_text(self, fake_twilio, twilio):
        twilio.send(TO, BODY, REFERENCE, 600)
        fake_twilio.messages[0]["body"] = f"Sent from your Twilio trial account - {BODY}"
        assert len(twilio.look_up(TO, BODY, REFERENCE, fake_twilio.now)) == 1

    def test_is_unknown_when_nobody_answers(self, fake_twilio, twilio):
        fake_twilio.close()
        assert isinstance(twilio.look_up(TO, BODY, REFERENCE, fake_twilio.now), Unknown)


class TestTheOutboxThroughTwilio:
    @pytest.mark.parametrize("turn", ["hang", "deaf"])
    def test_after_a_time_out_looks_up_and_sends_no_duplicate(self, outbox, fake_twilio, twilio, clock, turn):
        fake_twilio.now = clock()
        fake_twilio.script = [turn]
        message_id = outbox.queue(outbox.contact())
        assert outbox.send(twilio).unknown == 1
        clock.pass_(minutes=1)
        assert outbox.send(twilio).sent == 1
        assert len(fake_twilio.messages) == 1
        assert outbox.message(message_id).provider_id == fake_twilio.messages[0]["sid"]

    def test_tries_again_when_told_to_slow_down(self, outbox, fake_twilio, twilio, clock):
        fake_twilio.script = [(429, 20429)]
        outbox.queue(outbox.contact())
        assert outbox.send(twilio).retried == 1
        clock.pass_(minutes=1)
        assert outbox.send(twilio).sent == 1

    def test_opts_out_a_number_that_twilio_blocks(self, outbox, fake_twilio, twilio):
        fake_twilio.script = [(400, 21610)]
        recipient_id = outbox.contact()
        outbox.queue(recipient_id, "1")
        assert outbox.send(twilio).failed == 1
        assert outbox.queue(recipient_id, "2") is None

    def test_writes_no_number_and_no_text_to_the_log(self, outbox, fake_twilio, clock, caplog):
        caplog.set_level(logging.DEBUG)
        fake_twilio.now = clock()
        twilio = gateway(fake_twilio)
        fake_twilio.script = [(400, 21211), (500, 20500), 201]
        for number in range(3):
            outbox.queue(outbox.contact(), f"{number}", kind="nothing_booked")
        outbox.send(twilio)
        clock.pass_(minutes=1)
        outbox.send(twilio)
        lines = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
        assert any("no answer" in line for line in lines)
        assert not [line for line in lines if "123456789" in line or "nothing booked" in line]


class TestWhatComesIn:
    FORM = {  # noqa: RUF012 - read only
        "MessageSid": "SM1",
        "AccountSid": ACCOUNT,
        "From": TO,
        "To": "+15005550006",
        "Body": "book fri 7",
        "NumMedia": "0",
        "NumSegments": "1",
    }

    def test_is_a_text_with_its_id(self, twilio):
        assert twilio.parse_inbound(called(self.FORM)) == [Inbound("SM1", TO, "book fri 7")]

    def test_may_be_an_opt_out_that_twilio_has_acted_on(self, twilio):
        (inbound,) = twilio.parse_inbound(called({**self.FORM, "Body": "STOP", "OptOutType": "STOP"}))
        assert inbound.opt_out_type == "STOP"

    def test_may_be_a_picture_without_words(self, twilio):
        (inbound,) = twilio.parse_inbound(called({k: v for k, v in self.FORM.items() if k != "Body"}))
        assert inbound.text == ""

    @pytest.mark.parametrize("missing", ["MessageSid", "From"])
    def test_is_nothing_without_a_number_or_an_id(self, twilio, missing):
        assert twilio.parse_inbound(called({k: v for k, v in self.FORM.items() if k != missing})) == []


class TestAReport:
    @pytest.mark.parametrize(
        ("status", "state"),
        [("queued", "sent"), ("sending", "sent"), ("sent", "sent"), ("delivered", "delivered"), ("read", "delivered"),
         ("undelivered", "undelivered"), ("failed", "failed"), ("canceled", "failed")],
    )  # fmt: skip
    def test_is_read(self, twilio, status, state):
        assert twilio.parse_status(called({"MessageSid": "SM1", "MessageStatus": status})) == [
            Status("SM1", State(state))
        ]

    @pytest.mark.parametrize("code", ["30003", "30004", "30005", "30006", "30007", "30008"])
    def test_says_why_a_text_did_not_arrive(self, twilio, code):
        form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": code}
        assert twilio.parse_status(called(form)) == [Status("SM1", State.UNDELIVERED, code)]

    def test_gives_our_own_id_back_and_an_opt_out(self, twilio):
        form = {"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "21610"}
        assert twilio.parse_status(called(form, reference=str(REFERENCE))) == [
            Status("SM1", State.FAILED, "21610", REFERENCE, opted_out=True)
        ]

    @pytest.mark.parametrize("form", [{}, {"MessageSid": "SM1"}, {"MessageSid": "SM1", "MessageStatus": "???"}])
    def test_that_says_nothing_is_nothing(self, twilio, form):
        assert twilio.parse_status(called(form)) == []

    def test_with_a_broken_reference_is_still_a_report(self, twilio):
        (status,) = twilio.parse_status(called({"MessageSid": "SM1", "MessageStatus": "sent"}, reference="x"))
        assert status.reference is None


class TestASignature:
    URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
    FORM = {  # noqa: RUF012 - read only
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="

    @pytest.fixture
    def signed(self, fake_twilio):
        return gateway(fake_twilio, auth_token="12345")

    def test_of_twilios_own_example_is_right(self, signed):
        assert signed.verify(called(self.FORM, self.URL, self.SIGNATURE))

    @pytest.mark.parametrize(
        ("url", "form", "signature"),
        [
            (URL, FORM, ""),
            (URL, FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B9="),
            (URL, FORM, "é" * 28),
            (URL + "3", FORM, SIGNATURE),
            ("http" + URL[5:], FORM, SIGNATURE),
            (URL, {**FORM, "Digits": "1235"}, SIGNATURE),
            (URL, {**FORM, "Blank": ""}, SIGNATURE),
            (URL, {k: v for k, v in FORM.items() if k != "Digits"}, SIGNATURE),
            (URL, {}, SIGNATURE),
        ],
    )
    def test_of_anything_else_is_wrong(self, signed, url, form, signature):
        assert not signed.verify(called(form, url, signature))

    def test_with_another_token_is_wrong(self, twilio):
        assert not twilio.verify(called(self.FORM, self.URL, self.SIGNATURE))


def test_the_library_is_not_loaded_before_it_is_needed():
    program = "import sys, notifications.gateways.twilio; print('twilio' in sys.modules, 'requests' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "False"]
