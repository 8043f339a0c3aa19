"""A consent covers what it names, to whom it names, on its days, until it is revoked; and never anything else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.clients.consent_models import ClientConsent
from dispensary.clients.consent_rules import (
    Asked,
    Consent,
    Information,
    RecipientKind,
    Revoked,
    Signed,
    Telling,
    covers,
    told_by,
)
from dispensary.clients.consents import consents_of, revoke_consent, take_consent
from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, NotThere
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic

DAY, NOON = date(2026, 11, 24), datetime(2026, 11, 24, 4, tzinfo=UTC)
AGREED = Consent(
    kinds=frozenset({Information.ATTENDANCE}),
    recipient_kind=RecipientKind.COURT,
    recipient="Thonburi Criminal Court, Judge Somchai",
    from_day=DAY,
    until_day=DAY + timedelta(days=90),
)
TOLD = Telling(frozenset({Information.ATTENDANCE}), RecipientKind.COURT, AGREED.recipient, DAY, NOON)


def kinds(*words: str) -> frozenset[Information]:
    return frozenset(Information(word) for word in words)


@pytest.mark.parametrize(
    ("consent", "telling", "code"),
    [
        ({}, {}, None),
        ({}, {"recipient": "THONBURI criminal  court, judge Somchai "}, None),
        ({}, {"kinds": kinds("presence")}, None),
        ({}, {"on": AGREED.until_day}, None),
        ({"until_day": None}, {"on": DAY + timedelta(days=3000)}, None),
        ({"kinds": kinds("whole")}, {"kinds": kinds("results", "doses", "whole")}, None),
        ({"kinds": kinds("presence")}, {}, "consent-less"),
        ({}, {"kinds": kinds("attendance", "doses")}, "consent-less"),
        ({"kinds": kinds("attendance", "doses", "results")}, {"kinds": kinds("whole")}, "consent-less"),
        ({}, {"kinds": frozenset()}, "nothing-told"),
        ({}, {"on": DAY - timedelta(days=1)}, "consent-later"),
        ({}, {"on": DAY + timedelta(days=91)}, "consent-expired"),
        ({"revoked_at": NOON}, {}, "consent-revoked"),
        ({"revoked_at": NOON - timedelta(seconds=1)}, {}, "consent-revoked"),
        ({"revoked_at": NOON + timedelta(seconds=1)}, {}, None),
        ({}, {"recipient": "Thonburi Criminal Court"}, "consent-other-recipient"),
        ({}, {"recipient_kind": RecipientKind.EMPLOYER}, "consent-other-recipient"),
        ({"recipient": " "}, {"recipient": ""}, "consent-other-recipient"),
    ],
)
def test_what_a_consent_covers(consent: dict[str, Any], telling: dict[str, Any], code: str | None) -> None:
    refusal = covers(replace(AGREED, **consent), replace(TOLD, **telling))
    assert (refusal.code if refusal else None) == code


SOME = st.frozensets(st.sampled_from(Information))
NEAR = st.integers(-3, 3)


@given(SOME, SOME, NEAR, st.none() | NEAR, NEAR, st.none() | NEAR, st.booleans(), st.booleans())
def test_covered_means_named_to_the_same_within_its_days_and_not_revoked(
    named: frozenset[Information],
    told: frozenset[Information],
    begins: int,
    ends: int | None,
    on: int,
    revoked: int | None,
    same_kind: bool,
    same_name: bool,
) -> None:
    at = NOON + timedelta(days=on)
    consent = replace(
        AGREED,
        kinds=named,
        from_day=DAY + timedelta(days=begins),
        until_day=None if ends is None else DAY + timedelta(days=ends),
        revoked_at=None if revoked is None else NOON + timedelta(days=revoked),
    )
    telling = Telling(
        told,
        RecipientKind.COURT if same_kind else RecipientKind.FAMILY,
        AGREED.recipient if same_name else "somebody else",
        DAY + timedelta(days=on),
        at,
    )
    allowed = set(told) <= (set(Information) if Information.WHOLE in named else set(named) | {Information.PRESENCE})
    right = (
        bool(told)
        and bool(named)
        and allowed
        and begins <= on
        and (ends is None or on <= ends)
        and (revoked is None or on < revoked)
        and same_kind
        and same_name
    )
    assert (covers(consent, telling) is None) == right


@given(SOME, SOME)
def test_more_named_never_lets_less_through(some: frozenset[Information], more: frozenset[Information]) -> None:
    assert told_by(some) <= told_by(some | more)


ASKED = Asked(
    kinds=[Information.ATTENDANCE],
    recipient_kind=RecipientKind.COURT,
    recipient=AGREED.recipient,
    purpose="The report that the court asked for",
    from_day=DAY,
    until_day=DAY + timedelta(days=90),
    until_event="",
    signed=Signed.PAPER,
    signature="Binder C, sheet 14",
)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def taken(here: Clinic, client: ClientId, actor: Actor | None = None, **other: Any) -> ClientConsent:
    with here.database.writing() as session:
        return take_consent(
            session,
            actor=actor or here.doctor,
            client_id=client,
            asked=replace(ASKED, **other),
            today=here.today,
            at=here.now,
        )


def revoked(here: Clinic, client: ClientId, one: ClientConsent, how: Revoked = Revoked.SAID) -> ClientConsent:
    with here.database.writing() as session:
        return revoke_consent(session, actor=here.pharmacist, client_id=client, consent_id=one.id, how=how, at=here.now)


class TestTakingOne:
    def test_keeps_all_that_was_said_and_by_whom(self, place: Clinic) -> None:
        client = place.client()
        one = taken(place, client)
        with place.database.reading() as session:
            (read,) = consents_of(session, client_id=client)
        assert read.rule == AGREED
        assert (read.id, read.purpose, read.signature, read.taken_by) == (
            one.id, ASKED.purpose, ASKED.signature, "Dr. Lim Wei",
        )  # fmt: skip
        assert read.holds(place.today)
        assert not read.holds(place.today + timedelta(days=91))

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"kinds": []}, "kinds"),
            ({"recipient": " "}, "recipient"),
            ({"purpose": ""}, "purpose"),
            ({"signature": ""}, "signature"),
            ({"purpose": "x" * 301}, "purpose"),
            ({"until_day": None}, "until_day"),
            ({"until_event": "the case is closed"}, "until_day"),
            ({"until_day": DAY - timedelta(days=1)}, "until_day"),
            ({"until_day": None, "until_event": "x" * 301}, "until_event"),
        ],
    )
    def test_needs_every_element(self, place: Clinic, wrong: dict[str, Any], field: str) -> None:
        with pytest.raises(BadInput) as refused:
            taken(place, place.client(), **wrong)
        assert {each.field for each in refused.value.refusals} == {field}

    def test_is_found_when_it_is_pressed_twice_and_is_nobody_else_s(self, place: Clinic, now: datetime) -> None:
        client, away = place.client(), clinic(place.database, now, code="AWAY")
        with ThreadPoolExecutor(6) as hands:
            assert len({one.id for one in hands.map(lambda _: taken(place, client), range(6))}) == 1
        with pytest.raises(NotThere):
            taken(place, client, actor=away.doctor)
        with pytest.raises(NotAllowed):
            taken(place, client, actor=replace(place.doctor, roles=frozenset({Role.RECEPTION})))
        with pytest.raises(NotThere):
            revoked(place, place.client(), taken(place, client))


class TestRevoking:
    def test_ends_it_at_once_and_once(self, place: Clinic) -> None:
        client = place.client()
        one = taken(place, client)
        with ThreadPoolExecutor(6) as hands:
            assert len({each.revoked_at for each in hands.map(lambda _: revoked(place, client, one), range(6))}) == 1
        with place.database.reading() as session:
            (read,) = consents_of(session, client_id=client)
        assert (read.holds(place.today), read.revoked_by, read.revoked_how) == (
            False, "Aishah binti Yusof", Revoked.SAID,
        )  # fmt: skip
        place.move_on()
        assert taken(place, client).id != one.id

    def test_is_the_only_change_that_there_is(self, place: Clinic) -> None:
        client = place.client()
        one = taken(place, client)
        for sentence in (
            "UPDATE consent SET until_day = until_day + 1",
            "UPDATE consent SET kinds = '[\"whole\"]'",
            "UPDATE consent SET revoked_at = now(), revoked_by = taken_by, revoked_how = 'said', kinds = '[\"whole\"]'",
            "DELETE FROM consent",
            "TRUNCATE consent CASCADE",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(sentence))
        revoked(place, client, one)
        with pytest.raises(IntegrityError), place.database.writing() as session:
            session.execute(text("UPDATE consent SET revoked_at = NULL, revoked_by = NULL, revoked_how = NULL"))
        with place.database.reading() as session:
            kept = session.scalar(text("SELECT CAST(c AS text) FROM consent c"))
        assert "Thonburi" not in kept
        assert "Binder" not in kept
