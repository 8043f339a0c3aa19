"""Under a legal hold nothing of a client is wiped; it is set with a reason, lifted once, and opens nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

import notifications.service
from dispensary.clients.legal_hold_models import LegalHold
from dispensary.clients.legal_holds import held, held_clients, holds_of, lift_hold, refuse_while_held, set_hold
from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.phone.text_rules import forget_old_texts
from dispensary.refusals import BadInput, NotAllowed, NotThere
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId
from notifications.inbound import receive
from notifications.models import Inbound, Message, State
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks

ORDER = {"reason": "An inquest wants the dosing of March", "authority": "Coroner of Shah Alam, 14/2026"}


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def hold(here: Clinic, client: ClientId, actor: Actor | None = None, **other: str) -> LegalHold:
    with here.database.writing() as session:
        return set_hold(session, actor=actor or here.doctor, client_id=client, at=here.now, **{**ORDER, **other})


def lift(here: Clinic, one: LegalHold, reason: str = "The inquest is over", actor: Actor | None = None) -> LegalHold:
    with here.database.writing() as session:
        return lift_hold(session, actor=actor or here.doctor, hold_id=one.id, reason=reason, at=here.now)


def standing(here: Clinic, client: ClientId) -> bool:
    with here.database.reading() as session:
        return held(session, client) is not None


class TestAHold:
    def test_stands_until_it_is_lifted_by_its_own_reason(self, place: Clinic) -> None:
        client, other = place.client(), place.client()
        first, second = hold(place, client), hold(place, client, authority="High Court, WA-22-9")
        with place.database.reading() as session:
            assert (held(session, client).id, held(session, other)) == (first.id, None)
            assert held_clients(session) == [client]
        place.move_on()
        lift(place, first)
        assert standing(place, client)
        lift(place, second)
        assert not standing(place, client)
        with place.database.reading() as session:
            read = {each.authority: each for each in holds_of(session, client_id=client)}
            refuse_while_held(session, client)
        assert read[ORDER["authority"]].reason == ORDER["reason"]
        assert (read[ORDER["authority"]].lifted_by, read[ORDER["authority"]].lift_reason) == (
            "Dr. Lim Wei",
            "The inquest is over",
        )

    def test_is_refused_to_who_may_not_and_without_its_words(self, place: Clinic) -> None:
        client = place.client()
        with pytest.raises(NotAllowed, match="doctor or an administrator"):
            hold(place, client, actor=place.pharmacist)
        for field in ORDER:
            with pytest.raises(BadInput) as refused:
                hold(place, client, **{field: " "})
            assert [each.field for each in refused.value.refusals] == [field]
        with pytest.raises(BadInput):
            lift(place, hold(place, client), reason="")
        with pytest.raises(NotAllowed), place.database.writing() as session:
            refuse_while_held(session, client)

    def test_of_another_site_is_neither_set_nor_lifted(self, place: Clinic, now: datetime) -> None:
        away = clinic(place.database, now, code="AWAY")
        client = place.client()
        with pytest.raises(NotThere):
            hold(place, client, actor=away.doctor)
        with pytest.raises(NotThere):
            lift(place, hold(place, client), actor=away.doctor)

    def test_is_set_and_lifted_once_however_often_somebody_presses(self, place: Clinic) -> None:
        client = place.client()
        with ThreadPoolExecutor(6) as hands:
            one, *others = hands.map(lambda _: hold(place, client), range(6))
        assert {each.id for each in others} == {one.id}
        with ThreadPoolExecutor(6) as hands:
            assert len({each.lifted_at for each in hands.map(lambda _: lift(place, one), range(6))}) == 1

    def test_is_never_changed_otherwise_and_says_nothing_to_whoever_has_the_disk(self, place: Clinic) -> None:
        client = place.client()
        hold(place, client)
        for sentence in (
            "UPDATE legal_hold SET reason_sealed = 'x'",
            "UPDATE legal_hold SET set_at = set_at - interval '1 day'",
            "DELETE FROM legal_hold",
            "TRUNCATE legal_hold",
        ):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(sentence))
        lift(place, hold(place, client))
        with pytest.raises(IntegrityError), place.database.writing() as session:
            session.execute(text("UPDATE legal_hold SET lifted_at = NULL, lifted_by = NULL, lift_reason_sealed = NULL"))
        with place.database.reading() as session:
            assert "Coroner" not in session.scalar(text("SELECT string_agg(CAST(h AS text), '') FROM legal_hold h"))
            kept = "SELECT string_agg(act || details, '') FROM audit_entry WHERE act LIKE '%legal hold'"
            assert "Coroner" not in session.scalar(text(kept))


class TestTexts:
    def _reached(self, here: Clinic, client: ClientId, phone: str) -> None:
        with here.database.writing() as session:
            notifications.service.set_contact(
                session,
                vault=session.vault,
                recipient_id=client,
                phone=phone,
                language="en",
                region="MY",
                now=here.now,
                consented=True,
                place_id=here.site_id,
            )

    def _texted(self, here: Clinic, client: ClientId) -> None:
        with here.database.writing() as session:
            queued = notifications.service.queue(
                session,
                vault=session.vault,
                recipient_id=client,
                kind="booking_reminder",
                reason_key=f"reminder:{client}",
                fields={"at": here.now},
                zone=ZoneInfo("Asia/Kuala_Lumpur"),
                now=here.now,
                valid_until=here.now + timedelta(days=1),
            )
            assert queued is not None
            session.execute(
                text("UPDATE message SET state = :s, next_attempt_at = NULL WHERE state = 'queued'"),
                {"s": State.EXPIRED},
            )

    def _wrote(self, here: Clinic, phone: str) -> None:
        with here.database.writing() as session:
            receive(
                session,
                vault=session.vault,
                gateway="test",
                message_id=phone,
                phone=phone,
                text="SLOTS",
                at=here.now,
            )

    def _wiped(self, here: Clinic) -> tuple[dict[ClientId | None, bool], int]:
        with here.database.writing() as session:
            forget_old_texts(session, site_id=here.site_id, at=here.now)
        with here.database.reading() as session:
            out = {row.recipient_id: row.wiped_at is not None for row in session.scalars(select(Message))}
            return out, len(session.scalars(select(Inbound).where(Inbound.wiped_at.is_not(None))).all())

    def test_keep_their_words_and_lose_them_the_night_after_it_is_lifted(self, place: Clinic) -> None:
        kept, gone = place.client(), place.client()
        for client, phone in ((kept, "+60123456781"), (gone, "+60123456782")):
            self._reached(place, client, phone)
            self._texted(place, client)
            self._wrote(place, phone)
        one = hold(place, kept)
        self._reached(place, kept, "+60123456783")  # another number since: what came from the old one stays too
        place.move_on(91)
        out, came_in = self._wiped(place)
        assert (out, came_in) == ({kept: False, None: True}, 1)
        with pytest.raises(IntegrityError, match="legal hold"), place.database.writing() as session:
            session.execute(
                text(
                    "UPDATE message SET wiped_at = now(), recipient_id = NULL, phone_sealed = '', phone_index = '',"
                    " body_sealed = '' WHERE wiped_at IS NULL"
                )
            )
        lift(place, one)
        out, came_in = self._wiped(place)
        assert (out, came_in) == ({None: True}, 2)


class TestThePages:
    @pytest.fixture
    def here(self, database: Database, now: datetime, tmp_path: Path) -> Desks:
        return desks(database, now, tmp_path)

    def test_set_by_number_stand_at_the_record_and_are_lifted_with_a_reason(self, here: Desks) -> None:
        client = here.place.client()
        with here.database.reading() as session:
            number = session.get_one(Client, client).number
        path = "/disclosure/legal-holds"
        wrong = here.administrator.post(path, {**ORDER, "number": "X999"})
        assert (wrong.status_code, ORDER["authority"] in wrong.text) == (422, True)
        assert here.administrator.post(path, {**ORDER, "number": number.lower()}).status_code == 303
        assert "Nothing of this record may be wiped or erased" in here.doctor.get(f"/consulting/clients/{client}").text
        assert "under a legal hold" in here.administrator.get("/office/texts").text
        shown = here.doctor.get(path).text
        assert number in shown
        assert ORDER["authority"] in shown
        with here.database.reading() as session:
            (one,) = session.scalars(select(LegalHold))
        again = here.doctor.post(f"{path}/{one.id}/lift", {"lift_reason": ""})
        assert again.status_code == 422
        assert here.doctor.post(f"{path}/{one.id}/lift", {"lift_reason": "closed"}).status_code == 303
        assert not standing(here.place, client)
        assert here.acts_about(client)[-2:] == ["looked at", "lifted legal hold"]

    def test_are_not_for_the_others(self, here: Desks) -> None:
        for role in (Role.RECEPTION, Role.PHARMACIST, Role.NURSE, Role.EVALUATOR):
            assert here.seat(role).get("/disclosure/legal-holds").status_code == 403
            assert here.seat(role).get("/disclosure").status_code == 403
