"""A client's days become a history, and a policy that a site has adopted says what it means."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import DBAPIError

from dispensary.care.reaching import NEEDS_HELP
from dispensary.clients.models import Client, Episode
from dispensary.database import Database, broken_constraint
from dispensary.monitoring.models import Alert
from dispensary.prescribing.models import DoseOrder
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.supplies.models import Dose
from dispensary.takehome.history import History, OpenAlert
from dispensary.takehome.models import PolicyAdoption, PolicyVersion
from dispensary.takehome.policy import shipped_policies
from dispensary.takehome.publishing import adopt, publish, publish_policies
from dispensary.takehome.queries import history_of, history_of_all, last_assessment, policy_of
from dispensary.takehome.service import replay
from dispensary.units import ClientId, SiteId, new_id
from tests.dispensary.takehome_place import CLINIC, SIX, TODAY, US, Place, ago, codes, freeze, give, opened


@pytest.fixture
def place(database: Database, now: datetime) -> Place:
    return opened(database, now)


class TestPublishing:
    def test_shipped_policies_are_kept_word_for_word_once(self, place: Place) -> None:
        place.do(lambda session: publish_policies(session, at=place.now))
        with place.database.reading() as session:
            kept = session.scalars(select(PolicyVersion)).all()
        assert sorted(version.document for version in kept) == sorted(shipped_policies())
        assert {version.policy: version.status for version in kept}["PING-AN-ADHERENCE"] == "draft"

    def test_a_changed_document_under_the_same_version_is_refused(self, place: Place) -> None:
        document = shipped_policies()[0]
        with pytest.raises(Refused) as refused:
            place.do(lambda session: publish(session, document=document + "\n# a remark\n", at=place.now))
        assert codes(refused) == ["policy-published"]
        again = document.replace('version = "1"', 'version = "2"')
        assert place.do(lambda session: publish(session, document=again, at=place.now)).version == "2"

    def test_a_document_that_is_no_policy_is_refused_with_every_problem(self, place: Place) -> None:
        with pytest.raises(BadInput) as refused:
            place.do(lambda session: publish(session, document='policy = "X"', at=place.now))
        assert len(codes(refused)) > 5
        assert set(codes(refused)) == {"policy-problem"}

    def test_nothing_changes_a_published_version(self, place: Place) -> None:
        for change in (update(PolicyVersion).values(document=""), delete(PolicyVersion)):
            with pytest.raises(DBAPIError) as refused, place.database.writing() as session:
                session.execute(change)
            assert broken_constraint(refused.value) == "never_changed"


class TestAdopting:
    def test_a_site_follows_one_policy_at_a_time_and_the_next_from_its_day_on(self, place: Place) -> None:
        first = place.adopt(US)
        second = place.adopt(CLINIC, TODAY + timedelta(days=7))
        with place.database.reading() as session:
            assert policy_of(session, place.site_id, ago(1)) is None
            followed = [policy_of(session, place.site_id, TODAY + timedelta(days=n)) for n in (0, 6, 7, 400)]
        assert [version.id for version in followed if version] == [first, first, second, second]

    def test_adopting_again_for_the_same_day_takes_its_place(self, place: Place) -> None:
        place.adopt(US)
        place.adopt(US, TODAY + timedelta(days=9))
        chosen = place.adopt(CLINIC)
        with place.database.reading() as session:
            assert [one.policy_version_id for one in session.scalars(select(PolicyAdoption))] == [chosen]

    def test_days_that_passed_under_a_policy_keep_it(self, place: Place) -> None:
        place.adopt(US, ago(300))
        with pytest.raises(Refused) as refused:
            place.adopt(CLINIC, ago(1))
        assert codes(refused) == ["policy-backdated"]

    def test_what_is_not_published_or_not_in_force_is_not_adopted(self, place: Place) -> None:
        with pytest.raises(NotThere) as unknown:
            place.adopt("NOWHERE-1999")
        assert "PING-AN-ADHERENCE 2" in unknown.value.first.remedy
        with pytest.raises(Refused) as early:
            place.adopt(US, date(2024, 4, 1))
        assert codes(early) == ["policy-not-in-force"]

    def test_nobody_adopts_for_another_site(self, place: Place) -> None:
        with pytest.raises(NotAllowed), place.database.writing() as session:
            adopt(
                session,
                actor=replace(place.doctor, site_id=SiteId(new_id())),
                site_id=place.site_id,
                policy=US,
                version="1",
                from_day=TODAY,
                at=place.now,
            )


class TestHistory:
    def test_it_is_read_from_frozen_days_with_open_ones_by_theirgive(self, place: Place) -> None:
        client_id = place.client("cchmmcoc", lockbox=True, employed=False)
        with place.database.reading() as session:
            history = history_of(session, client_id, TODAY)
        assert history == History(
            first_dose_day=ago(8),
            record_from=ago(8),
            record="cchmmcoc",
            dose_stable_since=ago(8),
            lockbox=True,
            employed=False,
        )

    def test_days_that_are_not_closed_count_by_theirgive(self, place: Place) -> None:
        client_id = place.client("coo", portions=2)
        with place.database.writing() as session:
            order = session.scalars(select(DoseOrder)).one()
            give(session, place, client_id, order.episode_id, order, ago(2), range(1, 3))
            give(session, place, client_id, order.episode_id, order, ago(1), range(1, 2))
            history = history_of(session, client_id, TODAY)
        assert history is not None
        assert history.record == "ccp"

    def test_a_day_of_which_one_portion_was_missed_was_covered_in_part(self, place: Place) -> None:
        client_id = place.client("coo", portions=2)
        with place.database.writing() as session:
            order = session.scalars(select(DoseOrder)).one()
            freeze(session, place, client_id, order.episode_id, order, ago(2), "c", "m")
            freeze(session, place, client_id, order.episode_id, order, ago(1), "m", "h")
            history = history_of(session, client_id, TODAY)
        assert history is not None
        assert history.record == "cpm"

    def test_a_voided_dose_covers_nothing(self, place: Place) -> None:
        client_id = place.client("o")
        with place.database.writing() as session:
            order = session.scalars(select(DoseOrder)).one()
            give(session, place, client_id, order.episode_id, order, ago(1), range(1, 2))
            session.execute(update(Dose).values(voided_at=place.now))
            history = history_of(session, client_id, TODAY)
        assert history is not None
        assert (history.record, history.first_dose_day) == ("o", None)

    def test_the_dose_is_stable_since_the_last_change_of_its_amount(self, place: Place) -> None:
        client_id = place.client("")
        with place.database.writing() as session:
            session.execute(update(Episode).values(began_on=ago(50)))
            order = session.scalars(select(DoseOrder)).one()
            order.voided_at = place.now
            session.flush()
            chain = [(50, "80"), (40, "90"), (30, "80"), (20, "80"), (-5, "60")]
            for (begins, mg), (ends, _) in zip(chain, [*chain[1:], (None, "")], strict=True):
                last = ends is None
                session.add(
                    DoseOrder(
                        episode_id=order.episode_id,
                        client_id=client_id,
                        site_id=place.site_id,
                        days=Range(ago(begins), None if last else ago(ends), bounds="[)"),
                        mg=Decimal(mg),
                        portions=[Decimal(mg)],
                        end_reason=None if last else "superseded",
                        ended_at=None if last else place.now,
                        reason="-",
                        ordered_at=place.now,
                    )
                )
            session.flush()
            found = [history_of(session, client_id, on) for on in (ago(45), ago(35), TODAY, ago(-5))]
        assert [one and one.dose_stable_since for one in found] == [ago(50), ago(40), ago(30), ago(-5)]

    def test_alerts_count_on_the_days_on_which_they_were_open_and_a_call_for_help_never(self, place: Place) -> None:
        client_id = place.client("c" * 10)
        with place.database.writing() as session:
            for cause, opened, resolved in (("ecg", 5, None), ("diversion", 4, 2), (NEEDS_HELP, 5, None)):
                session.add(
                    Alert(
                        site_id=place.site_id,
                        client_id=client_id,
                        cause=cause,
                        severity="urgent",
                        role="doctor",
                        sentence="-",
                        opened_at=place.now - timedelta(days=opened),
                        resolved_at=place.now - timedelta(days=resolved) if resolved else None,
                        resolution="done" if resolved else "",
                    )
                )
            session.flush()
            found = [history_of(session, client_id, on) for on in (ago(6), ago(3), TODAY)]
        ecg, diversion = OpenAlert("ecg", "urgent", ago(5)), OpenAlert("diversion", "urgent", ago(4))
        assert [one and one.open_alerts for one in found] == [(), (ecg, diversion), (ecg,)]

    def test_everybody_at_once_is_the_same_as_one_by_one(self, place: Place) -> None:
        clients = [place.client(record) for record in ("c" * 40, "cmcmho", "", "m" * 3)]
        with place.database.reading() as session:
            together = history_of_all(session, place.site_id, TODAY)
            alone = {client_id: history_of(session, client_id, TODAY) for client_id in clients}
        assert together == alone

    def test_a_year_is_read_and_no_more(self, place: Place) -> None:
        client_id = place.client("m" * 10 + "c" * 365)
        with place.database.reading() as session:
            history = history_of(session, client_id, TODAY)
        assert history is not None
        assert history.record == "c" * 365
        assert history.first_dose_day == ago(365)

    def test_who_is_in_no_episode_has_no_history(self, place: Place) -> None:
        client_id = place.client("ccc")
        with place.database.reading() as session:
            assert history_of(session, client_id, ago(4)) is None
            assert history_of_all(session, place.site_id, ago(4)) == {}


class TestAssessing:
    def test_it_keeps_inputs_result_and_policy_and_replays_to_the_same(self, place: Place) -> None:
        version = place.adopt(CLINIC)
        client_id = place.client("c" * 26 + "mm", lockbox=True, housing_stable=True)
        kept = place.assess(client_id)
        assert (kept.level, kept.policy_version_id) == ("4 a week", version)
        assert kept.result["figures"]["missed_days"] == ["2026-11-22", "2026-11-23"]
        with place.database.reading() as session:
            assert replay(session, kept.id)
            newest = last_assessment(session, client_id)
            assert newest is not None
            assert newest.id == kept.id
        assert place.acts()[-1] == "assessed take-home"

    def test_later_days_and_flags_do_not_change_what_is_replayed(self, place: Place) -> None:
        place.adopt(CLINIC)
        client_id = place.client("c" * 28, lockbox=True)
        kept = place.assess(client_id)
        with place.database.writing() as session:
            session.execute(update(Client).values(lockbox=False))
        place.adopt(US, TODAY + timedelta(days=1))
        with place.database.reading() as session:
            assert replay(session, kept.id)

    @pytest.mark.parametrize(
        "change",
        [
            "inputs = jsonb_set(inputs, '{history,record}', to_jsonb(repeat('c', 28)))",
            "result = jsonb_set(result, '{allowance,per_week}', '6')",
            "level = '6 a week'",
            "inputs_sha256 = sha256('x')",
            "inputs = '{}'",
            "inputs = jsonb_set(inputs, '{history,open_alerts}', '3')",
            "inputs = jsonb_set(inputs, '{history,record_from}', '\"yesterday\"')",
        ],
    )
    def test_a_tampered_assessment_is_found(self, place: Place, change: str) -> None:
        place.adopt(CLINIC)
        kept = place.assess(place.client("c" * 26 + "mm"))
        with pytest.raises(DBAPIError), place.database.writing() as session:
            session.execute(text(f"UPDATE assessment SET {change}"))
        with place.database.writing() as session:
            session.execute(text("ALTER TABLE assessment DISABLE TRIGGER never_changed"))
            session.execute(text(f"UPDATE assessment SET {change}"))
        with place.database.reading() as session:
            assert not replay(session, kept.id)

    def test_what_the_practitioner_answers_is_part_of_the_inputs(self, place: Place) -> None:
        place.adopt(US)
        client_id = place.client("c" * 40)
        open_questions = place.assess(client_id)
        weighed = place.assess(client_id, **dict.fromkeys(SIX, True))
        assert open_questions.result["allowance"]["answer"] == "allow_with_reason"
        assert weighed.result["allowance"]["answer"] == "allow"
        assert weighed.inputs["history"]["judged"] == dict.fromkeys(SIX, True)
        with pytest.raises(BadInput) as refused:
            place.assess(client_id, weather=True)
        assert codes(refused) == ["no-criterion"]

    def test_without_a_policy_an_episode_or_a_client_of_the_site_there_is_no_assessment(self, place: Place) -> None:
        client_id = place.client("ccc")
        with pytest.raises(Refused) as without_policy:
            place.assess(client_id)
        assert codes(without_policy) == ["no-policy-adopted"]
        place.adopt(CLINIC)
        with pytest.raises(Refused) as before:
            place.assess(client_id, on=ago(10))
        assert codes(before) == ["no-episode"]
        with pytest.raises(BadInput) as ahead:
            place.assess(client_id, on=ago(-1))
        assert codes(ahead) == ["day-to-come"]
        with pytest.raises(NotThere):
            place.assess(ClientId(new_id()))

    def test_a_draft_refers_to_the_prescriber(self, place: Place) -> None:
        place.adopt("PING-AN-ADHERENCE", version="2")
        kept = place.assess(place.client("c" * 90))
        assert kept.level == "undetermined"
        assert kept.result["allowance"]["answer"] == "refer_to_prescriber"
