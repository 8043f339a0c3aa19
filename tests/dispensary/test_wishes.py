"""Texts follow what each client said: which they want, and when a reminder reaches them."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

import notifications.service
from dispensary.clients.wish_rules import DEFAULTS, KINDS_OF, Group, Wishes, reminder_at
from dispensary.clients.wishes import said_of, set_wishes, wishes_of
from dispensary.database import Database
from dispensary.jobs import queue_reminders
from dispensary.phone import front_desk
from dispensary.refusals import BadInput, NotThere
from dispensary.units import ClientId
from notifications.waiting import Quiet
from tests.dispensary.phones import KL, Line, kl, line

NIGHT = Quiet(time(21), time(7))


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    """Tuesday the 24th, seven in the morning."""
    return line(database, now)


def wishes(here: Line, client_id: ClientId, wanted: Wishes, at: datetime | None = None) -> None:
    with here.database.writing() as session:
        set_wishes(session, actor=here.clinic.pharmacist, client_id=client_id, wishes=wanted, at=at or here.at)


def texts(here: Line) -> list[tuple[str, str, str | None]]:
    with here.database.reading() as session:
        return [tuple(row) for row in session.execute(text("SELECT kind, state, error_code FROM message ORDER BY id"))]


def reminded(here: Line, at: datetime) -> int:
    return queue_reminders(here.database, lambda: at)


def queue_news(here: Line, client_id: ClientId, key: str = "a piece of news") -> bool:
    with here.database.writing() as session:
        message = notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=client_id,
            kind="news",
            reason_key=key,
            fields={"words": "We open at nine."},
            zone=ZoneInfo(here.site.zone),
            now=here.at,
            valid_until=here.at + timedelta(days=1),
        )
        return message is not None


class TestDefaults:
    def test_are_what_agreeing_to_texts_about_bookings_means_and_nothing_more(self, here: Line) -> None:
        client = here.client()
        with here.database.reading() as session:
            assert wishes_of(session, client) == DEFAULTS == Wishes(bookings=True, reminder=True)
            assert said_of(session, client) == []

    def test_the_database_and_the_rules_name_the_same_kinds_and_the_same_defaults(self, here: Line) -> None:
        client = here.client()
        for group, kinds in KINDS_OF.items():
            for kind in kinds:
                with here.database.reading() as session:
                    row = session.execute(
                        text("SELECT text_group(:kind), wants_text(:client, :kind)"), {"kind": kind, "client": client}
                    ).one()
                assert tuple(row) == (group, DEFAULTS.wants(group)), kind

    @pytest.mark.parametrize("kind", ["closure", "call_first", "before_queue", "pickup_ready", "regular_full"])
    def test_what_spares_a_way_is_in_no_group_that_could_be_switched_off(self, kind: str) -> None:
        assert all(kind not in kinds for kinds in KINDS_OF.values())


class TestSaid:
    def test_each_answer_is_kept_with_who_wrote_it_when_and_audited_once(self, here: Line) -> None:
        client = here.client()
        wishes(here, client, Wishes(news=True))
        later = here.at + timedelta(days=1)
        wishes(here, client, Wishes(news=True, feedback=True), at=later)
        wishes(here, client, Wishes(news=True, feedback=True), at=later + timedelta(days=1))
        with here.database.reading() as session:
            assert wishes_of(session, client) == Wishes(news=True, feedback=True)
            assert [said.group for said in said_of(session, client) if said.at == later] == [Group.FEEDBACK]
            assert len(said_of(session, client)) == len(Group)
            entries = session.execute(
                text("SELECT details FROM audit_entry WHERE act = 'set wishes about texts' ORDER BY seq")
            ).all()
        assert [sorted(json.loads(details)) for (details,) in entries] == [
            sorted(group.value for group in Group),
            ["feedback"],
        ]

    def test_hours_stand_with_a_reminder_alone_and_a_client_of_another_site_is_not_there(self, here: Line) -> None:
        client = here.client()
        for wrong in (Wishes(reminder=False, hours=2), Wishes(hours=0), Wishes(hours=25)):
            with pytest.raises(BadInput, match="1 to 24 hours"):
                wishes(here, client, wrong)
        with pytest.raises(NotThere):
            wishes(here, ClientId(here.site.id), DEFAULTS)

    def test_news_goes_to_nobody_who_did_not_ask_for_it_and_postgresql_refuses_it_too(self, here: Line) -> None:
        asked, silent = here.client(), here.client()
        wishes(here, asked, Wishes(news=True))
        assert queue_news(here, asked, "one")
        assert not queue_news(here, silent, "two")
        with pytest.raises(IntegrityError, match="has not asked"), here.database.writing() as session:
            session.execute(
                text(
                    "INSERT INTO message SELECT (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid(),"
                    " 'reason_key', 'three', 'recipient_id', CAST(:silent AS text)))).* FROM message m"
                ),
                {"silent": str(silent)},
            )

    def test_what_is_not_wanted_any_more_and_waits_is_taken_back(self, here: Line) -> None:
        client = here.client()
        wishes(here, client, Wishes(news=True))
        assert queue_news(here, client)
        wishes(here, client, Wishes(news=False))
        assert texts(here) == [("news", "expired", "withdrawn")]
        assert not queue_news(here, client, "the next")

    def test_the_desk_tells_nobody_who_wants_no_word_of_bookings_and_answers_go_all_the_same(self, here: Line) -> None:
        client = here.client()
        wishes(here, client, Wishes(bookings=False))
        with here.database.writing() as session:
            front_desk.book_for(
                session,
                actor=here.clinic.pharmacist,
                site=here.site,
                client_id=client,
                starts_at=kl(27, 7),
                at=here.at,
            )
        assert texts(here) == []
        assert here.says(client, "DROP").startswith("Your booking for Fri 27 Nov")


class TestReminder:
    def test_follows_the_client_none_the_evening_before_or_some_hours_before(self, here: Line) -> None:
        evening, hours, none = here.client(), here.client(), here.client()
        wishes(here, hours, Wishes(hours=2))
        wishes(here, none, Wishes(reminder=False))
        for client in (evening, hours, none):
            here.book(client, kl(26, 9, 30 if client is none else 0))

        assert reminded(here, kl(25, 17, 59)) == 0
        assert reminded(here, kl(25, 18)) == 1
        assert reminded(here, kl(26, 6, 59)) == 0
        assert reminded(here, kl(26, 7)) == 1
        assert reminded(here, kl(26, 8)) == 0

    def test_none_for_a_booking_that_was_made_after_its_moment(self, here: Line) -> None:
        client = here.client()
        wishes(here, client, Wishes(hours=24))
        here.at = kl(25, 12)
        here.book(client, kl(26, 9))
        assert reminded(here, kl(25, 13)) == 0

    @pytest.mark.parametrize(
        ("wanted", "slot", "quiet", "goes"),
        [
            (Wishes(), kl(26, 7), NIGHT, kl(25, 18)),
            (Wishes(hours=1), kl(26, 9), NIGHT, kl(26, 8)),
            (Wishes(hours=2), kl(26, 7), NIGHT, kl(25, 20, 30)),
            (Wishes(hours=12), kl(26, 9), NIGHT, kl(25, 20, 30)),
            (Wishes(hours=2), kl(26, 7), None, kl(26, 5)),
            (Wishes(hours=1), kl(26, 14), Quiet(time(12), time(14)), kl(26, 11, 30)),
            (Wishes(hours=2), kl(26, 14), Quiet(time(12), time(14)), kl(26, 11, 30)),
            (Wishes(), kl(26, 7), Quiet(time(17), time(8)), kl(25, 16, 30)),
            (Wishes(reminder=False), kl(26, 7), NIGHT, None),
        ],
        ids=["evening", "an hour", "before the night", "at its begin", "no night", "noon", "noon sharp", "early", "no"],
    )
    def test_one_that_would_fall_into_quiet_hours_goes_before_them(
        self, wanted: Wishes, slot: datetime, quiet: Quiet | None, goes: datetime | None
    ) -> None:
        assert reminder_at(slot, wanted, zone=KL, quiet=quiet) == goes
