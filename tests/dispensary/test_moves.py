"""A client moves to another site: what follows, what stays, who sees what, and that no dose day is covered twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

import notifications.service
import scheduling.service
import scheduling.standing
from dispensary.clients.client_key_models import Erasure
from dispensary.clients.homes import home_as_of
from dispensary.clients.legal_holds import lift_hold, set_hold
from dispensary.clients.models import Episode
from dispensary.clients.queries import faces, faces_on_papers, find
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database, broken_constraint
from dispensary.erasing.rules import Ground
from dispensary.erasing.service import shred
from dispensary.homes.asking import turn_down, write_move
from dispensary.homes.going import take_on, undo
from dispensary.homes.queries import arriving_face, moves_at, moves_of
from dispensary.homes.rules import Days, Standing, may_be_asked, may_go
from dispensary.keys import ERASED
from dispensary.looks.told import told_of
from dispensary.monitoring.queries import open_alerts
from dispensary.monitoring.service import open_alert
from dispensary.refusals import BadInput, NotThere, Refused
from dispensary.staff.queries import place as place_of
from dispensary.staff.rules import Role
from dispensary.supplies.guests import arrange
from dispensary.supplies.printing.reading import dispensed_on
from dispensary.units import ClientId
from dispensary.wall import behind
from tests.builders import Clinic, clinic
from tests.dispensary.guest_place import TwoSites, two_sites
from tests.dispensary.phones import kl, week
from tests.dispensary.test_closing import close
from tests.dispensary.test_dispensing import codes
from tests.dispensary.test_exports_as_of import export_all
from tests.dispensary.test_guests import refused_at
from tests.dispensary.test_pickups import prepared

_keys = itertools.count(1)
HERE = Standing(in_treatment=True, legal_hold=False, away_at="", away_until=None, bottles_out=0)
TODAY = date(2026, 11, 24)
SAME = Days(TODAY, TODAY, (), ())


@pytest.mark.parametrize(
    ("standing", "days", "codes"),
    [
        (HERE, SAME, []),
        (Standing(False, False, "", None, 0), SAME, ["move-not-in-treatment"]),
        (Standing(True, True, "", None, 0), SAME, ["move-legal-hold"]),
        (Standing(True, False, "THD", TODAY, 0), SAME, ["move-away"]),
        (Standing(True, False, "", None, 3), SAME, ["move-bottles-out"]),
        (Standing(False, True, "THD", TODAY, 1), SAME,
         ["move-not-in-treatment", "move-legal-hold", "move-away", "move-bottles-out"]),
        (HERE, Days(TODAY, TODAY + timedelta(days=1), (), ()), ["move-days-differ"]),
        (HERE, Days(TODAY, TODAY, (TODAY - timedelta(days=1),), ()), ["move-day-open"]),
        (HERE, Days(TODAY, TODAY, (), ("HRP",)), ["move-day-closed"]),
    ],
)  # fmt: skip
def test_what_is_in_the_way_of_a_move(standing: Standing, days: Days, codes: list[str]) -> None:
    assert [each.code for each in may_go(standing, days)] == codes
    of_the_day = {"move-days-differ", "move-day-open", "move-day-closed"}
    assert [each.code for each in may_be_asked(standing)] == [each for each in codes if each not in of_the_day]


@pytest.fixture
def sites(database: Database, now: datetime) -> TwoSites:
    return two_sites(database, now)


def written(sites: TwoSites, client: ClientId, *, key: str = "") -> UUID:
    """Home's doctor writes that the client moves to the other site."""
    with behind(sites.home.site_id):
        return sites.database.write(
            lambda session: (
                write_move(
                    session, actor=sites.home.doctor, client_id=client, to_code="KLG", reason="lives there now",
                    key=key or f"move-key-{next(_keys):06d}", at=sites.home.now,
                ).id
            )
        )  # fmt: skip


def taken_on(sites: TwoSites, move: UUID, *, number: str = "K7", seen: bool = True) -> str:
    """The other site's pharmacist has the client before them."""
    with behind(sites.guest.site_id):
        return sites.database.write(
            lambda session: (
                take_on(
                    session, actor=sites.guest.pharmacist, move_id=move, number=number, seen=seen, at=sites.guest.now
                ).state
            )
        )


def moved(sites: TwoSites, client: ClientId, *, number: str = "K7") -> UUID:
    move = written(sites, client)
    assert taken_on(sites, move, number=number) == "done"
    return move


def refused(act: Callable[[], Any]) -> list[str]:
    with pytest.raises((Refused, BadInput)) as why:
        act()
    return codes(why)


def closed_and_on(sites: TwoSites) -> None:
    close(sites.home, counted=False)
    close(sites.guest, counted=False)
    sites.move_on()


def booked(sites: TwoSites, client: ClientId) -> None:
    """Both sites have hours and the client a phone: a time tomorrow, and every Thursday one that both sites have."""
    with sites.database.writing() as session:
        for each in (sites.home, sites.guest):
            hours = week()
            scheduling.service.set_hours(session, place_id=each.site_id, hours=hours, from_day=each.today)
        notifications.service.set_contact(
            session, vault=session.vault, recipient_id=client, phone="+60123000001", language="en", region="MY",
            now=sites.home.now, place_id=sites.home.site_id,
        )  # fmt: skip
        scheduling.service.book(
            session, place_id=sites.home.site_id, holder_id=client, starts_at=kl(27, 8), now=sites.home.now,
            channel="desk",
        )  # fmt: skip
        scheduling.standing.set_weekly(
            session, place_id=sites.home.site_id, holder_id=client, weekdays=[3], at=time(9), now=sites.home.now,
            channel="desk",
        )  # fmt: skip


def rows(database: Database, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.execute(text(sql), values)]


def test_everything_follows_and_history_stays(sites: TwoSites, tmp_path: Path) -> None:
    home, guest, database = sites.home, sites.guest, sites.database
    client = home.client(mg="80")
    guest.client()
    closed_and_on(sites)
    home.decide(client, per_supply=6)
    home.give(client, take_home_days=home.ahead(1))
    closed_and_on(sites)
    closed_and_on(sites)
    home.give(client)
    booked(sites, client)
    before = home.now
    exported = export_all(home, tmp_path / "before", before)
    old_number, day = sites.number(client), home.today
    sites.move_on(0)
    home.now += timedelta(hours=1)
    guest.now += timedelta(hours=1)
    prepared(home, client, 2, 3, collect=1)
    stay = sites.arrange(client, 1, 2)
    with database.writing() as session:
        open_alert(
            session, site_id=home.site_id, client_id=client, cause="a cause", severity="warning", role=Role.DOCTOR,
            sentence="Look.", at=home.now,
        )  # fmt: skip

    move = written(sites, client, key="the-same-key")
    assert written(sites, client, key="the-same-key") == move
    assert refused(lambda: written(sites, client)) == ["move-waits"]
    with behind(guest.site_id), database.reading() as session:
        (waits,) = moves_at(session, site_id=guest.site_id, since=before)
        assert (waits.number, waits.old, waits.reason) == (old_number, "HRP", "lives there now")
        assert arriving_face(session, site_id=guest.site_id, move_id=move).client_id == client
        assert find(session, site_id=guest.site_id, text=old_number) == []
    assert refused(lambda: taken_on(sites, move, number="", seen=False)) == ["number-length", "move-not-seen"]
    taken = sites.number(guest.client())
    assert refused(lambda: taken_on(sites, move, number=taken)) == ["number-taken"]
    assert taken_on(sites, move, number="k7") == "done"
    assert taken_on(sites, move, number="k7") == "done"  # a double click

    # What is still to be done is the new site's: orders, decision, bottles at home, alert, review, weekly time, texts.
    with behind(guest.site_id), database.reading() as session:
        (face,) = find(session, site_id=guest.site_id, text="K7")
        assert face.client_id == client
        assert {each.site_id for each in session.scalars(select(Episode).filter_by(client_id=client))} == {
            guest.site_id
        }
        assert session.scalar(text("SELECT count(*) FROM dose WHERE site_id = :h"), {"h": home.site_id}) == 3
        assert [each.cause for each in open_alerts(session, site_id=guest.site_id)] == ["a cause"]
    assert rows(database, "SELECT site_id, kind FROM task WHERE done_at IS NULL") == [(guest.site_id, "review")]
    assert rows(database, "SELECT place_id FROM contact") == [(guest.site_id,)]
    assert rows(database, "SELECT place_id, at FROM standing WHERE until_day IS NULL OR until_day > from_day") == [
        (guest.site_id, time(9))
    ]
    assert rows(database, "SELECT DISTINCT place_id FROM booking WHERE state = 'booked'") == [(guest.site_id,)]
    texted = {kind for (kind,) in rows(database, "SELECT kind FROM message")}
    assert texted == {"booking_dropped", "regular_set"}
    # What only the old site could bring to its end was: the stay, and the bottles in its cabinet.
    assert rows(database, "SELECT ended_on FROM guest_stay WHERE id = :id", id=stay) == [(home.ahead(1)[0],)]
    assert rows(database, "SELECT state, bottles_back FROM client_move") == [("done", 2)]
    assert rows(database, "SELECT state FROM pickup") == [("cancelled",)]

    # The day of the move was dosed at the old site: at the new one it is covered, and tomorrow is the new site's.
    assert refused_at(guest, client) == ["already-covered"]
    closed_and_on(sites)
    with pytest.raises(NotThere):
        home.give(client)
    guest.give(client, take_home_days=guest.ahead(1))
    assert rows(
        database, "SELECT dose_day, site_id, outcome FROM day_outcome WHERE client_id = :c ORDER BY 1", c=client
    )[-2:] == [(day - timedelta(days=1), home.site_id, "take_home"), (day, guest.site_id, "observed")]

    # The old site reads its own papers and trail, and nothing of what is new; the new one all that it doses by.
    with behind(home.site_id), database.reading() as session:
        assert [each.number for each in dispensed_on(session, site_id=home.site_id, day=day)] == [old_number]
        assert find(session, site_id=home.site_id, text=old_number) == []
        assert faces(session, [client]) == {}, "no list of the old site names them"
        assert faces_on_papers(session, [client])[client].number == "K7"
        for table in ("client", "client_goal", "hold", "contact"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0, table
        assert session.scalar(text("SELECT count(*) FROM dose")) == 3
        assert session.scalar(text("SELECT count(*) FROM audit_entry WHERE act = 'moved here'")) == 1
    with behind(guest.site_id), database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM dose WHERE client_id = :c"), {"c": client}) == 5
        assert [each.number for each in dispensed_on(session, site_id=guest.site_id, day=guest.today)] == ["K7"]
        told = told_of(
            session, site=place_of(session, guest.site_id), client_id=client, since=day - timedelta(days=9),
            until=guest.today,
        )  # fmt: skip
    said = [line.what for of_day in told.days for line in of_day.lines]
    assert said.count("Moved you to another site, where your doses, orders and times go on") == 1
    assert "Handed over to you" in said  # at the old site too

    # What was exported of a moment before is the same to the byte, and no day is counted twice.
    assert export_all(home, tmp_path / "after", before) == exported
    with database.reading() as session:
        homes = [home_as_of(session, client_id=client, day=day, known_at=at) for at in (before, home.now)]
        assert homes == [home.site_id, guest.site_id]
        assert home_as_of(session, client_id=client, day=day - timedelta(days=1), known_at=home.now) == home.site_id
    assert sites.damage() == []


def test_a_move_is_refused_undone_or_ended_and_loses_nothing(sites: TwoSites) -> None:
    home, guest, database = sites.home, sites.guest, sites.database
    client = home.client()
    number = sites.number(client)
    hold = database.write(
        lambda session: (
            set_hold(
                session, actor=home.doctor, client_id=client, reason="an inquest", authority="Case 7", at=home.now
            ).id
        )
    )
    assert refused(lambda: written(sites, client)) == ["move-legal-hold"]
    database.write(lambda session: lift_hold(session, actor=home.doctor, hold_id=hold, reason="over", at=home.now))
    with pytest.raises(BadInput) as own:
        database.write(
            lambda session: write_move(
                session, actor=home.doctor, client_id=client, to_code="HRP", reason="", key="own-site-key", at=home.now
            )
        )
    assert codes(own) == ["move-reason", "own-site"]

    # While it waits nothing has changed; either end can end it, and what ended is not confirmed.
    move = written(sites, client)
    assert refused(lambda: turn_down_at(guest, move, "")) == ["move-reason"]
    assert turn_down_at(guest, move, "did not come") == turn_down_at(guest, move, "did not come") == "refused"
    assert refused(lambda: taken_on(sites, move)) == ["move-answered"]
    assert turn_down_at(home, written(sites, client), "stays after all") == "withdrawn"
    home.give(client)

    # A site that has days left open, or has closed today, keeps whoever is in them.
    sites.move_on()
    move = written(sites, client)
    assert refused(lambda: taken_on(sites, move)) == ["move-day-open"]
    sites.move_on(-1)
    close(home, counted=False)
    assert refused(lambda: taken_on(sites, move)) == ["move-day-closed"]
    sites.move_on()
    assert taken_on(sites, move, number="K7") == "done"
    assert refused(lambda: undone_at(home, UUID(int=1))) == ["no-move"]

    # On the same day it is taken back: number, counter and record are as they were, and its day is covered once.
    guest.give(client)
    assert undone_at(home, move) == undone_at(home, move) == "undone"
    assert sites.number(client) == number
    assert refused_at(home, client) == ["already-covered"]
    assert undone_twice(sites, client) == ["move-not-today"]
    assert sites.damage() == []

    # Whoever has left treatment is not moved; and no statement moves a client past the history.
    leaves = home.client()
    with database.writing() as session:
        stay = session.scalars(select(Episode).filter_by(client_id=leaves)).one()
        end_episode(
            session,
            actor=home.doctor,
            episode_id=stay.id,
            ended_on=home.today,
            reason=ExitReason.COMPLETED,
            at=home.now,
        )
    assert refused(lambda: written(sites, leaves)) == ["move-not-in-treatment"]
    for statement, constraint in (
        ("UPDATE client SET site_id = :site WHERE id = :client", "client_moves_by_history"),
        ("INSERT INTO client_home (client_id, no, site_id, number, from_day, since) VALUES (:client, 2, :site, 'X1',"
         " '2026-12-01', '2026-12-01')", "client_home_by_move"),
        ("UPDATE client_home SET site_id = :site WHERE client_id = :client AND no = 2", "never_changed"),
        ("DELETE FROM client_home WHERE client_id = :client", "never_changed"),
    ):  # fmt: skip
        with pytest.raises(IntegrityError) as broken, database.writing() as session:
            session.execute(text(statement), {"site": home.site_id, "client": client})
        assert constraint in str(broken.value.orig) or broken_constraint(broken.value) == constraint, statement

    # The words of a move go with the client's own key; that they moved stays, since figures and papers rest on it.
    sites.guest.now += timedelta(hours=1)
    sites.home.now += timedelta(hours=1)
    with behind(guest.site_id), database.writing() as session:
        waits = write_move(
            session, actor=guest.doctor, client_id=client, to_code="HRP", reason="back again", key="the-way-back",
            at=guest.now,
        ).id  # fmt: skip
    with database.writing() as session:
        shred(session, client_id=client, day=home.today, at=home.now)
        session.add(
            Erasure(
                client_id=client, site_id=guest.site_id, at=home.now, ground=next(iter(Ground)).value,
                authority_sealed=b"x", account_id=guest.doctor.account_id, second_id=guest.pharmacist.account_id,
            )
        )  # fmt: skip
    with database.reading() as session:
        assert {each.reason for each in moves_of(session, client_id=client)} == {ERASED}
    assert turn_down_at(guest, waits, "erased") == "withdrawn"


def turn_down_at(place: Clinic, move: UUID, reason: str) -> str:
    with behind(place.site_id):
        return place.database.write(
            lambda session: turn_down(session, actor=place.pharmacist, move_id=move, reason=reason, at=place.now).state
        )


def undone_at(place: Clinic, move: UUID) -> str:
    with behind(place.site_id):
        return place.database.write(
            lambda session: undo(session, actor=place.pharmacist, move_id=move, at=place.now).state
        )


def undone_twice(sites: TwoSites, client: ClientId) -> list[str]:
    """Moved again today, and not undone tomorrow."""
    move = written(sites, client)
    taken_on(sites, move, number="K8")
    closed_and_on(sites)
    return refused(lambda: undone_at(sites.guest, move))


def test_a_guest_at_a_third_site_stays_and_one_at_the_new_site_arrives(database: Database, sites: TwoSites) -> None:
    home = sites.home
    third = clinic(database, home.now, code="THD")
    away, there = home.client(), home.client()
    with database.writing() as session:
        arrange(
            session, actor=home.doctor, client_id=away, guest_code="THD", asked=sites.asked(0, 2), confirmed=True,
            key="away-key-1", at=home.now,
        )  # fmt: skip
    assert refused(lambda: written(sites, away)) == ["move-away"]
    third.give(away)
    sites.arrange(there, 0, 5)
    sites.guest.give(there)
    moved(sites, there)
    closed_and_on(sites)
    third.move_on()
    sites.guest.give(there)
    third.give(away)
    assert sites.damage() == []


def test_eight_threads_dose_at_both_sites_while_clients_move_and_each_day_is_covered_once(sites: TwoSites) -> None:
    clients = [sites.home.client() for _ in range(6)]
    moves = [written(sites, client) for client in clients]

    def attack(n: int) -> str:
        which, act = n // 4, n % 4
        try:
            if act == 2:
                return taken_on(sites, moves[which], number=f"K{which}")
            (sites.guest if act == 1 else sites.home).give(clients[which], key=f"key-{n:04d}-of-a-dose")
        except (Refused, BadInput) as why:
            return why.first.code
        return "dosed"

    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(attack, range(24)))
    assert answers.count("done") == 6
    for which in range(6):
        assert answers[4 * which : 4 * which + 4].count("dosed") <= 1
        if "dosed" not in answers[4 * which : 4 * which + 4]:
            sites.guest.give(clients[which])
    assert set(answers) <= {"done", "dosed", "already-covered", "no-client", "dose-at-its-site"}
    closed_and_on(sites)
    frozen = "SELECT client_id, count(*), min(outcome), min(site_id::text) FROM day_outcome GROUP BY 1"
    assert sorted(rows(sites.database, frozen)) == sorted(
        (client, 1, "observed", str(sites.guest.site_id)) for client in clients
    )
    assert sites.damage() == []


def test_an_old_program_enrols_and_the_client_has_a_home(sites: TwoSites) -> None:
    client = sites.home.client()
    with sites.database.writing() as session:
        session.execute(
            text("""INSERT INTO client (id, site_id, number, name_sealed, sex, made_at)
                 SELECT gen_random_uuid(), site_id, 'OLD-1', name_sealed, 'male', made_at FROM client WHERE id = :c"""),
            {"c": client},
        )
    assert rows(sites.database, "SELECT no, site_id, until FROM client_home WHERE number = 'OLD-1'") == [
        (1, sites.home.site_id, None)
    ]
    with pytest.raises(IntegrityError, match="client_home_number_is_theirs"), sites.database.writing() as session:
        session.execute(text("INSERT INTO client_home (client_id, no, site_id, number) SELECT gen_random_uuid(), 1,"
                             " site_id, number FROM client WHERE id = :c"), {"c": client})  # fmt: skip
