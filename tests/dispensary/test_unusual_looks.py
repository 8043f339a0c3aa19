"""Unusual looks: each kind is found, an ordinary day is not, and nobody reads their own through."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

import scheduling.service
from dispensary.database import Database
from dispensary.looks.asking import give_reason
from dispensary.looks.rules import Kind, Thresholds, Why
from dispensary.looks.settings import set_thresholds
from dispensary.looks.unusual import Unusual, review, unusual_looks
from dispensary.looks.watched import WatchKind, watch
from dispensary.refusals import NotAllowed
from dispensary.staff import audit
from dispensary.staff.queries import place as site_of
from dispensary.staff.rules import Actor, Role
from dispensary.units import AccountId, ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.phones import week
from tests.dispensary.visiting import text_of


@pytest.fixture
def clinic(database: Database, now: datetime, tmp_path: Path) -> Desks:
    clinic = desks(database, now, tmp_path)
    with database.writing() as session:
        scheduling.service.set_hours(session, place_id=clinic.place.site_id, hours=week(), from_day=clinic.today)
        runs = administrator(clinic)
        set_thresholds(session, actor=runs, wanted=Thresholds(most_charts=3, minutes_around=30), at=now)
    return clinic


def administrator(clinic: Desks, account_id: UUID | None = None) -> Actor:
    return Actor(
        AccountId(account_id or clinic.place.doctor.account_id), clinic.place.site_id, frozenset({Role.ADMINISTRATOR})
    )


def looks(clinic: Desks, who: Actor, clients: list[ClientId], at: datetime) -> None:
    with clinic.database.writing() as session:
        for client in clients:
            audit.record(
                session,
                actor=who,
                act="looked at",
                subject="client",
                subject_id=client,
                at=at,
                details={"page": "client"},
            )


def found(clinic: Desks, first: date | None = None) -> list[Unusual]:
    with clinic.database.reading() as session:
        site = site_of(session, clinic.place.site_id)
        return unusual_looks(session, site=site, first=first or clinic.today, last=clinic.today)


def kinds(clinic: Desks) -> set[tuple[str, Kind]]:
    return {(line.who, line.kind) for line in found(clinic)}


def test_many_charts_are_measured_by_ones_own_days_and_those_of_colleagues(clinic: Desks) -> None:
    clients = [clinic.place.client() for _ in range(8)]
    for back in range(1, 6):
        looks(clinic, clinic.place.doctor, clients[:2], clinic.place.now - timedelta(days=back))
        looks(clinic, clinic.place.pharmacist, clients, clinic.place.now - timedelta(days=back))
    looks(clinic, clinic.place.doctor, clients[:3], clinic.place.now)
    assert kinds(clinic) == set(), "three charts need no explaining"
    looks(clinic, clinic.place.doctor, clients, clinic.place.now)
    looks(clinic, clinic.place.pharmacist, clients, clinic.place.now)
    (line,) = found(clinic)
    assert (line.who, line.kind, line.charts) == ("Dr. Lim Wei", Kind.MANY, 8), "the pharmacist opens eight every day"


def test_looks_at_night_and_on_a_day_of_rest_are_outside_the_hours(clinic: Desks) -> None:
    client = clinic.place.client()
    opens = week()[0].opens
    at_work = clinic.place.now.replace(hour=23) + timedelta(hours=2)  # 09:00 in Kuala Lumpur
    looks(clinic, clinic.place.doctor, [client], at_work)
    assert (Kind.OUTSIDE_HOURS not in {kind for _, kind in kinds(clinic)}) is (opens.hour <= 9)
    looks(clinic, clinic.place.doctor, [client], clinic.place.now + timedelta(hours=16))  # 23:00
    assert ("Dr. Lim Wei", Kind.OUTSIDE_HOURS) in kinds(clinic)


def test_watched_records_a_colleagues_and_ones_own_are_told_apart(clinic: Desks) -> None:
    star, nurse, self_ = (clinic.place.client() for _ in range(3))
    doctor = clinic.place.doctor
    with clinic.database.writing() as session:
        for client, kind, account in (
            (star, WatchKind.KNOWN, None),
            (nurse, WatchKind.STAFF, clinic.place.pharmacist.account_id),
            (self_, WatchKind.STAFF, doctor.account_id),
        ):
            watch(session, actor=doctor, client_id=client, kind=kind, words="", account_id=account, at=clinic.place.now)
    looks(clinic, doctor, [star, nurse, self_], clinic.place.now + timedelta(minutes=1))
    assert {kind for _, kind in kinds(clinic)} == {Kind.WATCHED, Kind.COLLEAGUE, Kind.OWN_RECORD}


def test_another_reason_and_an_emergency_stand_with_their_words(clinic: Desks) -> None:
    one, two = clinic.place.client(), clinic.place.client()
    with clinic.database.writing() as session:
        for client, reason, words in ((one, "other", "a letter"), (two, "emergency", "")):
            give_reason(
                session,
                actor=clinic.place.doctor,
                client_id=client,
                reason=reason,
                words=words,
                whys=(Why.NOT_TODAY,),
                day=clinic.today,
                at=clinic.place.now,
            )
    lines = {line.kind: line for line in found(clinic)}
    assert set(lines) == {Kind.OTHER_REASON, Kind.EMERGENCY}
    assert lines[Kind.OTHER_REASON].about[0].endswith(": a letter")


class TestReadingThrough:
    def test_nobody_reads_their_own_and_what_was_found_stays(self, clinic: Desks) -> None:
        desk = clinic.administrator
        me = UUID(desk.get("/api/session").json()["signed_in"]["account_id"])
        mine = administrator(clinic, me)
        with pytest.raises(NotAllowed), clinic.database.writing() as session:
            review(
                session,
                actor=mine,
                account_id=AccountId(me),
                day=clinic.today,
                kind="many",
                words="fine",
                at=clinic.place.now,
            )
        clients = [clinic.place.client() for _ in range(5)]
        looks(clinic, clinic.place.doctor, clients, clinic.place.now)
        looks(clinic, mine, clients, clinic.place.now)
        shown = desk.get("/office/looks")
        assert "many charts" in text_of(shown)
        assert "Your own: somebody else reads it through." in text_of(shown)
        form = {
            "account_id": str(clinic.place.doctor.account_id),
            "day": clinic.today.isoformat(),
            "kind": "many",
            "month": clinic.today.strftime("%Y-%m"),
        }
        assert "Write in 1 to 500" in text_of(desk.post("/office/looks/review", {**form, "words": ""}))
        assert desk.post("/office/looks/review", {**form, "words": "the yearly review"}).status_code == 303
        assert desk.post("/office/looks/review", {**form, "words": "twice"}).status_code == 303
        said = text_of(desk.get("/office/looks"))
        assert "the yearly review" in said
        assert "twice" not in said
        assert "2 lines, 1 read through" in said
        assert clinic.acts_about(clinic.place.doctor.account_id).count("read unusual looks through") == 1

    def test_an_administrator_watches_by_number_and_sets_the_figures(self, clinic: Desks) -> None:
        client = clinic.place.client()
        with clinic.database.reading() as session:
            number = session.execute(text("SELECT number FROM client WHERE id = :id"), {"id": client}).scalar_one()
        desk = clinic.administrator
        refused = desk.post("/office/looks/watch", {"number": "none", "kind": "known"})
        assert "No client of this site has this number." in text_of(refused)
        desk.post("/office/looks/watch", {"number": number, "kind": "relative", "why": "brother of the mayor"})
        said = text_of(desk.get("/office/looks"))
        assert "A relative of somebody here, brother of the mayor" in said
        desk.post("/office/looks/watch", {"number": number, "end": "yes"})
        assert "No record is watched." in text_of(desk.get("/office/looks"))
        refused = desk.post("/office/looks/watch", {"number": number, "kind": "none"})
        assert refused.status_code == 422
        figures = {"most_charts": "99", "times_usual": "5", "minutes_around": "10", "names_to_clients": "yes"}
        refused = desk.post("/office/looks", {**figures, "times_usual": "0"})
        assert refused.status_code == 422
        assert 'aria-invalid="true"' in refused.text
        assert desk.post("/office/looks", figures).status_code == 303
        assert 'value="99"' in desk.get("/office/looks").text

    def test_the_page_of_anchors_compares_a_line(self, clinic: Desks) -> None:
        from dispensary.staff.anchoring import make_anchor

        with clinic.database.writing() as session:
            line = make_anchor(session, site_id=clinic.place.site_id, day=clinic.today, at=clinic.place.now).line
        desk = clinic.administrator
        assert line.split()[-1].split("-")[0] in text_of(desk.get("/office/anchors"))
        assert "The audit trail fits this line." in text_of(desk.post("/office/anchors", {"line": line}))
        assert "misread" in text_of(desk.post("/office/anchors", {"line": line[:-1] + str((int(line[-1]) + 1) % 10)}))
        code, day, _, groups = line.split()
        other = text_of(desk.post("/office/anchors", {"line": f"{code} {day} 2 {groups}"}))
        assert "entry 2 or one before it is another than this line says" in other
        assert desk.get("/office/anchors.pdf").content.startswith(b"%PDF")
