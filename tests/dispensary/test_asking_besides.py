"""A site lets peer workers and reception ask by an instrument: own clients alone, and told what the setting says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from dispensary.care.instrument_setting import ASKS, MAY_ASK, MAY_USE, Used, askable, asks_besides, in_use, treats
from dispensary.care.instruments import instruments
from dispensary.care.screening_models import ScreeningTaken
from dispensary.clients.goals import assign
from dispensary.database import Database
from dispensary.monitoring.models import Alert
from dispensary.refusals import BadInput
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor, Role
from dispensary.units import AccountId, ClientId, new_id
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_screenings import setting, yes_to
from tests.dispensary.visiting import Visitor, text_of

HEALTH_WORKERS = [Role.DOCTOR, Role.NURSE, Role.PEER_WORKER, Role.RECEPTION]


def used_by(*roles: Role) -> Used:
    return Used(instruments()["dast10"], True, None, None, frozenset(roles), "", Role.DOCTOR)


def somebody(*roles: Role) -> Actor:
    return Actor(AccountId(new_id()), None, frozenset(roles))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lets", "works_as", "reads", "besides"),
    [
        ((Role.DOCTOR, Role.NURSE), (Role.NURSE,), True, set()),
        ((Role.DOCTOR, Role.NURSE), (Role.PEER_WORKER,), False, set()),
        ((Role.DOCTOR, Role.PEER_WORKER), (Role.PEER_WORKER,), False, {Role.PEER_WORKER}),
        ((Role.RECEPTION,), (Role.RECEPTION,), False, {Role.RECEPTION}),
        ((Role.RECEPTION,), (Role.NURSE,), False, set()),
        ((Role.PHARMACIST,), (Role.PHARMACIST,), False, set()),  # without care around the dose
        ((Role.NURSE, Role.PEER_WORKER), (Role.NURSE, Role.PEER_WORKER), True, {Role.PEER_WORKER}),
        (tuple(MAY_ASK), (Role.EVALUATOR, Role.ADMINISTRATOR), False, set()),
    ],
)
def test_who_asks_and_who_reads(
    lets: tuple[Role, ...], works_as: tuple[Role, ...], reads: bool, besides: set[Role]
) -> None:
    assert treats(used_by(*lets), somebody(*works_as)) is reads
    assert asks_besides(used_by(*lets), somebody(*works_as)) == besides


@given(st.sets(st.sampled_from(list(Role))), st.sets(st.sampled_from(list(Role))))
def test_nobody_asks_whom_the_site_has_not_let(lets: set[Role], works_as: set[Role]) -> None:
    used, actor = used_by(*lets), somebody(*works_as)
    assert asks_besides(used, actor) <= lets & works_as & set(ASKS)
    if treats(used, actor):
        assert lets & works_as & set(MAY_USE)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def test_as_it_ships_nobody_but_who_treats_asks(place: Clinic) -> None:
    for each in instruments().values():
        assert not set(each.roles) & set(ASKS), each.key
    with place.database.reading() as session:
        for role in ASKS:
            actor = replace(place.doctor, roles=frozenset({role}))
            assert askable(session, actor=actor, role=role, today=place.today) == []
        assert not any(each.band_told for each in in_use(session, site_id=place.site_id).values())
    for roles, risk_role, field in (
        ([Role.EVALUATOR], Role.NURSE, "roles"),
        ([Role.ADMINISTRATOR, Role.NURSE], Role.NURSE, "roles"),
        ([Role.PEER_WORKER], Role.PEER_WORKER, "risk_role"),
        ([Role.RECEPTION], Role.RECEPTION, "risk_role"),
    ):
        with pytest.raises(BadInput) as refused:
            setting(place, "dast10", roles=roles, risk_role=risk_role)
        assert [each.field for each in refused.value.refusals] == [field], "a risk is told to whoever treats"


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def peer(here: Desks) -> Visitor:
    return here.seat(Role.PEER_WORKER)


@pytest.fixture
def theirs(here: Desks, peer: Visitor) -> ClientId:
    client = here.place.client()
    with here.database.writing() as session:
        azman = AccountId(session.scalars(select(Account.id).where(Account.username == "peer-worker")).one())
        assign(session, actor=here.place.doctor, account_id=azman, client_id=client, at=here.place.now)
    return client


def form(here: Desks, *yes: int, of: int = 10) -> dict[str, str]:
    return {**yes_to(*yes, of=of), "taken_on": here.today.isoformat(), "key": str(uuid4())}


def how_many(here: Desks) -> int:
    with here.database.reading() as session:
        return session.scalar(select(func.count()).select_from(ScreeningTaken)) or 0


class TestAPeerWorker:
    def test_asks_own_clients_alone_where_the_site_lets_them(
        self, here: Desks, peer: Visitor, theirs: ClientId
    ) -> None:
        at = f"/peers/clients/{theirs}"
        assert "Ask DAST-10" not in text_of(peer.get(at))
        assert peer.get(f"{at}/ask/dast10").status_code == 403
        assert peer.post(f"{at}/ask/dast10", form(here)).status_code == 403
        setting(here.place, "dast10", roles=HEALTH_WORKERS)
        assert "Ask DAST-10" in text_of(peer.get(at))
        asked = peer.get(f"{at}/ask/dast10")
        assert "More than one at a time" in text_of(asked)
        assert "Ahmad Test" not in text_of(asked), "they know them by the first of their names"
        answer = peer.post(f"{at}/ask/dast10", form(here, 1, 2, 5, 6, 7, 8))
        assert answer.status_code == 303
        told = text_of(peer.get(answer.headers["location"]))
        assert "It is written down" in told
        assert not [word for word in ("substantial", "moderate", "point", "More than one at a time") if word in told]
        setting(here.place, "dast10", roles=HEALTH_WORKERS, band_told=True)
        told = text_of(peer.get(answer.headers["location"]))
        assert "substantial" in told
        assert "point" not in told
        other = here.place.client()
        assert peer.get(f"/peers/clients/{other}/ask/dast10").status_code == 404
        assert peer.post(f"/peers/clients/{other}/ask/dast10", form(here)).status_code == 404
        # The front desk's address is no way round: they ask as a peer worker there as well.
        assert peer.post(f"/reception/clients/{other}/ask/dast10", form(here)).status_code == 403
        assert peer.get(f"/care/clients/{theirs}/ask/dast10").status_code == 403
        assert how_many(here) == 1

    def test_a_missing_answer_is_named_and_nothing_is_lost(self, here: Desks, peer: Visitor, theirs: ClientId) -> None:
        setting(here.place, "dast10", roles=HEALTH_WORKERS)
        wrong = peer.post(f"/peers/clients/{theirs}/ask/dast10", {**form(here, 1), "q4": ""})
        assert wrong.status_code == 422
        assert "is not answered" in text_of(wrong)
        assert wrong.text.count("checked") == 9

    def test_who_hears_of_an_end_of_life_is_told_to_fetch_somebody_and_the_alert_is_open(
        self, here: Desks, peer: Visitor, theirs: ClientId
    ) -> None:
        setting(here.place, "srq20", roles=HEALTH_WORKERS, risk_role=Role.NURSE)
        answer = peer.post(f"/peers/clients/{theirs}/ask/srq20", form(here, 17, of=20))
        told = text_of(peer.get(answer.headers["location"]))
        assert "Fetch a nurse or a doctor to them now." in told
        with here.database.reading() as session:
            (alert,) = session.scalars(select(Alert).where(Alert.resolved_at.is_(None)))
            assert (alert.role, alert.severity) == ("nurse", "urgent")


class TestReception:
    def test_asks_at_the_desk_and_is_told_that_it_was_done(self, here: Desks) -> None:
        client, reception = here.place.client(), here.seat(Role.RECEPTION)
        at = f"/reception/clients/{client}"
        assert "Ask DAST-10" not in text_of(reception.get(at))
        assert reception.get(f"{at}/ask/dast10").status_code == 403
        setting(here.place, "dast10", roles=HEALTH_WORKERS)
        assert "Ask DAST-10" in text_of(reception.get(at))
        answer = reception.post(f"{at}/ask/dast10", form(here, 1, 2, 5, 6, 7, 8))
        told = reception.get(answer.headers["location"])
        assert "It is written down" in text_of(told)
        assert "substantial" not in text_of(told)
        with here.database.reading() as session:
            screening = session.scalars(select(ScreeningTaken.id)).one()
        assert reception.get(f"/care/clients/{client}/screenings/{screening}").status_code == 403
        assert here.doctor.get(f"{at}/asked/{screening}").status_code == 404, "another's: they have the care page"
        assert "substantial" in text_of(here.doctor.get(f"/care/clients/{client}"))
        assert here.seat(Role.EVALUATOR).get(f"{at}/ask/dast10").status_code == 403

    def test_a_doctor_sets_who_asks_on_the_page(self, here: Desks) -> None:
        sent = {
            "instrument": "dast10", "used": "yes", "roles": ["nurse", "peer worker", "reception"], "band_told": "yes",
            "risk_role": "nurse", "reason": "Screening by any health worker", "accreditation": "",
        }  # fmt: skip
        assert here.doctor.post("/care/setting/instruments", sent).status_code == 303
        with here.database.reading() as session:
            used = in_use(session, site_id=here.place.site_id)["dast10"]
        assert used.roles == {Role.NURSE, Role.PEER_WORKER, Role.RECEPTION}
        assert used.band_told
        assert "Peer workers and reception are told the band." in text_of(here.doctor.get("/care/setting"))
