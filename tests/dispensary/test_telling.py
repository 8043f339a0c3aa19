"""What leaves of one client: covered, on the register in the same moment, the least that serves, with its notice."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.clients.consent_models import ClientConsent
from dispensary.clients.consent_rules import Information, Revoked
from dispensary.clients.consents import revoke_consent
from dispensary.clients.disclosing import disclosures_of
from dispensary.clients.disclosure_models import Release
from dispensary.clients.notices import DEFAULT, notice_of, set_notice, shipped_notices
from dispensary.clients.telling import tell_by_consent, tell_in_emergency
from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, Refused
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_consents import taken
from tests.dispensary.visiting import text_of
from tests.paper import words_of

SOME = frozenset({Information.ATTENDANCE})


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def told(here: Clinic, client: ClientId, consent: ClientConsent, **other: Any) -> Release:
    asked = {"kinds": SOME, "event_not_come": False, "what": "attendance", "key": uuid4(), **other}
    with here.database.writing() as session:
        return tell_by_consent(
            session,
            actor=here.doctor,
            client_id=client,
            consent_id=consent.id,
            today=here.today,
            at=here.now,
            **asked,
        )


def lines(here: Clinic, client: ClientId) -> int:
    with here.database.reading() as session:
        return len(disclosures_of(session, client_id=client))


class TestByConsent:
    def test_goes_to_whom_it_names_with_what_it_says(self, place: Clinic) -> None:
        client = place.client()
        consent = taken(place, client)
        told(place, client, consent)
        with place.database.reading() as session:
            (line,) = disclosures_of(session, client_id=client)
        assert (line.recipient, line.reason, line.authority, line.kinds, line.ground, line.notice) == (
            "Thonburi Criminal Court, Judge Somchai",
            "The report that the court asked for",
            "Binder C, sheet 14",
            (Information.ATTENDANCE,),
            "consent",
            DEFAULT,
        )

    def test_is_refused_for_more_than_it_names_before_and_after_its_days_and_when_revoked(self, place: Clinic) -> None:
        client = place.client()
        consent = taken(place, client)
        with pytest.raises(Refused, match="does not name all"):
            told(place, client, consent, kinds=frozenset({Information.DOSES}))
        with place.database.writing() as session:
            revoke_consent(
                session,
                actor=place.doctor,
                client_id=client,
                consent_id=consent.id,
                how=Revoked.SAID,
                at=place.now,
            )
        with pytest.raises(Refused, match="has revoked"):
            told(place, client, consent)
        place.move_on()
        short = taken(place, client, until_day=place.today)
        place.move_on()
        with pytest.raises(Refused, match="ended on"):
            told(place, client, short)
        assert lines(place, client) == 0

    def test_until_an_event_asks_each_time_whether_it_has_come(self, place: Clinic) -> None:
        client = place.client()
        consent = taken(place, client, until_day=None, until_event="the case is closed")
        with pytest.raises(BadInput, match="the case is closed"):
            told(place, client, consent)
        told(place, client, consent, event_not_come=True)
        assert lines(place, client) == 1

    def test_is_one_line_however_often_the_form_is_sent(self, place: Clinic) -> None:
        client, key = place.client(), uuid4()
        consent = taken(place, client)
        with ThreadPoolExecutor(6) as hands:
            assert len({one.id for one in hands.map(lambda _: told(place, client, consent, key=key), range(6))}) == 1
        assert lines(place, client) == 1

    def test_is_not_told_by_a_consent_that_is_revoked_in_the_same_moment(self, place: Clinic) -> None:
        """Whichever is first: no line of the register is younger than the revocation that it knew of."""
        for _ in range(8):
            client = place.client()
            consent = taken(place, client)

            def revoke(client: ClientId = client, consent: ClientConsent = consent) -> None:
                with place.database.writing() as session:
                    revoke_consent(
                        session,
                        actor=place.doctor,
                        client_id=client,
                        consent_id=consent.id,
                        how=Revoked.SAID,
                        at=place.now,
                    )

            def tell(client: ClientId = client, consent: ClientConsent = consent) -> bool:
                try:
                    told(place, client, consent)
                except Refused:
                    return False
                return True

            with ThreadPoolExecutor(2) as hands:
                said, _ = hands.submit(tell), hands.submit(revoke)
            assert lines(place, client) == int(said.result())
            with pytest.raises(Refused, match="has revoked"):
                told(place, client, consent)

    @pytest.mark.parametrize(
        ("consent", "kinds", "whose"),
        [
            ("of_another", '["attendance"]', "client"),
            ("revoked", '["attendance"]', "client"),
            ("over", '["attendance"]', "client"),
            ("good", '["attendance", "results"]', "client"),
            ("good", "[]", "client"),
            ("good", '["attendance"]', "other"),
            (None, '["attendance"]', "client"),
        ],
    )
    def test_the_database_keeps_no_line_that_a_consent_does_not_cover(
        self, place: Clinic, consent: str | None, kinds: str, whose: str
    ) -> None:
        client, other = place.client(), place.client()
        consents = {
            "good": taken(place, client),
            "of_another": taken(place, other),
            "revoked": taken(place, client, purpose="another"),
            "over": taken(place, client, purpose="a third", until_day=place.today),
        }
        with place.database.writing() as session:
            revoke_consent(
                session,
                actor=place.doctor,
                client_id=client,
                consent_id=consents["revoked"].id,
                how=Revoked.SAID,
                at=place.now,
            )
        at = place.now + timedelta(days=1 if consent == "over" else 0)
        release = uuid4()
        named = client if whose == "client" else other

        def put_in() -> None:
            with place.database.writing() as session:
                session.execute(text(line), values)
                session.execute(text("INSERT INTO disclosure VALUES (:r, :c)"), {"r": release, "c": named})

        line = """INSERT INTO release (id, site_id, at, account_id, what, ground, authority_sealed, recipient_sealed,
            reason_sealed, kinds, consent_id)
            VALUES (:id, :site, :at, :who, 'w', 'consent', '', '', '', CAST(:kinds AS jsonb), :consent)"""
        values = {
            "id": release,
            "site": place.site_id,
            "at": at,
            "who": place.doctor.account_id,
            "kinds": kinds,
            "consent": consents[consent].id if consent else None,
        }
        with pytest.raises(IntegrityError, match="consent"):
            put_in()


class TestInAnEmergency:
    def test_waits_for_nothing_but_whom_and_asks_for_the_words_by_tomorrow(self, place: Clinic) -> None:
        client = place.client()
        with pytest.raises(BadInput, match="Who is told"), place.database.writing() as session:
            tell_in_emergency(session, recipient=" ", **self._asked(place, client))
        with place.database.writing() as session:
            release = tell_in_emergency(session, recipient="Dr. Rao, Hospital Selayang", **self._asked(place, client))
        with place.database.reading() as session:
            (line,) = disclosures_of(session, client_id=client)
            due = "SELECT role || ' ' || (due_on - CAST(:d AS date)) FROM task WHERE done_at IS NULL"
            assert session.scalar(text(due), {"d": place.today}) == "doctor 1"
        assert (line.release_id, line.owes_words, line.reason) == (release.id, True, "")

    def _asked(self, here: Clinic, client: ClientId) -> dict[str, Any]:
        return {
            "actor": here.pharmacist,
            "client_id": client,
            "kinds": frozenset({Information.DOSES}),
            "what": "doses",
            "key": uuid4(),
            "today": here.today,
            "at": here.now,
        }


class TestTheNotice:
    def test_is_the_site_s_and_what_left_keeps_the_one_that_it_left_with(self, place: Clinic) -> None:
        client = place.client()
        consent = taken(place, client)
        told(place, client, consent)
        boss = replace(place.doctor, roles=frozenset({Role.ADMINISTRATOR}))
        with pytest.raises(NotAllowed), place.database.writing() as session:
            set_notice(session, actor=place.doctor, shipped="us-42cfr2.32-2024", words="", source="", at=place.now)
        for wrong in ({"shipped": "xx"}, {"words": "Do not pass on."}, {"source": "Act 234"}):
            with pytest.raises(BadInput), place.database.writing() as session:
                set_notice(session, actor=boss, at=place.now, **{"shipped": "", "words": "", "source": "", **wrong})
        with place.database.writing() as session:
            set_notice(session, actor=boss, shipped="", words="Do not pass on.", source="Act 234", at=place.now)
        told(place, client, consent)
        with place.database.reading() as session:
            own = notice_of(session, site_id=place.site_id)
            assert own.said("ms") == "Do not pass on."
            assert [line.notice for line in disclosures_of(session, client_id=client)] == [own.key, DEFAULT]

    def test_that_comes_with_the_program_says_on_what_it_rests(self) -> None:
        assert "42 CFR 2.32" in shipped_notices()["us-42cfr2.32-2024"].source
        assert all(each.source and each.said("en") for each in shipped_notices().values())


class TestThePages:
    @pytest.fixture
    def here(self, database: Database, now: datetime, tmp_path: Path) -> Desks:
        return desks(database, now, tmp_path)

    def _consent(self, here: Desks, at: str, **other: str) -> UUID:
        form = {
            "kinds": "attendance",
            "recipient_kind": "court",
            "recipient": "Thonburi Court",
            "purpose": "Report",
            "from_day": here.today.isoformat(),
            "until_day": (here.today + timedelta(days=30)).isoformat(),
            "signed": "paper",
            "signature": "Binder C",
            **other,
        }
        answer = here.doctor.post(f"{at}/consent", form)
        assert answer.status_code == 303, text_of(answer)
        with here.database.reading() as session:
            return session.scalars(select(ClientConsent.id).order_by(ClientConsent.taken_at.desc())).first()  # type: ignore[return-value]

    def test_from_the_form_to_the_paper_and_to_the_end(self, here: Desks) -> None:
        client = here.place.client()
        here.place.give(client)
        at = f"/consulting/clients/{client}/disclosing"
        form = {"kinds": ["attendance"], "recipient_kind": "court", "recipient": "Thonburi Court", "purpose": "Report"}
        form |= {"from_day": here.today.isoformat(), "until_event": "the sentence is spoken"}
        to_sign = here.doctor.post(f"{at}/consent.pdf", form)
        assert to_sign.headers["content-type"] == "application/pdf"
        said = words_of(to_sign.content)
        for element in ("Ahmad Test", "Harapan", "Thonburi Court", "on which days they came", "Report", "24 November",
                        "the sentence is spoken", "take this back at any time", "My signature"):  # fmt: skip
            assert element in said
        wrong = here.doctor.post(f"{at}/consent", {**form, "signed": "paper", "recipient": ""})
        assert (wrong.status_code, "the sentence is spoken" in wrong.text) == (422, True)

        consent = self._consent(here, at)
        assert "Thonburi Court" in here.doctor.get(at).text
        days = {"first": (here.today - timedelta(days=7)).isoformat(), "last": here.today.isoformat()}
        paper = here.doctor.post(f"{at}/tell.pdf", {"on": str(consent), "kinds": "attendance", **days})
        assert paper.headers["content-type"] == "application/pdf"
        said = words_of(paper.content)
        assert "came on 1 day" in said
        assert shipped_notices()[DEFAULT].said("en") in said
        assert "mg" not in said
        more = here.doctor.post(f"{at}/tell.pdf", {"on": str(consent), "kinds": ["attendance", "doses"], **days})
        assert (more.status_code, "consent-less" in more.text) == (409, True)
        account = words_of(here.doctor.get(f"{at}/account.pdf").content)
        assert "To: Thonburi Court What: on which days they came Why: with their consent For: Report" in account
        assert here.doctor.post(f"{at}/consents/{consent}/revoke", {"how": "said"}).status_code == 303
        assert (
            here.doctor.post(f"{at}/tell.pdf", {"on": str(consent), "kinds": "attendance", **days}).status_code == 409
        )
        assert lines(here.place, client) == 1

    def test_nothing_leaves_when_the_line_is_not_kept(self, here: Desks) -> None:
        client = here.place.client()
        at = f"/consulting/clients/{client}/disclosing"
        consent = self._consent(here, at)
        with here.database.writing() as session:
            session.execute(text("ALTER TABLE disclosure ADD CONSTRAINT no CHECK (false)"))
        days = {"first": here.today.isoformat(), "last": here.today.isoformat()}
        answer = here.doctor.post(f"{at}/tell.pdf", {"on": str(consent), "kinds": "attendance", **days})
        assert answer.status_code == 409
        assert b"%PDF" not in answer.content
        assert lines(here.place, client) == 0

    def test_an_emergency_is_told_by_the_counter_too_and_gets_its_words(self, here: Desks) -> None:
        client = here.place.client()
        here.place.give(client)
        at = f"/consulting/clients/{client}/disclosing"
        pharmacist = here.seat(Role.PHARMACIST)
        page = pharmacist.get(f"{at}/emergency").text
        hidden = dict(re.findall(r'name="(first|last)" value="([\d-]+)"', page))
        paper = pharmacist.post(f"{at}/emergency.pdf", {"recipient": "Dr. Rao, Selayang", "kinds": "doses", **hidden})
        said = words_of(paper.content)
        assert "80 mg, taken at the counter" in said
        assert "in a medical emergency" in said
        shown = here.doctor.get(at).text
        assert "words are missing" in shown
        path = re.search(rf"{at}/releases/[\w-]+/words", shown)
        assert path
        assert here.doctor.post(path[0], {"words": ""}).status_code == 422
        assert here.doctor.post(path[0], {"words": "unconscious at the bus stop"}).status_code == 303
        shown = here.doctor.get(at).text
        assert "words are missing" not in shown
        assert "unconscious at the bus stop" in shown
        assert "did task" in here.acts_about(client)

    def test_are_for_those_whose_work_it_is(self, here: Desks) -> None:
        client = here.place.client()
        at = f"/consulting/clients/{client}/disclosing"
        assert here.seat(Role.RECEPTION).get(at).status_code == 403
        assert here.seat(Role.EVALUATOR).get(at).status_code == 403
        assert here.seat(Role.NURSE).get(f"{at}/tell").status_code == 403
        assert here.seat(Role.NURSE).post(f"{at}/tell.pdf", {}).status_code == 403
        assert here.seat(Role.PHARMACIST).get(f"{at}/consent").status_code == 200
