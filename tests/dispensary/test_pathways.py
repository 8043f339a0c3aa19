"""Pathways: what a result opens for which role; a no changes nothing anywhere; low risk is led into nothing."""

from __future__ import annotations

import copy
import re
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.care.instruments import Score, instruments
from dispensary.care.offer_models import Answer, ServiceOffer
from dispensary.care.offers import answer_offer, follow_pathway, offer, offers_of, opens
from dispensary.care.pathways import LOW, OfferKind, opened_by, read_pathways, shipped
from dispensary.care.referral_models import Service
from dispensary.care.screenings import Taken
from dispensary.database import Database
from dispensary.documents import BadDocument
from dispensary.monitoring.sources import document
from dispensary.refusals import BadInput, NotAllowed, NotThere
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def table() -> dict[str, Any]:
    return copy.deepcopy(document("pathways", room="dispensary.care"))


def opened(pathway: str, instrument: str, band: str, role: Role) -> tuple[str, ...]:
    scores = [Score("", 5, band)]
    return tuple(opened_by(shipped().pathways[pathway], instrument, scores, {role}))


class TestAPathway:
    @pytest.mark.parametrize(
        ("pathway", "instrument", "band", "role", "offers"),
        [
            ("who-assist", "assist", "low", Role.NURSE, ("result",)),
            ("who-assist", "assist", "moderate", Role.NURSE, ("result", "brief_intervention")),
            ("who-assist", "assist", "high", Role.DOCTOR, ("result", "brief_intervention", "specialist")),
            ("who-assist", "assist", "high", Role.PHARMACIST, ()),
            ("who-assist", "srq20", "negative", Role.NURSE, ()),
            ("who-assist", "srq20", "", Role.NURSE, ()),
            ("ph-client-flow", "dast10", "severe", Role.PHARMACIST, ("result", "severity")),
            ("ph-client-flow", "dast10", "low", Role.NURSE, ("result", "leaflet")),
            ("ph-client-flow", "assist", "high", Role.NURSE, ()),
        ],
    )
    def test_opens_by_band_and_role(
        self, pathway: str, instrument: str, band: str, role: Role, offers: tuple[str, ...]
    ) -> None:
        assert opened(pathway, instrument, band, role) == offers

    def test_opens_of_several_substances_each_offer_once(self) -> None:
        scores = [Score("alcohol", 12, "moderate"), Score("opioids", 33, "high"), Score("cannabis", 2, "low")]
        found = opened_by(shipped().pathways["who-assist"], "assist", scores, {Role.NURSE})
        assert found == ("result", "brief_intervention", "specialist")

    def test_offers_information_alone_where_risk_is_low_whatever_the_document_says(self) -> None:
        offers = shipped().offers
        for pathway in shipped().pathways.values():
            for step in pathway.step:
                if LOW & set(step.bands):
                    assert {offers[key].kind for key in step.offers} == {OfferKind.INFORMATION}
        wrong = table()
        wrong["pathway"][0]["step"][0]["offers"] = ["result", "sessions"]
        with pytest.raises(BadDocument, match="where risk is low"):
            read_pathways(wrong)

    @pytest.mark.parametrize("word", ["required", "must_accept", "forced", "holds_take_home", "if_declined"])
    def test_has_no_word_for_making_anybody_take_it(self, word: str) -> None:
        wrong = table()
        wrong["pathway"][0]["step"][2][word] = True
        with pytest.raises(BadDocument, match="offers and nothing else"):
            read_pathways(wrong)

    def test_names_instruments_offers_and_services_that_there_are(self) -> None:
        services = {each.service for each in shipped().offers.values() if each.kind is OfferKind.REFERRAL}
        assert services <= {each.value for each in Service}
        wrong = table()
        wrong["pathway"][1]["step"][0]["instrument"] = "cage"
        wrong["pathway"][1]["step"][1]["offers"] = ["prison"]
        with pytest.raises(BadDocument) as said:
            read_pathways(wrong)
        assert len(said.value.problems) == 2

    def test_is_followed_when_a_doctor_signs_for_it(self, place: Clinic) -> None:
        taken = Taken(
            uuid4(), instruments()["assist"], place.today, place.now, "", (Score("opioids", 30, "high"),), voided=False
        )

        def opening() -> list[str]:
            with place.database.reading() as session:
                return [each.key for each in opens(session, actor=place.doctor, taken=taken)]

        def follow(pathway: str, reason: str = "our committee", *, who: Actor = place.doctor) -> None:
            with place.database.writing() as session:
                follow_pathway(session, actor=who, pathway=pathway, reason=reason, at=place.now)

        assert opening() == []
        follow("who-assist")
        assert opening() == ["result", "brief_intervention", "specialist"]
        follow("")
        assert opening() == []
        with pytest.raises(BadInput):
            follow("elsewhere", " ")
        with pytest.raises(NotAllowed):
            follow("who-assist", who=place.pharmacist)


def offered(place: Clinic, client: ClientId, what: str, answer: Answer, key: UUID | None = None) -> UUID:
    return place.database.write(
        lambda session: (
            offer(
                session,
                actor=place.doctor,
                client_id=client,
                what=what,
                answer=answer,
                screening_id=None,
                key=key or uuid4(),
                today=place.today,
                at=place.now,
            ).id
        )
    )


class TestAnOffer:
    def test_that_is_declined_changes_nothing_anywhere(self, place: Clinic) -> None:
        client = place.client()
        place.decide(client, per_supply=3)
        first = offered(place, client, "sessions", Answer.OPEN)
        before = everything(place.database)

        offered(place, client, "specialist", Answer.DECLINED)
        with place.database.writing() as session:
            answer_offer(
                session, actor=place.doctor, client_id=client, offer_id=first, answer=Answer.DECLINED, at=place.now
            )

        after = everything(place.database)
        changed = {name for name in after if after[name] != before[name]}
        assert changed == {"service_offer", "audit_entry", "audit_chain"}
        assert place.give(client, take_home_days=place.ahead(1)).supply_id

    def test_is_read_by_the_pages_of_care_and_nothing_else(self) -> None:
        """Beside them by what brings records in whole: a programme made from a folder, and a site that joins."""
        named = re.compile(r"service_offer|ServiceOffer|care\.offers|pathway_setting|PathwaySetting")
        readers = {
            path.relative_to(ROOT).as_posix()
            for house in ("dispensary", "scheduling", "notifications")
            for path in (ROOT / house).rglob("*.py")
            if named.search(path.read_text(encoding="utf-8"))
        }
        assert readers == {
            "dispensary/apart/tables.py",
            "dispensary/care/offer_models.py",
            "dispensary/demo/care.py",
            "dispensary/care/offers.py",
            "dispensary/care/wanted.py",
            "dispensary/desks/care.py",
            "dispensary/desks/care_day.py",
            "dispensary/desks/care_offers.py",
            "dispensary/desks/asking_setting.py",
            "dispensary/migrations/versions/0057b_offers.py",
            "dispensary/migrations/versions/0078_wanted.py",
            "dispensary/programmes/acts/screening.py",
            "dispensary/published/figures/care.py",
            "dispensary/programmes/opening.py",
            "dispensary/supplies/told_care.py",
        }

    def test_is_answered_once_and_offered_anew_to_whoever_thinks_otherwise(self, place: Clinic) -> None:
        client, key = place.client(), uuid4()
        first = offered(place, client, "support_group", Answer.OPEN, key)
        assert offered(place, client, "support_group", Answer.OPEN, key) == first

        def said(answer: Answer, whose: ClientId = client) -> ServiceOffer:
            with place.database.writing() as session:
                return answer_offer(
                    session, actor=place.doctor, client_id=whose, offer_id=first, answer=answer, at=place.now
                )

        with pytest.raises(NotThere):
            said(Answer.ACCEPTED, place.client())
        with pytest.raises(BadInput):
            said(Answer.OPEN)
        assert said(Answer.DECLINED).answered_at == said(Answer.DECLINED).answered_at
        with pytest.raises(NotThere):
            said(Answer.ACCEPTED)
        offered(place, client, "support_group", Answer.ACCEPTED)
        with place.database.reading() as session:
            assert {row.answer for row in offers_of(session, client_id=client)} == {"declined", "accepted"}
        for sentence in ("UPDATE service_offer SET answer = 'accepted'", "DELETE FROM service_offer"):
            with pytest.raises(IntegrityError), place.database.writing() as session:
                session.execute(text(sentence))


def everything(database: Database) -> dict[str, str]:
    """A digest of each table, whatever it holds."""
    with database.reading() as session:
        names = list(session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))
        return {
            name: str(
                session.scalar(
                    text(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {name} t")
                )
            )
            for name in names
        }
