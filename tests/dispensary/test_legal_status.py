"""How somebody stands with the law: sealed, at their home site alone, for those who need it, told to nobody."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

import dispensary
from dispensary.clients.consent_rules import Information
from dispensary.clients.legal_status import legal_status_of, note_legal_status
from dispensary.clients.legal_status_models import LegalStatusNote
from dispensary.clients.legal_status_rules import LegalStatus, Said, newest_first, read, written
from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, NotThere
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Role
from dispensary.supplies.told import Period, parts_of
from dispensary.supplies.told_whole import NOT_TOLD
from dispensary.units import ClientId
from dispensary.wall import behind
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.guest_place import two_sites
from tests.dispensary.visiting import text_of

DAY = date(2026, 11, 2)
THEIRS = {
    "clients/legal_status.py",
    "clients/legal_status_models.py",
    "clients/legal_status_rules.py",
    "desks/law.py",
}
"""The only modules of the house that know of it: no list, no paper, no export, no measure, no API."""
NAMED_IN = {"apart/tables.py", "resealing/fields.py", "supplies/told_whole.py", "desks/__init__.py"}
"""Where its table is named among all tables, or its page among all pages."""


@pytest.mark.parametrize("word", list(LegalStatus))
def test_a_word_and_its_day_are_sealed_as_one(word: LegalStatus) -> None:
    assert read(written(word, DAY)) == (word, DAY)
    assert "not_asked" not in list(LegalStatus), "nobody is written down as not asked"


@pytest.mark.parametrize("sealed", ["", "none", "jail 2026-11-02", "none 2026-13-01"])
def test_nothing_else_is_read(sealed: str) -> None:
    with pytest.raises(ValueError):
        read(sealed)


@given(
    st.lists(
        st.builds(
            Said,
            st.sampled_from(list(LegalStatus)),
            st.dates(DAY, DAY + timedelta(days=3)),
            st.datetimes(datetime(2026, 11, 2), datetime(2026, 11, 6)),  # noqa: DTZ001
        )
    )
)
def test_the_newest_day_stands_first_and_of_one_day_what_was_said_last(said: list[Said]) -> None:
    found = newest_first(said)
    assert sorted(map(str, found)) == sorted(map(str, said))
    for before, after in pairwise(found):
        assert (before.from_day, before.noted_at) >= (after.from_day, after.noted_at)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def noted(place: Clinic, client: ClientId, word: LegalStatus = LegalStatus.SENTENCE, **other: object) -> UUID:
    key = uuid4()
    with place.database.writing() as session:
        told = {
            "actor": place.doctor, "client_id": client, "word": word, "from_day": place.today, "key": key,
            "today": place.today, "at": place.now, **other,
        }  # fmt: skip
        note_legal_status(session, **told)  # type: ignore[arg-type]
    return key


class TestIt:
    def test_is_kept_sealed_and_read_by_those_who_need_it(self, place: Clinic) -> None:
        client = place.client()
        noted(place, client, LegalStatus.OPEN, from_day=place.today - timedelta(days=90))
        key = noted(place, client, LegalStatus.CONDITIONS)
        noted(place, client, LegalStatus.NONE, key=key)  # the form once more: nothing new
        with place.database.writing() as session:
            said = legal_status_of(session, actor=place.doctor, client_id=client)
            assert [each.word for each in said] == [LegalStatus.CONDITIONS, LegalStatus.OPEN]
            assert legal_status_of(session, actor=place.doctor, client_id=place.client()) == []
            sealed = session.scalars(select(LegalStatusNote.said_sealed)).all()
            assert not [each for each in sealed if b"open" in each or b"conditions" in each or b"2026" in each]
            for role in (Role.PHARMACIST, Role.RECEPTION, Role.PEER_WORKER, Role.EVALUATOR, Role.ADMINISTRATOR):
                somebody = replace(place.doctor, roles=frozenset({role}))
                with pytest.raises(NotAllowed):
                    legal_status_of(session, actor=somebody, client_id=client)
        with pytest.raises(NotAllowed):
            noted(place, client, actor=replace(place.doctor, roles=frozenset({Role.PEER_WORKER})))
        with pytest.raises(BadInput) as refused:
            noted(place, client, from_day=place.today + timedelta(days=1))
        assert refused.value.refusals[0].field == "from_day"

    def test_is_in_the_trail_as_something_and_not_as_what(self, place: Clinic) -> None:
        client = place.client()
        noted(place, client)
        with place.database.reading() as session:
            entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "noted legal status")).one()
            assert entry.details in ("", "{}")

    def test_is_never_changed_nor_taken_away(self, place: Clinic) -> None:
        noted(place, place.client())
        for sentence in (
            "UPDATE legal_status SET noted_at = noted_at + interval '1 day'",
            "DELETE FROM legal_status",
            "TRUNCATE legal_status",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(sentence))

    def test_is_not_seen_where_they_are_a_guest_nor_at_any_other_site(self, database: Database, now: datetime) -> None:
        sites = two_sites(database, now)
        client = sites.home.client()
        sites.home.decide(client, per_supply=3)
        noted(sites.home, client)
        sites.arrange(client)
        for site, sees in ((sites.home, 1), (sites.guest, 0)):
            with behind(site.site_id), database.reading() as session:
                known = session.scalar(text("SELECT count(*) FROM client WHERE id = :client"), {"client": client})
                assert known == 1, "the guest's record is in view at both"
                assert session.scalar(text("SELECT count(*) FROM legal_status")) == sees
        with pytest.raises(NotThere), database.writing() as session:
            legal_status_of(session, actor=sites.guest.doctor, client_id=client)

    def test_is_told_in_no_record_that_leaves_even_the_whole_one(self, place: Clinic) -> None:
        client = place.client()
        noted(place, client, LegalStatus.SENTENCE)
        assert "legal_status" in NOT_TOLD
        period = Period(place.today - timedelta(days=400), place.today, place.today)
        with place.database.reading() as session:
            for kind in Information:
                parts = parts_of(session, client_id=client, kinds=frozenset({kind}), period=period)
                said = " ".join(line for part in parts for line in part.lines).lower()
                assert not [word for word in ("sentence", "serving", "the law", "bail") if word in said], kind


def test_no_other_room_of_the_house_knows_of_it() -> None:
    root = Path(dispensary.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        if "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [
                *([node.module or ""] if isinstance(node, ast.ImportFrom) else []),
                *([node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []),
            ]
            if any("legal_status" in name for name in names):
                found.add(path.relative_to(root).as_posix())
    assert found <= THEIRS | NAMED_IN, found - THEIRS - NAMED_IN
    assert THEIRS - {"clients/legal_status_models.py", "clients/legal_status_rules.py"} <= found


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def test_the_page_is_its_own_and_each_look_at_it_is_written_down(here: Desks) -> None:
    client = here.place.client()
    at = f"/care/law/{client}"
    assert "Nobody has asked them." in text_of(here.doctor.get(at))
    assert here.acts_about(client)[-1] == "looked at"
    form = {"word": "sentence", "from_day": here.today.isoformat(), "key": str(uuid4())}
    assert [here.doctor.post(at, form).status_code for _ in range(2)] == [303, 303]
    assert "serving a sentence" in text_of(here.doctor.get(at))
    wrong = here.doctor.post(at, {"word": "jail", "from_day": "2031-01-01"})
    assert wrong.status_code == 422
    assert 'value="2031-01-01"' in wrong.text
    for page in (f"/consulting/clients/{client}", "/consulting", f"/care/life/{client}", f"/care/clients/{client}"):
        assert "serving a sentence" not in text_of(here.doctor.get(page)), page
    for role in (Role.RECEPTION, Role.PHARMACIST, Role.PEER_WORKER, Role.EVALUATOR, Role.ADMINISTRATOR):
        assert here.seat(role).get(at).status_code == 403, role
        assert here.seat(role).post(at, form).status_code == 403, role
    assert here.seat(Role.NURSE).get(at).status_code == 200
