"""How long what is kept: the site's own figure with its source, what goes at its end, and what never does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dispensary.clients.legal_holds import lift_hold, set_hold
from dispensary.clients.models import Episode
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database
from dispensary.erasing.letting_go import due, let_go
from dispensary.nights import let_go_of_old
from dispensary.refusals import BadInput, NotAllowed
from dispensary.staff.retention import figure_of, set_period
from dispensary.staff.retention_rules import KINDS, End, Kind, faults_of
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.outage_files import folder_of, keep_pack, packs_in
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import desks
from tests.dispensary.visiting import text_of

LAW = "Private Healthcare Regulations 2006, r. 44"


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def administrator(here: Clinic) -> Actor:
    return replace(here.doctor, roles=frozenset({Role.ADMINISTRATOR}))


def sets(here: Clinic, actor: Actor, kind: Kind, figure: int | None, source: str = LAW) -> None:
    with here.database.writing() as session:
        set_period(session, actor=actor, kind=kind, figure=figure, source=source, at=here.now)


def result_file(here: Clinic, closed_at: datetime) -> None:
    """A file that was taken, with a line left out that names somebody."""
    with here.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("""INSERT INTO result_file (id, site_id, laboratory_id, format, name, digest, uploaded_at, closed_at,
            taken, left_out) VALUES (gen_random_uuid(), :site, gen_random_uuid(), 'csv', 'a.csv', 'x', :at, :at, 3,
            '[{"why": "nobody known", "line": "Bala, 44"}]')"""),
            {"site": here.site_id, "at": closed_at},
        )


def lines_left(here: Clinic) -> int:
    with here.database.reading() as session:
        counted = session.execute(text("SELECT coalesce(sum(jsonb_array_length(left_out)), 0) FROM result_file"))
        return int(counted.scalar_one())


def goes(here: Clinic, data: Path) -> dict[str, object]:
    with here.database.writing() as session:
        return let_go(session, site_id=here.site_id, data=data, at=here.now)


class TestAFigure:
    def test_is_the_site_s_own_with_its_source_and_what_has_none_is_kept(
        self, here: Clinic, administrator: Actor, tmp_path: Path
    ) -> None:
        result_file(here, here.now - timedelta(days=5000))
        with here.database.reading() as session:
            assert [figure_of(session, site_id=here.site_id, kind=kind) for kind in Kind] == [None] * len(Kind)
        assert goes(here, tmp_path) == {}
        assert lines_left(here) == 1
        for kind, figure, source, code in (
            (Kind.CLIENTS, 0, LAW, "bad-period"),
            (Kind.PACKS, 366, LAW, "bad-period"),
            (Kind.TRAIL, 7, " ", "no-source"),
            (Kind.TRAIL, 7, "x" * 301, "source-long"),
        ):
            assert [each.code for each in faults_of(kind, figure, source)] == [code]
            with pytest.raises(BadInput):
                sets(here, administrator, kind, figure, source)
        with pytest.raises(NotAllowed):
            sets(here, here.pharmacist, Kind.TRAIL, 7)
        sets(here, administrator, Kind.TRAIL, 7)
        sets(here, administrator, Kind.TRAIL, 10)
        sets(here, administrator, Kind.TRAIL, None, "")
        with here.database.reading() as session:
            assert figure_of(session, site_id=here.site_id, kind=Kind.TRAIL) is None
            told = session.scalars(
                text("SELECT details::jsonb ->> 'to' FROM audit_entry WHERE act = 'set period of records' ORDER BY seq")
            ).all()
        assert told == ["7", "10", None]

    def test_of_the_register_and_the_trail_lets_nothing_go(
        self, here: Clinic, administrator: Actor, tmp_path: Path
    ) -> None:
        assert {kind for kind, kept in KINDS.items() if kept.end is End.NEVER} == {Kind.REGISTER, Kind.TRAIL}
        here.give(here.client())
        for kind in (Kind.REGISTER, Kind.TRAIL):
            sets(here, administrator, kind, 1)
        counted = "SELECT (SELECT count(*) FROM register_line), (SELECT count(*) FROM audit_entry)"
        with here.database.reading() as session:
            before = session.execute(text(counted)).one()
        here.move_on(800)
        assert goes(here, tmp_path) == {}
        with here.database.reading() as session:
            assert session.execute(text(counted)).one() == before


class TestWhatGoes:
    def test_are_lines_that_belonged_to_nobody_once_their_days_are_over_and_no_hold_stands(
        self, here: Clinic, administrator: Actor, tmp_path: Path
    ) -> None:
        sets(here, administrator, Kind.RESULT_LINES, 30)
        result_file(here, here.now - timedelta(days=31))
        result_file(here, here.now - timedelta(days=29))
        with here.database.writing() as session:
            hold = set_hold(session, actor=here.doctor, client_id=here.client(), reason="x", authority="y", at=here.now)
        assert goes(here, tmp_path) == {}
        with here.database.writing() as session:
            lift_hold(session, actor=here.doctor, hold_id=hold.id, reason="z", at=here.now)
        assert let_go_of_old(here.database, tmp_path, lambda: here.now) == 1
        assert let_go_of_old(here.database, tmp_path, lambda: here.now) == 0  # once a night
        assert lines_left(here) == 1
        with here.database.reading() as session:
            result = session.execute(text("SELECT result FROM job_run WHERE job = 'end of keeping'")).scalar_one()
            assert session.execute(text("SELECT count(*), sum(taken) FROM result_file")).one() == (2, 6)
        assert result == {"result files": 1}
        with pytest.raises(DBAPIError, match="never changed otherwise"), here.database.writing() as session:
            session.execute(text("""UPDATE result_file SET left_out = '["another"]'"""))

    def test_are_downtime_packs_that_are_older_also_where_none_is_made_any_more(
        self, here: Clinic, administrator: Actor, tmp_path: Path
    ) -> None:
        folder = folder_of(tmp_path, "HRP")
        for days in (9, 8, 2):
            keep_pack(
                folder, code="HRP", made_at=here.now - timedelta(days=days), forms={"pdf": b"%PDF", "html": b"<html>"}
            )
        assert goes(here, tmp_path) == {}
        sets(here, administrator, Kind.PACKS, 7)
        assert goes(here, tmp_path) == {"packs": 2}
        assert [pack.made_at for pack in packs_in(folder, "HRP")] == [here.now - timedelta(days=2)]
        assert len(list(folder.iterdir())) == 2


def test_whose_time_is_over_is_listed_and_erased_by_people_alone(
    here: Clinic, administrator: Actor, tmp_path: Path
) -> None:
    left, stays, held = here.client(), here.client(), here.client()
    with here.database.writing() as session:
        for client in (left, held):
            episode = session.query(Episode).filter_by(client_id=client).one()
            end_episode(
                session,
                actor=here.doctor,
                episode_id=episode.id,
                ended_on=here.today,
                reason=ExitReason.COMPLETED,
                at=here.now,
            )
        set_hold(session, actor=here.doctor, client_id=held, reason="x", authority="y", at=here.now)
    sets(here, administrator, Kind.CLIENTS, 7)

    def numbers(on: date) -> list[str]:
        with here.database.reading() as session:
            return [each.number for each in due(session, site_id=here.site_id, today=on)]

    with here.database.reading() as session:
        number = session.execute(text("SELECT number FROM client WHERE id = :c"), {"c": left}).scalar_one()
    over = here.today.replace(year=here.today.year + 7)
    assert numbers(over - timedelta(days=1)) == []
    assert numbers(over) == [number]
    here.move_on(366 * 8)
    assert goes(here, tmp_path) == {}
    assert stays in here.clients
    with here.database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM erasure")).scalar_one() == 0


def test_the_page_keeps_what_was_typed_and_says_where_it_is_written(
    database: Database, now: datetime, tmp_path: Path
) -> None:
    here = desks(database, now, tmp_path)
    desk = here.administrator
    assert "what has no figure is kept" in text_of(desk.get("/office/keeping"))
    refused = desk.post("/office/keeping", {"kind": "packs", "figure packs": "14", "source packs": ""})
    assert refused.status_code == 422
    assert 'value="14"' in refused.text
    assert "Name the law and its article" in text_of(refused)
    assert desk.post("/office/keeping", {"kind": "trail", "figure trail": "many"}).status_code == 422
    kept = {"kind": "packs", "figure packs": "14", "source packs": LAW}
    assert desk.post("/office/keeping", kept).headers["location"] == "/office/keeping?done=changed"
    shown = desk.get("/office/keeping")
    assert LAW in shown.text
    assert "Set on" in text_of(shown)
    assert here.doctor.get("/office/keeping").status_code == 403
