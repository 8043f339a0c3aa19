from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import func, select

import notifications.service
from dispensary.api.hooks import UNSIGNED_A_MINUTE, Paces
from dispensary.database import Database
from dispensary.phone.tasks import OPTED_OUT, tasks
from dispensary.units import ClientId, new_id
from dispensary.web.pace import MOST_REMEMBERED, Pace
from notifications.models import Contact, Inbound, Message, State
from notifications.sealing import MESSAGE_BODY
from tests.dispensary.lending import lent_app
from tests.dispensary.phones import KL, Line, kl, line
from tests.dispensary.visiting import MovableClock, demo_settings

TOKEN = "12345"
PUBLIC = "https://clinic.example.org"
INBOUND, STATUS = "/hooks/twilio/inbound", "/hooks/twilio/status"
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


def signature(url: str, form: Mapping[str, str], token: str = TOKEN) -> str:
    """As Twilio describes it: HMAC-SHA1 over the address and each name and value, by name."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.digest(token.encode(), signed.encode(), "sha1")).decode()


def test_our_own_signature_agrees_with_twilios_published_example() -> None:
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    assert signature("https://mycompany.com/myapp.php?foo=1&bar=2", form) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


class Twilio:
    """The other side: posts to the program as Twilio would, by way of a proxy that calls it by another name."""

    def __init__(self, app: Litestar, phone_line: Line, clock: MovableClock) -> None:
        self.line, self.clock = phone_line, clock
        self.client = TestClient(app, base_url="http://10.0.0.7:8000", raise_server_exceptions=False)
        self.paces: Paces = app.state["hook_paces"]

    def posts(
        self, path: str, form: Mapping[str, str], *, signed: str | None = None, body: str | None = None, **headers: str
    ) -> Response:
        signed = signature(PUBLIC + path, form) if signed is None else signed
        return self.client.post(
            path,
            content=body if body is not None else urlencode(form),
            headers={
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                "X-Twilio-Signature": signed.encode(),
                **headers,
            },
        )

    def text(self, client: ClientId, body: str, *, sid: str = "SM0001", **more: str) -> dict[str, str]:
        """The form of a text, with the blanks that Twilio sends for what it does not know."""
        return {
            "ToCountry": "MY",
            "ToState": "",
            "FromCity": "",
            "SmsStatus": "received",
            "NumMedia": "0",
            "NumSegments": "1",
            "MessageSid": sid,
            "AccountSid": "AC" + "0" * 32,
            "From": self.line.numbers[client],
            "To": "+60111000000",
            "Body": body,
            **more,
        }

    def replies(self) -> list[str]:
        with self.line.database.reading() as session:
            messages = session.scalars(select(Message).order_by(Message.id))
            return [session.vault.open(MESSAGE_BODY, message.id, message.body_sealed) for message in messages]

    def kept(self) -> int:
        with self.line.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Inbound)) or 0


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


@pytest.fixture
def twilio(database: Database, phone_line: Line, now: datetime, tmp_path: Path) -> Twilio:
    settings = demo_settings(
        tmp_path,
        PUBLIC_BASE_URL=PUBLIC,
        TWILIO_ACCOUNT_SID="AC" + "0" * 32,
        TWILIO_AUTH_TOKEN=TOKEN,
        TWILIO_FROM="+60111000000",
    )
    clock = MovableClock(now)
    return Twilio(lent_app(settings, database, clock), phone_line, clock)


class TestATextThatCameIn:
    def test_is_answered_by_the_outbox_and_with_nothing_at_once(self, twilio: Twilio) -> None:
        client = twilio.line.client()
        answer = twilio.posts(INBOUND, twilio.text(client, "book fri 8"))
        assert (answer.status_code, answer.text) == (200, EMPTY)
        assert answer.headers["content-type"].startswith("text/xml")
        assert twilio.replies() == ["Booked: Fri 27 Nov at 08:00. To change it reply MOVE, to give it up DROP."]
        assert twilio.line.booked(client) == [kl(27, 8)]

    def test_in_chinese_with_signs_that_a_form_must_escape(self, twilio: Twilio) -> None:
        client = twilio.line.client(language="zh_Hans")
        assert twilio.posts(INBOUND, twilio.text(client, "预约 周五 8点 + & = %41")).status_code == 200
        assert twilio.replies() == ["要预约11月27日周五 08:00吗？回复“好”确认预约。"]

    def test_again_changes_nothing(self, twilio: Twilio) -> None:
        client = twilio.line.client()
        for _ in range(3):
            assert twilio.posts(INBOUND, twilio.text(client, "book fri 8")).text == EMPTY
        assert (twilio.kept(), len(twilio.replies())) == (1, 1)
        twilio.posts(INBOUND, twilio.text(client, "drop", sid="SM0002"))
        twilio.posts(INBOUND, twilio.text(client, "book fri 8"))
        assert twilio.line.booked(client) == []

    def test_stop_is_honoured_by_twilios_own_word_for_it(self, twilio: Twilio) -> None:
        client = twilio.line.client()
        twilio.posts(INBOUND, twilio.text(client, "Stop please", OptOutType="STOP"))
        with twilio.line.database.reading() as session:
            found = tasks(session, site_id=twilio.line.site.id, at=twilio.line.at)
        assert [(task.cause, task.client_id) for task in found] == [(OPTED_OUT, client)]
        assert twilio.replies() == []

    def test_a_picture_without_words_is_a_text_like_any_other(self, twilio: Twilio) -> None:
        client = twilio.line.client()
        assert twilio.posts(INBOUND, twilio.text(client, "", NumMedia="1")).status_code == 200
        assert twilio.replies() == ["Sorry, that was not understood. Reply MENU for what you can write."]

    def test_a_signed_request_that_holds_no_text_does_nothing(self, twilio: Twilio) -> None:
        assert twilio.posts(INBOUND, {"AccountSid": "AC1"}).text == EMPTY
        assert twilio.kept() == 0


class TestWhoMayCall:
    def test_an_address_with_a_query_is_signed_with_it(self, twilio: Twilio) -> None:
        client = twilio.line.client()
        assert twilio.posts(f"{INBOUND}?at=1&x=%20", twilio.text(client, "when")).status_code == 200

    @pytest.mark.parametrize("name", ["Body", "From", "MessageSid", "FromCity", "ToState"])
    def test_no_field_can_be_changed_or_left_out_nor_a_blank_one(self, twilio: Twilio, name: str) -> None:
        form = twilio.text(twilio.line.client(), "when")
        signed = signature(PUBLIC + INBOUND, form)
        changed = {**form, name: form[name] + "x"}
        left_out = {each: value for each, value in form.items() if each != name}
        refused = [twilio.posts(INBOUND, tampered, signed=signed) for tampered in (changed, left_out)]
        # A blank field adds its name alone to what is signed, so that leaving it out is found out as well.
        assert [answer.status_code for answer in refused] == [403, 403]
        assert twilio.kept() == 0

    def test_no_field_can_be_added(self, twilio: Twilio) -> None:
        form = twilio.text(twilio.line.client(), "when")
        signed = signature(PUBLIC + INBOUND, form)
        assert twilio.posts(INBOUND, {**form, "OptOutType": "STOP"}, signed=signed).status_code == 403
        assert twilio.posts(INBOUND, form, signed=signed, body=urlencode(form) + "&Body=stop").status_code == 403
        assert twilio.posts(INBOUND, {**form, "Blank": ""}, signed=signed).status_code == 403

    @pytest.mark.parametrize("signed", ["", "x", "é", "RSOYDt4T1cUTdK1PDd93/VVr8B8="])
    def test_another_signature_is_refused_without_a_word_of_what_is_here(self, twilio: Twilio, signed: str) -> None:
        form = twilio.text(twilio.line.client(), "when")
        answer = twilio.posts(INBOUND, form, signed=signed)
        assert (answer.status_code, answer.text) == (403, "Not signed.")
        assert twilio.kept() == 0

    def test_the_address_is_the_configured_one_whatever_the_request_says(self, twilio: Twilio) -> None:
        form = twilio.text(twilio.line.client(), "when")
        for host in ("10.0.0.7:8000", "evil.example"):
            signed = signature(f"https://{host}{INBOUND}", form)
            headers = {"Host": host, "X-Forwarded-Host": host, "X-Forwarded-Proto": "https"}
            assert twilio.posts(INBOUND, form, signed=signed, **headers).status_code == 403
        assert twilio.posts(INBOUND, form, Host="evil.example").status_code == 200

    def test_a_signature_for_one_address_does_not_open_the_other(self, twilio: Twilio) -> None:
        form = twilio.text(twilio.line.client(), "when")
        assert twilio.posts(STATUS, form, signed=signature(PUBLIC + INBOUND, form)).status_code == 403

    def test_a_signature_with_another_token_is_refused(self, twilio: Twilio) -> None:
        form = twilio.text(twilio.line.client(), "when")
        assert twilio.posts(INBOUND, form, signed=signature(PUBLIC + INBOUND, form, token="")).status_code == 403

    @pytest.mark.parametrize("body", ["\udcff", "Body=%FF", "&" * 5000, "a=1&" * 5000, ""])
    def test_what_cannot_be_read_is_not_signed(self, twilio: Twilio, body: str) -> None:
        answer = twilio.posts(INBOUND, {}, signed="x", body=body.encode("utf-8", "surrogateescape").decode("latin-1"))
        assert answer.status_code == 403

    def test_nobody_gets_in_where_texts_do_not_go_by_twilio(
        self, database: Database, phone_line: Line, now: datetime, tmp_path: Path
    ) -> None:
        clock = MovableClock(now)
        elsewhere = Twilio(lent_app(demo_settings(tmp_path), database, clock), phone_line, clock)
        form = elsewhere.text(phone_line.client(), "when")
        for path in (INBOUND, STATUS):
            signed = signature(f"http://127.0.0.1:8000{path}", form, token="")
            assert elsewhere.posts(path, form, signed=signed).status_code == 403

    def test_the_token_of_a_form_is_asked_of_every_other_door(self, twilio: Twilio) -> None:
        for path in ("/signin", "/api/session", "/telephone/stranger/texts"):
            assert twilio.posts(path, {"username": "x", "password": "y"}).status_code in (403, 404)


class TestAFlood:
    def test_of_unsigned_calls_is_answered_shortly_and_keeps_no_signed_text_out(
        self, twilio: Twilio, caplog: pytest.LogCaptureFixture
    ) -> None:
        form = twilio.text(twilio.line.client(), "when")
        with caplog.at_level("WARNING", logger="dispensary.api.hooks"):
            answers = [twilio.posts(INBOUND, form, signed="x") for _ in range(UNSIGNED_A_MINUTE + 20)]
        told = [answer.status_code for answer in answers]
        assert told == [403] * UNSIGNED_A_MINUTE + [429] * 20
        assert [answer.text for answer in answers[UNSIGNED_A_MINUTE:]] == [""] * 20
        assert len(caplog.records) == UNSIGNED_A_MINUTE, "a flood fills no log"
        assert twilio.posts(INBOUND, form).status_code == 200, "what is signed is heard from the very same address"
        assert twilio.kept() == 1

    def test_of_signed_texts_loses_none_when_the_gateway_calls_again(self, twilio: Twilio, now: datetime) -> None:
        client, clock = twilio.line.client(), twilio.clock
        sent = {f"SM{number:04d}": twilio.text(client, "when", sid=f"SM{number:04d}") for number in range(12)}
        twilio.paces.signed.most = 5
        rounds = 0
        while sent:
            rounds += 1
            for sid, form in list(sent.items()):
                answer = twilio.posts(INBOUND, form)
                if answer.status_code == 200:
                    del sent[sid]
                else:
                    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            clock.goes_on(seconds=1)
        assert (rounds, twilio.kept()) == (3, 12)

    def test_a_call_that_no_text_needs_is_not_read(self, twilio: Twilio) -> None:
        form = twilio.text(twilio.line.client(), "x" * 70_000)
        assert twilio.posts(INBOUND, form).status_code == 413

    def test_counts_hold_no_more_than_so_many_addresses(self) -> None:
        pace, at = Pace(1, timedelta(minutes=1)), kl(27, 8)
        for number in range(MOST_REMEMBERED + 100):
            assert not pace.count(str(number), at)
        assert len(pace._since) == MOST_REMEMBERED
        assert pace.count(str(MOST_REMEMBERED), at)
        assert not pace.count(str(MOST_REMEMBERED), at + timedelta(minutes=1))


class TestAReport:
    def sent(self, twilio: Twilio, client: ClientId, sid: str | None = "SM9") -> Message:
        """A text of ours that Twilio has taken as `sid`, or whose answer was lost."""
        with twilio.line.database.writing() as session:
            message_id = notifications.service.queue(
                session,
                vault=session.vault,
                recipient_id=client,
                kind="booking_reminder",
                reason_key=str(new_id()),
                fields={"at": kl(27, 8)},
                zone=KL,
                now=twilio.line.at,
                valid_until=kl(27, 8),
            )
            message = session.get_one(Message, message_id)
            message.gateway, message.provider_id = "twilio", sid
            message.state, message.next_attempt_at = (State.SENT, None) if sid else (State.UNKNOWN, twilio.line.at)
            return message

    def state(self, twilio: Twilio, message: Message) -> tuple[str, str | None]:
        with twilio.line.database.reading() as session:
            found = session.get_one(Message, message.id)
            return found.state, found.error_code

    def report(self, twilio: Twilio, state: str, sid: str = "SM9", path: str = STATUS, **more: str) -> int:
        form = {"MessageSid": sid, "MessageStatus": state, "AccountSid": "AC1", "ErrorMessage": "", **more}
        return twilio.posts(path, form).status_code

    def test_moves_the_text_on_and_never_back(self, twilio: Twilio) -> None:
        message = self.sent(twilio, twilio.line.client())
        for state, then in (("sending", "sent"), ("delivered", "delivered"), ("sent", "delivered")):
            assert self.report(twilio, state) == 200
            assert self.state(twilio, message) == (then, None)

    def test_a_text_that_was_not_delivered_has_its_code(self, twilio: Twilio) -> None:
        message = self.sent(twilio, twilio.line.client())
        self.report(twilio, "undelivered", ErrorCode="30003")
        assert self.state(twilio, message) == ("undelivered", "30003")

    def test_our_own_id_finds_a_text_whose_answer_was_lost(self, twilio: Twilio) -> None:
        message = self.sent(twilio, twilio.line.client(), sid=None)
        self.report(twilio, "delivered", path=f"{STATUS}?reference={message.id}")
        assert self.state(twilio, message) == ("delivered", None)

    def test_that_the_number_opted_out_is_believed(self, twilio: Twilio) -> None:
        client = twilio.line.client()
        self.sent(twilio, client)
        self.report(twilio, "failed", ErrorCode="21610")
        with twilio.line.database.reading() as session:
            assert session.get_one(Contact, client).opted_out_at is not None

    def test_of_an_unknown_text_or_in_an_unknown_word_changes_nothing(self, twilio: Twilio) -> None:
        message = self.sent(twilio, twilio.line.client())
        assert self.report(twilio, "delivered", sid="SM-other") == 200
        assert self.report(twilio, "vanished") == 200
        assert self.report(twilio, "delivered", sid="SM-other", path=f"{STATUS}?reference=nonsense") == 200
        assert self.state(twilio, message) == ("sent", None)
