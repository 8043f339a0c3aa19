from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

from notifications.figures import COLUMNS, figures
from notifications.forgetting import wipe_messages
from notifications.gateways import Rejected, Unknown
from notifications.models import State
from notifications.service import opt_out, record_status

KL = ZoneInfo("Asia/Kuala_Lumpur")


def told(outbox, place, days=30):
    with outbox.database.reading() as session:
        return figures(session, place_id=place, zone=KL, since=outbox.clock() - timedelta(days=days))


def test_every_state_is_told_in_one_column():
    assert sorted(state for states in COLUMNS.values() for state in states) == sorted(State)


def test_they_tell_by_day_and_kind_how_texts_fared_and_what_they_cost(outbox, gateway, clock, database):
    place = outbox.rules(uuid4(), quiet=None, price=Decimal("0.05"), currency="MYR")
    recipient_id = outbox.contact(place_id=place)
    outbox.queue(outbox.contact("0198765432", place_id=uuid4()), "elsewhere")
    for number in range(3):
        outbox.queue(recipient_id, f"{number}")
    outbox.send(gateway)
    with database.writing() as session:
        record_status(session, gateway="remembering", provider_id="P2", state=State.DELIVERED, code=None, now=clock())
    clock.pass_(hours=20)  # the next local day
    answers = [Rejected("21211", permanent=True), Unknown("ReadTimeout")]
    gateway.answer = lambda reference: answers.pop(0)
    for number in range(3):
        outbox.queue(recipient_id, f"closed {number}", kind="closure", day=clock().date())
    outbox.send(gateway, batch=2)
    with database.writing() as session:
        opt_out(session, index=outbox.message(outbox.queue(recipient_id, "last")).phone_index, now=clock())
    found = told(outbox, place)
    assert [(line.day, line.kind, line.segments, line.cost) for line in found.lines] == [
        (date(2026, 11, 25), "booking_reminder", 0, Decimal(0)),
        (date(2026, 11, 25), "closure", 1, Decimal("0.05")),
        (date(2026, 11, 24), "booking_reminder", 3, Decimal("0.15")),
    ]
    assert {name: count for name, count in found.lines[1].counts.items() if count} == {"failed": 2, "unknown": 1}
    assert {name: count for name, count in found.lines[2].counts.items() if count} == {"sent": 2, "delivered": 1}
    assert (found.segments, found.cost, found.total["failed"]) == (4, Decimal("0.20"), 3)
    assert found.opted_out == {date(2026, 11, 25): 1}


def test_they_are_the_same_when_what_names_a_person_is_wiped(outbox, gateway, clock, database, vault):
    place = outbox.rules(uuid4(), quiet=None, keep_days=7, price=Decimal("0.05"))
    outbox.queue(outbox.contact(place_id=place))
    outbox.send(gateway)
    clock.pass_(days=10)
    before = told(outbox, place)
    with database.writing() as session:
        assert wipe_messages(session, vault=vault, place_id=place, now=clock()) == 1
    assert told(outbox, place) == before
    assert asdict(before)["lines"][0]["counts"]["sent"] == 1


def test_they_keep_the_price_of_the_day_when_it_changes(outbox, gateway):
    place = outbox.rules(uuid4(), quiet=None, price=Decimal("0.05"))
    outbox.queue(outbox.contact(place_id=place))
    outbox.send(gateway)
    outbox.rules(place, quiet=None, price=Decimal("0.90"))
    assert told(outbox, place).cost == Decimal("0.05")
