"""The pages for what is not as usual: what the guideline says in large words, what is written down, what comes next."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from httpx import Response
from sqlalchemy import select, text

import scheduling.service
from dispensary.database import Database
from dispensary.prescribing.models import Reduction
from dispensary.prescribing.sections import Topic
from dispensary.staff.rules import Role
from dispensary.supplies.models import DoseException, ExtraDose, Supply
from dispensary.units import ClientId, milligrams
from dispensary.verification.verifying import verify
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.unusual_place import follows, gave, orders, todays_dose, vomited
from tests.dispensary.visiting import PASSWORD, Visitor, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client(mg="80")


@pytest.fixture
def stranger(here: Desks, now: datetime, tmp_path: Path) -> ClientId:
    """A client of another site."""
    return desks(here.database, now, tmp_path, code="SAT").place.client()


def at(client_id: ClientId, below: str = "") -> str:
    return f"/counter/clients/{client_id}{below}"


def notes(visitor: Visitor, client_id: ClientId, what: str, **said: str) -> Response:
    return visitor.post(at(client_id, f"/unusual/{what}"), {"key": str(uuid4()), **said})


def goes_to(visitor: Visitor, answer: Response) -> str:
    """What is read on the page that an act leads to."""
    assert answer.status_code == 303, text_of(answer)
    return text_of(visitor.get(answer.headers["location"]))


def written(here: Desks) -> list[DoseException]:
    with here.database.reading() as session:
        return list(session.scalars(select(DoseException).order_by(DoseException.recorded_at)))


def nothing_is_broken(here: Desks) -> bool:
    with here.database.reading() as session:
        return [str(finding) for finding in verify(session, now=here.place.now)] == []


def doctor_id(here: Desks) -> str:
    return str(here.place.doctor.account_id)


def absent(here: Desks, days: int) -> ClientId:
    """A client of 100 mg who was dosed for three weeks and then did not come for so many days."""
    place = here.place
    client = place.client(mg="100")
    place.give(client)
    place.move_on(20)
    orders(place, client, "100")
    place.give(client, second_look="-")
    here.days_pass(days + 1)
    sign_in_again(here)
    return client


def sign_in_again(here: Desks) -> None:
    """Days or hours later, whoever sits at a desk signs in again."""
    for name, visitor in here.seated.items():
        assert visitor.signs_in(name).status_code == 303


class TestAfterMissedDays:
    @pytest.mark.parametrize(
        ("days", "words", "code"),
        [
            (2, "Give as ordered 2 missed days: as ordered, 100 mg", None),
            (3, "Give at most 50 mg, after a call to the prescriber 3 missed days", "absent-call"),
            (4, "Do not supply. The prescriber decides 4 missed days", "absent"),
        ],
    )
    def test_the_guideline_speaks_in_large_words_with_its_source(
        self, here: Desks, counter: Visitor, days: int, words: str, code: str | None
    ) -> None:
        follows(here.place, Topic.MISSED, "AU-NAT-2003")
        client = absent(here, days)

        said = text_of(counter.get(at(client)))

        assert words in said
        assert "AU-NAT-2003, s3-3.5" in said
        assert (f"· {code}" in said) is bool(code)
        assert ("ordered: 100" in said) is bool(code), "a dose that may not be given is not the large figure"
        assert ("Hand over" in said) is (code is None)
        assert ("Write the call down" in said) is (code == "absent-call")

    def test_without_a_guideline_the_sites_own_rule_stops_the_dose(self, here: Desks, counter: Visitor) -> None:
        said = text_of(counter.get(at(absent(here, 3))))

        assert "Do not supply. The prescriber decides 3 days passed without a dose" in said
        assert "Write the call down" not in said

    def test_a_call_is_written_down_and_the_smaller_dose_given_on_the_same_screen(
        self, here: Desks, counter: Visitor
    ) -> None:
        follows(here.place, Topic.MISSED, "AU-NAT-2003")
        client = absent(here, 3)
        call = {"key": str(uuid4()), "prescriber_id": doctor_id(here), "said": "half, see me tomorrow", "mg": "50"}

        for _ in range(2):
            said = goes_to(counter, counter.post(at(client, "/call"), call))

        assert "50 mg less than the 100 mg ordered, as agreed with Dr. Lim Wei" in said
        given = {"key": str(uuid4()), "observed": "yes", "identified_by": "second_identifier", "well": "yes"}
        assert counter.post(at(client, "/supply"), given).status_code == 303
        with here.database.reading() as session:
            assert session.scalars(select(Reduction.mg)).one() == 50
            assert (
                session.scalars(select(Supply.answer).order_by(Supply.at.desc())).first()["doses"][0]["mg"] == "50.00"
            )
        assert here.acts_about(client).count("reduced dose") == 1
        assert nothing_is_broken(here)

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"mg": "50.01"}, "above-guideline"),
            ({"mg": "half"}, "bad-amount"),
            ({"said": " "}, "nothing-said"),
            ({"prescriber_id": ""}, "no-prescriber"),
            ({"prescriber_id": "nobody"}, "no-id"),
        ],
    )
    def test_a_call_that_lacks_something_keeps_what_was_typed_and_changes_nothing(
        self, here: Desks, counter: Visitor, changed: dict[str, str], code: str
    ) -> None:
        follows(here.place, Topic.MISSED, "AU-NAT-2003")
        client = absent(here, 3)
        call = {"key": str(uuid4()), "prescriber_id": doctor_id(here), "said": "see me", "mg": "50", **changed}

        answer = counter.post(at(client, "/call"), call)

        assert answer.status_code == 422
        assert code in text_of(answer)
        assert f'value="{call["mg"]}"' in answer.text
        with here.database.reading() as session:
            assert session.scalars(select(Reduction)).all() == []

    def test_the_pharmacist_cannot_call_themselves(self, here: Desks, counter: Visitor) -> None:
        follows(here.place, Topic.MISSED, "AU-NAT-2003")
        client = absent(here, 3)
        call = {"prescriber_id": str(here.place.pharmacist.account_id), "said": "see me", "mg": "50"}

        assert "no-prescriber" in text_of(counter.post(at(client, "/call"), call))

    def test_a_client_of_another_site_is_not_there(self, here: Desks, counter: Visitor, stranger: ClientId) -> None:
        call = {"prescriber_id": doctor_id(here), "said": "see me", "mg": "50"}

        assert counter.post(at(stranger, "/call"), call).status_code == 404


class TestThePage:
    def test_offers_what_can_have_happened_and_says_why_the_rest_cannot(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        before = text_of(counter.get(at(client, "/unusual")))
        here.place.give(client)
        after = text_of(counter.get(at(client, "/unusual")))

        assert "Vomited no dose of today" in before
        assert "Does not want it D" in before
        assert "Vomited V" in after
        assert "Does not want it no dose is due" in after
        assert "Top-up after an increase nothing was increased" in after

    def test_looking_at_it_is_written_down(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        counter.get(at(client, "/unusual"))

        assert here.acts_about(client)[-1] == "looked at"

    @pytest.mark.parametrize(
        "query", ["?what=vomited", "?what=stolen", "?about=018f0000-0000-7000-8000-000000000001", "?done=x"]
    )
    def test_what_is_not_possible_or_not_there_opens_no_form(
        self, here: Desks, counter: Visitor, client: ClientId, query: str
    ) -> None:
        said = text_of(counter.get(at(client, f"/unusual{query}")))

        assert "Nothing is written down by choosing." in said

    def test_a_client_of_another_site_is_not_there(self, counter: Visitor, stranger: ClientId) -> None:
        assert counter.get(at(stranger, "/unusual")).status_code == 404
        assert notes(counter, stranger, "intoxicated", observation="asleep").status_code == 404

    def test_what_is_no_kind_is_not_there(self, counter: Visitor, client: ClientId) -> None:
        assert notes(counter, client, "stolen", reason="x").status_code == 404

    @pytest.mark.parametrize("role", [Role.DOCTOR, Role.NURSE, Role.RECEPTION, Role.EVALUATOR])
    def test_only_the_counter_opens_it(self, here: Desks, client: ClientId, role: Role) -> None:
        assert here.seat(role).get(at(client, "/unusual")).status_code == 403

    def test_a_form_without_its_number_writes_nothing(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        answer = counter.post(at(client, "/unusual/intoxicated"), {"key": "", "observation": "asleep"})

        assert answer.status_code == 422
        assert written(here) == []


class TestVomited:
    def asked(self, here: Desks, client: ClientId, **changed: str) -> dict[str, str]:
        dose = str(todays_dose(here.place, client))
        return {"dose_id": dose, "minutes": "20", "witnessed": "yes", **changed}

    def test_the_guideline_answers_the_prescriber_allows_and_it_is_given_once(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        follows(here.place, Topic.VOMITED, "US-TIP63")
        here.place.give(client)

        said = goes_to(counter, notes(counter, client, "vomited", **self.asked(here, client)))
        assert "It is written down." in said
        assert "Up to 40 mg again, after a call to the prescriber" in said
        assert "US-TIP63" in said
        assert "What comes next: Call the prescriber, and write the call down." in said

        (about,) = written(here)
        call = {"prescriber_id": doctor_id(here), "said": "give half", "mg": "40"}
        said = goes_to(counter, counter.post(at(client, f"/exceptions/{about.id}/call"), call))
        assert "Dr. Lim Wei was called: “give half” · 40 mg" in said
        assert "What comes next: Give 40 mg again." in said
        assert "40 mg to be given again" in text_of(counter.get(at(client)))

        give = {"key": str(uuid4()), "identified_by": "second_identifier", "well": "yes"}
        for _ in range(2):
            said = goes_to(counter, counter.post(at(client, f"/exceptions/{about.id}/give"), give))
        assert "Given, and written down." in said
        assert "closed 40 mg given again" in said
        with here.database.reading() as session:
            assert session.scalars(select(ExtraDose.mg)).all() == [40]
        assert here.acts_about(client).count("replaced dose") == 1
        assert nothing_is_broken(here)

    @pytest.mark.parametrize(
        ("changed", "words"),
        [
            ({"minutes": "40"}, "Nothing is given again Seen after 40 minutes"),
            ({"witnessed": "no"}, "Nothing is given again Nobody of the staff saw it"),
            ({"pregnant": "yes"}, "The prescriber decides In pregnancy"),
        ],
    )
    def test_what_is_not_replaced_is_said_in_large_words_too(
        self, here: Desks, counter: Visitor, client: ClientId, changed: dict[str, str], words: str
    ) -> None:
        follows(here.place, Topic.VOMITED, "US-TIP63")
        here.place.give(client)

        assert words in goes_to(counter, notes(counter, client, "vomited", **self.asked(here, client, **changed)))

    def test_a_site_without_a_guideline_asks_the_prescriber(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        here.place.give(client)

        said = goes_to(counter, notes(counter, client, "vomited", **self.asked(here, client)))

        assert "The prescriber decides This site follows no guideline for it." in said

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"minutes": ""}, "missing"),
            ({"minutes": "1441"}, "not-a-number"),
            ({"minutes": "a while"}, "not-a-number"),
            ({"witnessed": ""}, "no-choice"),
            ({"dose_id": ""}, "no-id"),
        ],
    )
    def test_a_form_that_lacks_something_comes_again(
        self, here: Desks, counter: Visitor, client: ClientId, changed: dict[str, str], code: str
    ) -> None:
        here.place.give(client)

        answer = notes(counter, client, "vomited", **self.asked(here, client, **changed))

        assert answer.status_code == 422
        assert code in text_of(answer)
        assert "How many minutes after it was swallowed?" in text_of(answer)
        assert written(here) == []

    def test_more_than_the_guideline_is_asked_about_and_more_than_was_lost_never_allowed(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        follows(here.place, Topic.VOMITED, "US-TIP63")
        here.place.give(client)
        about = vomited(here.place, client, 20)
        call = {"prescriber_id": doctor_id(here), "said": "all of it", "mg": "60"}
        path = at(client, f"/exceptions/{about.id}/call")

        asked = counter.post(path, call)
        assert "above-guideline" in text_of(asked)
        assert "They said so knowing the guideline's figure" in text_of(asked)
        assert "above-vomited" in text_of(counter.post(path, {**call, "mg": "80.01", "beyond": "yes"}))

        assert "Give 60 mg again" in goes_to(counter, counter.post(path, {**call, "beyond": "yes"}))

    def test_it_is_not_given_again_without_a_look_at_the_client(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        here.place.give(client)
        about = vomited(here.place, client, 20)
        call = {"prescriber_id": doctor_id(here), "said": "all of it", "mg": "80"}
        counter.post(at(client, f"/exceptions/{about.id}/call"), call)

        answer = counter.post(at(client, f"/exceptions/{about.id}/give"), {"key": str(uuid4())})

        assert answer.status_code == 409
        assert "not-identified" in text_of(answer)
        assert "not-well" in text_of(answer)

    def test_when_nothing_is_given_again_it_is_closed_in_words(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        here.place.give(client)
        about = vomited(here.place, client, 20)
        path = at(client, f"/exceptions/{about.id}/close")

        assert "outcome" in text_of(counter.post(path, {"outcome": " "}))
        for _ in range(2):
            said = goes_to(counter, counter.post(path, {"outcome": "nothing, looks well"}))

        assert "closed nothing, looks well" in said
        assert here.acts_about(client).count("closed exception") == 1

    def test_an_exception_of_another_client_is_not_there(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        here.place.give(client)
        about = vomited(here.place, client, 20)
        other = here.place.client()

        for act in ("call", "give", "close"):
            answer = counter.post(at(other, f"/exceptions/{about.id}/{act}"), {"key": str(uuid4()), "outcome": "x"})
            assert answer.status_code == 404
        assert written(here)[0].closed_at is None


class TestSeenAgainToday:
    @pytest.mark.parametrize(
        ("what", "said", "tag", "next_step"),
        [
            ("intoxicated", {"observation": "slurred speech"}, "withheld for now", "See the client again later today"),
            (
                "refused",
                {"reason": "wants to come at noon"},
                "did not want the dose",
                "See the client again later today",
            ),
            ("spilled", {"reason": "the cup fell"}, "spilled", "Pour the dose again"),
        ],
    )
    def test_the_client_is_on_the_list_until_they_are_dosed(
        self, here: Desks, counter: Visitor, client: ClientId, what: str, said: dict[str, str], tag: str, next_step: str
    ) -> None:
        sent = {"key": str(uuid4()), **said}
        for _ in range(2):
            read = goes_to(counter, counter.post(at(client, f"/unusual/{what}"), sent))

        assert next_step in read
        assert len(written(here)) == 1
        for page in ("/counter", "/counter/day"):
            assert "Seen again today: 1" in text_of(counter.get(page))
            assert f"{tag} since" in text_of(counter.get(page))
        assert tag in text_of(counter.get(at(client)))

        here.place.give(client)
        for page in ("/counter", "/counter/day"):
            assert "Seen again today" not in text_of(counter.get(page))
        assert tag in text_of(counter.get("/counter/day")), "what happened stays beside the dose"
        assert nothing_is_broken(here)

    @pytest.mark.parametrize("what", ["intoxicated", "refused", "spilled", "late"])
    def test_without_a_word_nothing_is_written(
        self, here: Desks, counter: Visitor, client: ClientId, what: str
    ) -> None:
        answer = notes(counter, client, what, observation=" ", reason=" ", note=" ")

        assert answer.status_code == 422
        assert written(here) == []

    def test_the_prescriber_is_told_of_somebody_who_was_not_sober(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        notes(counter, client, "intoxicated", observation="slurred speech")

        with here.database.reading() as session:
            alert = session.execute(text("SELECT severity, sentence FROM alert")).one()
        assert alert == ("urgent", "Dose withheld for now at the counter: slurred speech")

    def test_a_loss_is_seen_by_a_colleague_who_is_on_duty(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        here.seat(Role.NURSE)

        asked = notes(counter, client, "spilled", reason="the cup fell")
        assert "no-second" in text_of(asked)
        assert "Who else saw it?" in text_of(asked)
        with here.database.reading() as session:
            nurse = session.scalars(text("SELECT id FROM account WHERE username = 'nurse'")).one()
        asked = notes(
            counter, client, "spilled", reason="the cup fell", second_id=str(nurse), second_pin="a guess of mine"
        )
        assert "This is not their password." in text_of(asked)
        assert "a guess of mine" not in asked.text
        proven = {"second_id": str(nurse), "second_pin": PASSWORD}
        assert notes(counter, client, "spilled", reason="the cup fell", **proven).status_code == 303
        assert nothing_is_broken(here)


class TestPartlyTakenAndTopUp:
    def test_the_part_is_the_dose_and_the_visit_ends(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        with here.database.writing() as session:
            visit = scheduling.service.check_in(
                session, place_id=here.place.site_id, holder_id=client, now=here.place.now
            )
            scheduling.service.start(session, visit_id=visit.id, now=here.place.now)
        sent = {"mg": "50", "reason": "felt sick", "identified_by": "second_identifier", "key": str(uuid4())}

        for _ in range(2):
            said = goes_to(counter, counter.post(at(client, "/unusual/partly_taken"), sent))

        assert "50 mg of 80 mg swallowed. felt sick" in said
        assert "The prescriber has been told." in said
        with here.database.reading() as session:
            assert session.execute(text("SELECT mg FROM dose WHERE voided_at IS NULL")).scalars().all() == [50]
            assert session.execute(text("SELECT count(*) FROM visit WHERE ended_at IS NULL")).scalar_one() == 0
        assert nothing_is_broken(here)

    @pytest.mark.parametrize(
        ("changed", "code"),
        [({"mg": "80"}, "not-a-part"), ({"identified_by": ""}, "not-identified"), ({"reason": ""}, "missing")],
    )
    def test_a_part_that_is_none_or_of_somebody_unknown_is_refused(
        self, here: Desks, counter: Visitor, client: ClientId, changed: dict[str, str], code: str
    ) -> None:
        sent = {"mg": "50", "reason": "felt sick", "identified_by": "second_identifier", **changed}

        answer = notes(counter, client, "partly_taken", **sent)

        assert answer.status_code == 422
        assert code in text_of(answer)
        assert written(here) == []

    def test_after_an_increase_the_rest_is_given_on_top(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        here.place.give(client)
        here.place.now += timedelta(minutes=10)
        here.clock.moment = here.place.now
        orders(here.place, client, "90", ahead=1)
        assert "Up to 10 mg: 80 mg of today were taken." in text_of(counter.get(at(client, "/unusual?what=top_up")))
        sent = {
            "mg": "10",
            "prescriber_id": doctor_id(here),
            "said": "add it today",
            "identified_by": "second_identifier",
            "well": "yes",
            "key": str(uuid4()),
        }

        too_much = counter.post(at(client, "/unusual/top_up"), {**sent, "mg": "10.01", "said": ""})
        assert "above-increase" in text_of(too_much)
        assert "nothing-said" in text_of(too_much)
        for _ in range(2):
            said = goes_to(counter, counter.post(at(client, "/unusual/top_up"), sent))

        assert "10 mg on top of 80 mg" in said
        with here.database.reading() as session:
            assert session.scalars(select(ExtraDose.mg)).all() == [10]
        assert nothing_is_broken(here)

    def test_somebody_late_is_told_what_the_missed_days_say(self, here: Desks, counter: Visitor) -> None:
        follows(here.place, Topic.MISSED, "AU-NAT-2003")
        client = absent(here, 3)

        said = goes_to(counter, notes(counter, client, "late", note="the bus broke down"))

        assert "the bus broke down" in said
        assert "What may be given is on the client's screen." in said


class TestWrongDose:
    def test_the_client_is_observed_the_prescriber_called_and_no_dose_leaves(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        follows(here.place, Topic.WRONG_DOSE, "AU-NAT-2003")
        sent = {"mg": "200", "happened": "two cups were mixed up", "key": str(uuid4())}

        for _ in range(2):
            said = goes_to(counter, counter.post(at(client, "/unusual/wrong_dose"), sent))

        assert "200 mg swallowed where 80 mg were due. two cups were mixed up" in said
        assert "Observe until 11:00 240 min left" in said
        assert "Call the prescriber at once, and write the call down." in said
        assert "Give a naloxone kit." in said
        assert "No further dose leaves until a prescriber has reviewed this and closed it." in said
        for page in (at(client), "/counter", "/counter/day"):
            assert "Observe until 11:00" in text_of(counter.get(page)), page
        (about,) = written(here)
        assert nothing_is_broken(here)

        here.clock.goes_on(hours=5)
        sign_in_again(here)
        assert "Observe until 11:00 the time is over" in text_of(counter.get("/counter"))

        call = {"prescriber_id": doctor_id(here), "said": "keep them here"}
        said = goes_to(counter, counter.post(at(client, f"/exceptions/{about.id}/call"), call))
        assert "Call the prescriber" not in said
        assert "How did it end?" not in said, "a prescriber closes it"
        refused = counter.post(at(client, f"/exceptions/{about.id}/close"), {"outcome": "looks well"})
        assert refused.status_code == 403
        assert "prescriber-closes" in text_of(refused)

        here.doctor.post(
            f"/consulting/clients/{client}/exceptions/{about.id}/review", {"review_outcome": "well, goes on"}
        )
        assert "Observe until" not in text_of(counter.get("/counter"))

    def test_the_next_day_the_screen_says_review_first_and_offers_no_dose(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        here.place.give(client)
        gave(here.place, client, "120")
        here.days_pass(1)
        sign_in_again(here)

        said = text_of(counter.get(at(client)))

        assert "review-first" in said
        assert "wrong dose" in said
        assert "Hand over" not in said

    def test_less_than_ordered_blocks_nothing_and_is_closed_here(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        said = goes_to(counter, notes(counter, client, "wrong_dose", mg="60", happened="the pump stuck"))

        assert "Observe until" not in said
        assert "How did it end?" in said

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"mg": "80"}, "nothing-wrong"),
            ({"mg": ""}, "bad-amount"),
            ({"happened": ""}, "missing"),
            ({"observe_hours": "73"}, "not-a-number"),
            ({"said": "keep them"}, "no-prescriber"),
        ],
    )
    def test_a_form_that_lacks_something_comes_again(
        self, here: Desks, counter: Visitor, client: ClientId, changed: dict[str, str], code: str
    ) -> None:
        answer = notes(counter, client, "wrong_dose", **{"mg": "200", "happened": "mixed up", **changed})

        assert answer.status_code == 422
        assert code in text_of(answer)
        assert written(here) == []


def test_the_screen_of_a_client_costs_no_more_statements_with_five_exceptions(
    here: Desks, counter: Visitor, client: ClientId
) -> None:
    notes(counter, client, "late", note="late as ever")
    before = here.statements_of(counter, at(client))
    for number in range(4):
        notes(counter, client, "late", note=f"late {number}")

    assert here.statements_of(counter, at(client)) == before


def test_an_exception_has_the_same_id_for_the_same_key_alone(here: Desks, counter: Visitor, client: ClientId) -> None:
    ids: set[UUID] = set()
    for _ in range(2):
        notes(counter, client, "late", note="the bus")
        ids |= {one.id for one in written(here)}

    assert len(ids) == 2


class TestADividedDose:
    @pytest.mark.parametrize(
        ("places", "offered", "ticked"),
        [(None, True, False), (["supervised", "take_home"], True, True), (["supervised", "supervised"], False, False)],
    )
    def test_the_rest_is_offered_as_the_order_says(
        self, here: Desks, counter: Visitor, places: list[str] | None, offered: bool, ticked: bool
    ) -> None:
        client = here.place.client(mg="80")
        here.place.decide(client, per_supply=2)
        parts = [milligrams("50"), milligrams("30")]
        orders(here.place, client, "80", parts=parts, places=places)

        screen = counter.get(at(client)).text

        assert ("later today" in screen) is offered
        assert (f'name="take_home_days" value="{here.today}" checked' in screen) is ticked
