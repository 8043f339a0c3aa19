"""Somebody else collects: only whom the client named in writing, whom a prescriber agreed to, and within its limits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database, broken_constraint
from dispensary.refusals import BadInput, Refused
from dispensary.staff.rules import Role
from dispensary.supplies.agents import agents_of, agree, name_agent, revoke
from dispensary.supplies.agents_rules import (
    Consented,
    Document,
    InForce,
    Named,
    Relation,
    Scope,
    age_on,
    may_collect,
    standing,
)
from dispensary.supplies.pass_models import PassSetting
from dispensary.supplies.pickups import Prepared
from dispensary.units import ClientId, months_after
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_pickups import prepared
from tests.dispensary.visiting import text_of

SISTER = Named("Siti binti Rosli", Relation.SIBLING, Document.IDENTITY_CARD, "850403-10-5678", date(1985, 4, 3))


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def client(place: Clinic) -> ClientId:
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    return client


def once(place: Clinic, **other: object) -> Consented:
    consented = Consented(Scope.ONCE, place.today, place.today + timedelta(days=7), 6)
    return replace(consented, **other)  # type: ignore[arg-type]


def consent(place: Clinic, client: ClientId, *, named: Named = SISTER, agreed: bool = True, **other: object) -> UUID:
    with place.database.writing() as session:
        written = name_agent(
            session,
            actor=place.pharmacist,
            client_id=client,
            named=named,
            consented=once(place, **other),
            today=place.today,
            at=place.now,
        )
        if agreed:
            agree(session, actor=place.doctor, client_id=client, consent_id=written.id, at=place.now)
        return written.id


def collects(place: Clinic, client: ClientId, pickup: Prepared, consent_id: UUID | None, **other: object) -> str:
    asked = {
        "observed": False,
        "identified_by": "document",
        "pickup_id": pickup.pickup_id,
        "collected_by": "agent",
        "consent_id": consent_id,
        **other,
    }
    try:
        place.give(client, **asked)
    except Refused as refused:
        return refused.first.code
    return "collected"


HOLDS = InForce(Scope.ONCE, date(2026, 11, 1), date(2026, 11, 30), 6, agreed=True, revoked=False, used=False)


class TestTheRules:
    @pytest.mark.parametrize(
        ("changed", "state"),
        [
            ({}, "holds"),
            ({"agreed": False}, "awaits"),
            ({"revoked": True}, "revoked"),
            ({"used": True}, "used"),
            ({"used": True, "scope": Scope.UNTIL}, "holds"),
            ({"last_day": date(2026, 11, 23)}, "over"),
            ({"signed_on": date(2026, 11, 25)}, "over"),
        ],
        ids=lambda each: each if isinstance(each, str) else "-".join(each) or "usual",
    )
    def test_how_a_consent_stands(self, changed: dict[str, object], state: str) -> None:
        assert standing(replace(HOLDS, **changed), date(2026, 11, 24)) == state  # type: ignore[arg-type]

    def test_every_reason_is_said_at_once(self) -> None:
        faults = may_collect(
            replace(HOLDS, most_bottles=2), bottles=3, observed=True, document_compared=False, today=HOLDS.signed_on
        )
        assert [fault.code for fault in faults] == ["agent-too-many", "agent-observed", "agent-not-identified"]
        assert [f.code for f in may_collect(None, bottles=1, observed=False, document_compared=True, today=date.min)]

    def test_months_end_with_shorter_months_and_years_with_birthdays(self) -> None:
        assert months_after(date(2026, 11, 30), 3) == date(2027, 2, 28)
        assert months_after(date(2026, 12, 31), 12) == date(2027, 12, 31)
        assert age_on(date(2008, 11, 25), date(2026, 11, 24)) == 17
        assert age_on(date(2008, 11, 24), date(2026, 11, 24)) == 18


class TestNaming:
    @pytest.mark.parametrize(
        ("named", "consented", "code"),
        [
            ({"born": date(2008, 11, 25)}, {}, "agent-child"),
            ({"name": " "}, {}, "agent-name"),
            ({"document_number": "12"}, {}, "agent-document"),
            ({}, {"scope": Scope.UNTIL}, "consent-once-only"),
            ({}, {"last_day": date(2026, 12, 23)}, "consent-too-long"),
            ({}, {"last_day": date(2026, 11, 23)}, "consent-over"),
            ({}, {"signed_on": date(2026, 11, 25)}, "consent-later"),
            ({}, {"most_bottles": 0}, "consent-bottles"),
        ],
        ids=lambda each: each if isinstance(each, str) else "-".join(each) or "usual",
    )
    def test_what_cannot_be(self, place: Clinic, client: ClientId, named: dict, consented: dict, code: str) -> None:
        with pytest.raises(BadInput) as refused:
            consent(place, client, named=replace(SISTER, **named), **consented)
        assert code in {each.code for each in refused.value.refusals}

    def test_a_site_sets_for_how_many_months_a_consent_may_hold(self, place: Clinic, client: ClientId) -> None:
        with place.database.writing() as session:
            session.add(PassSetting(site_id=place.site_id, cards=True, agent_months=3))
        assert consent(place, client, scope=Scope.UNTIL, last_day=date(2027, 2, 24))
        with pytest.raises(BadInput):
            consent(place, client, scope=Scope.UNTIL, last_day=date(2027, 2, 25))

    def test_the_same_form_again_is_found_written(self, place: Clinic, client: ClientId) -> None:
        assert consent(place, client) == consent(place, client)

    def test_what_names_them_is_sealed(self, place: Clinic, client: ClientId) -> None:
        consent(place, client)
        with place.database.reading() as session:
            row = session.execute(text("SELECT agent::text FROM agent")).scalar_one()
            (agent,) = agents_of(session, client_id=client, today=place.today)
        assert "Siti" not in row
        assert b"5678".hex() not in row
        assert (agent.name, agent.last_digits) == ("Siti binti Rosli", "5678")


class TestCollecting:
    def test_an_agreed_agent_collects_once_and_it_is_written_who(self, place: Clinic, client: ClientId) -> None:
        pickup, consent_id = prepared(place, client, 1, 2), consent(place, client)
        assert collects(place, client, pickup, consent_id) == "collected"
        with place.database.reading() as session:
            row = session.execute(
                text("SELECT collected_by, agent_id IS NOT NULL, id_requested, id_provided, identified_by FROM supply")
            ).one()
            assert tuple(row) == ("agent", True, True, True, "document")
            assert list(verify(session, now=place.now)) == []
        place.move_on()
        assert collects(place, client, prepared(place, client, 2, 3), consent_id) == "agent-no-consent"

    def test_each_reason_why_not(self, place: Clinic, client: ClientId) -> None:
        pickup = prepared(place, client, 1, 2, 3)
        other = place.client(mg="60")
        place.decide(other, per_supply=6)
        theirs = consent(place, other)
        few = consent(place, client, named=replace(SISTER, name="Few"), most_bottles=2)
        asked = consent(place, client, named=replace(SISTER, name="Asked"), agreed=False)
        good = consent(place, client)
        assert collects(place, client, pickup, None) == "agent-unknown"
        assert collects(place, client, pickup, theirs) == "agent-unknown"
        assert collects(place, client, pickup, few) == "agent-too-many"
        assert collects(place, client, pickup, asked) == "agent-no-consent"
        assert collects(place, client, pickup, good, observed=True) == "agent-observed"
        assert collects(place, client, pickup, good, identified_by="") == "agent-not-identified"
        assert collects(place, client, pickup, good, well=False) == "not-well"
        with place.database.writing() as session:
            revoke(session, actor=place.pharmacist, client_id=client, consent_id=good, why="said so", at=place.now)
        assert collects(place, client, pickup, good) == "agent-no-consent"

    def test_two_counters_use_one_consent_once(self, place: Clinic, client: ClientId) -> None:
        consent_id = consent(place, client)
        today, tomorrow = prepared(place, client, 1), prepared(place, client, 2, collect=1)

        def act(pickup: Prepared) -> str:
            return collects(place, client, pickup, consent_id)

        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(act, [today, tomorrow] * 4))
        assert done.count("collected") == 1


def _supply(place: Clinic, client: ClientId, consent_id: UUID, pickup: Prepared, **other: object) -> None:
    """Writes a supply past every rule of the program."""
    values = {
        "site": place.site_id,
        "client": client,
        "consent": consent_id,
        "pickup_id": pickup.pickup_id,
        "day": place.today,
        "at": place.now,
        "by": "agent",
        **other,
    }
    with place.database.writing() as session:
        session.execute(
            text(
                """INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256,
                    pickup_id, identified_by, observation, second_look, dispensed_by, origin, answer, collected_by,
                    agent_id, agent_consent_id, id_requested, id_provided)
                SELECT gen_random_uuid(), :site, :client, e.id, :day, :at, gen_random_uuid()::text, '', :pickup_id,
                    CASE WHEN :by = 'agent' THEN 'document' ELSE 'photo' END, '', '', NULL, 'counter', '{}', :by,
                    c.agent_id, c.id, true, true
                FROM episode e LEFT JOIN agent_consent c ON c.id = :consent AND :by = 'agent'
                WHERE e.client_id = :client"""
            ),
            values,
        )


class TestPostgreSQLRefuses:
    @pytest.mark.parametrize(
        ("given", "other", "constraint"),
        [
            ({"agreed": False}, {}, "agent_consent_in_force"),
            ({}, {"day": date(2026, 12, 2)}, "agent_consent_in_force"),
            ({}, {"consent": None}, "agent_of_client"),
            ({}, {"by": "carrier"}, "carrier_carries"),
            ({}, {"pickup_id": None}, "ck_supply_collected_with_pickup"),
        ],
        ids=["not agreed", "over", "no consent", "nobody carries it", "no pickup"],
    )
    def test_a_supply_by_somebody_who_may_not(
        self, place: Clinic, client: ClientId, given: dict, other: dict, constraint: str
    ) -> None:
        pickup, consent_id = prepared(place, client, 1), consent(place, client, **given)
        with pytest.raises(IntegrityError) as broken:
            _supply(place, client, consent_id, pickup, **other)
        assert broken_constraint(broken.value) == constraint

    def test_another_clients_consent(self, place: Clinic, client: ClientId) -> None:
        other = place.client(mg="60")
        with pytest.raises(IntegrityError) as broken:
            _supply(place, client, consent(place, other), prepared(place, client, 1))
        assert broken_constraint(broken.value) == "agent_of_client"

    def test_a_dose_that_is_taken_here_or_one_bottle_too_many(self, place: Clinic, client: ClientId) -> None:
        pickup, consent_id = prepared(place, client, 1), consent(place, client, most_bottles=1)
        assert collects(place, client, pickup, consent_id) == "collected"
        add = """INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg,
                    ml, closed_day)
                 SELECT gen_random_uuid(), supply_id, site_id, client_id, order_id, :day, 1, 1, :kind, mg, ml, false
                 FROM dose"""
        for kind, day, constraint in (
            ("observed", place.today, "observed_of_client"),
            ("take_home", place.ahead(2)[0], "agent_most_bottles"),
        ):
            with pytest.raises(IntegrityError) as broken, place.database.writing() as session:
                session.execute(text(add), {"kind": kind, "day": day})
            assert broken_constraint(broken.value) == constraint

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE agent_consent SET most_bottles = 100",
            "UPDATE agent_consent SET last_day = last_day + 100",
            "UPDATE agent_consent SET agreed_at = NULL, agreed_by = NULL",
            "DELETE FROM agent_consent",
            "DELETE FROM agent",
            "UPDATE agent SET birth_year = 1900",
            "UPDATE supply SET collected_by = 'client', agent_id = NULL, agent_consent_id = NULL, "
            "identified_by = 'photo' WHERE collected_by = 'agent'",
        ],
    )
    def test_a_consent_or_a_collection_is_never_rewritten(self, place: Clinic, client: ClientId, sql: str) -> None:
        pickup, consent_id = prepared(place, client, 1), consent(place, client)
        assert collects(place, client, pickup, consent_id) == "collected"
        with pytest.raises(IntegrityError) as broken, place.database.writing() as session:
            session.execute(text(sql))
        assert broken_constraint(broken.value) == "never_changed"

    def test_a_child_or_a_consent_longer_than_the_site_allows(self, place: Clinic, client: ClientId) -> None:
        consent(place, client)
        copy = """INSERT INTO agent_consent (id, site_id, client_id, agent_id, scope, signed_on, last_day, most_bottles,
                    recorded_by, recorded_at, revoked_why)
                  SELECT gen_random_uuid(), site_id, client_id, agent_id, :scope, signed_on, last_day, most_bottles,
                    recorded_by, recorded_at, '' FROM agent_consent"""

        def refused(act: Callable[[], None]) -> str:
            with pytest.raises(IntegrityError) as broken:
                act()
            return broken_constraint(broken.value)

        def written(scope: str) -> None:
            with place.database.writing() as session:
                session.execute(text(copy), {"scope": scope})

        assert refused(lambda: written("until")) == "agent_consent_length"
        with place.database.writing() as session:
            session.execute(text("ALTER TABLE agent DISABLE TRIGGER agent_is_kept"))
            session.execute(text("UPDATE agent SET birth_year = 2012"))
        assert refused(lambda: written("once")) == "agent_adult"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE agent_consent SET agreed_at = NULL, agreed_by = NULL", "to whom no prescriber had agreed"),
        ("UPDATE agent_consent SET revoked_at = recorded_at, revoked_why = 'x'", "whose consent was revoked"),
        ("UPDATE agent_consent SET most_bottles = 1", "with more bottles than were consented to"),
        ("UPDATE agent_consent SET last_day = last_day - 8, signed_on = signed_on - 9", "outside the days"),
        ("UPDATE agent SET birth_year = 2012", "under 18"),
        ("UPDATE dose SET kind = 'observed'", "was collected by the agent, and a dose of it was observed"),
        ("UPDATE agent SET name_sealed = document_sealed", "agent.name of"),
        (
            "INSERT INTO supply SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'key', "
            "'another', 'pickup_id', gen_random_uuid()))).* FROM supply s",
            "was for one collection, and was used 2 times",
        ),
    ],
    ids=range(8),
)
def test_damage_is_found_and_named(place: Clinic, client: ClientId, sql: str, expected: str) -> None:
    pickup, consent_id = prepared(place, client, 1, 2), consent(place, client)
    assert collects(place, client, pickup, consent_id) == "collected"
    with place.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(sql))
    with place.database.reading() as session:
        found = [str(finding) for finding in verify(session, now=place.now)]
    assert any(expected in finding for finding in found), found


@pytest.fixture
def house(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def test_from_the_client_naming_somebody_to_the_receipt(house: Desks) -> None:
    client = house.place.client(mg="60")
    house.place.decide(client, per_supply=6)
    pickup = prepared(house.place, client, 1, 2)
    nurse, doctor, counter = house.seat(Role.NURSE), house.doctor, house.seat(Role.PHARMACIST)
    here = f"/consulting/clients/{client}"
    form = {
        "name": SISTER.name,
        "relation": "sibling",
        "document": "identity_card",
        "document_number": SISTER.document_number,
        "born": "1985-04-03",
        "scope": "once",
        "signed_on": "2026-11-24",
        "last_day": "2026-11-30",
        "most_bottles": "6",
    }
    refused = nurse.post(f"{here}/agents", {**form, "born": "2015-04-03"}, files={"photo": ("", b"")})
    assert "Nobody under 18" in refused.text
    assert SISTER.name in refused.text, "what was typed is kept"
    added = nurse.post(f"{here}/agents", form, files={"photo": ("", b"")})
    assert added.headers["location"] == f"{here}/agents?done=added"
    assert "waits for a prescriber" in text_of(nurse.get(f"{here}/agents"))
    with house.database.reading() as session:
        consent_id = session.execute(text("SELECT id FROM agent_consent")).scalar_one()
    assert nurse.post(f"{here}/consents/{consent_id}/agree").status_code == 403
    assert "Somebody is to collect for the client" in text_of(doctor.get("/consulting"))
    assert f'href="{here}/agents"' in doctor.get("/consulting?show=agent").text
    give = f"/counter/pickups/{pickup.pickup_id}/agent"
    assert "Nobody may collect for this client today" in counter.get(give).text

    assert doctor.post(f"{here}/consents/{consent_id}/agree").status_code == 303
    assert "Somebody is to collect for the client" not in text_of(doctor.get("/consulting"))
    shown = text_of(counter.get(give))
    assert "Siti binti Rosli" in shown
    assert "identity card ending in 5678" in shown
    assert SISTER.document_number not in shown
    key = {"key": "0192f000-0000-7000-8000-000000000001"}
    empty = counter.post(give, key)
    assert "agent-unknown" in empty.text
    assert "agent-not-identified" in empty.text
    done = counter.post(give, {**key, "consent_id": str(consent_id), "document_compared": "yes", "well": "yes"})
    assert done.status_code == 303
    receipt = text_of(counter.get(done.headers["location"]))
    assert "Siti binti Rosli" in receipt
    assert "2 sealed bottles" in receipt
    assert "asked for and shown" in receipt
    again = counter.post(give, {**key, "consent_id": str(consent_id), "document_compared": "yes", "well": "yes"})
    assert again.headers["location"] == done.headers["location"], "a second press changes nothing"
    assert {"recorded consent", "agreed to agent", "looked at", "dispensed"} <= set(house.acts_about(client))
