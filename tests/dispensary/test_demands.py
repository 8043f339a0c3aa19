"""Whoever asks about a person gets one sentence; the demand is written down, looks for nobody; one person answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError

from dispensary.clients.consent_rules import Information, told_by
from dispensary.clients.demand_models import DemandSetting, LegalDemand
from dispensary.clients.demand_rules import Asker, Shown, Step, document, looks_like_demand, may_tell
from dispensary.clients.demands import (
    Heard,
    answer_by_order,
    demand_of,
    enter_demand,
    name_who_answers,
    take_step,
    who_answers,
)
from dispensary.clients.demands_over import remove_demands_over
from dispensary.clients.disclosing import Ground, Told, disclosures_of
from dispensary.clients.models import Client
from dispensary.clients.rules import Identity
from dispensary.clients.service import enrol
from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, Refused
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of
from tests.paper import words_of

ORDER = Heard(
    asker=Asker.COURT,
    who="Shah Alam High Court, Registrar",
    shown=Shown.COURT_ORDER,
    reference="BA-24-118, 20 November 2026",
    about="Ahmad bin Somebody",
    wants="The doses of this week",
    due_on=None,
)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def named(place: Clinic) -> Clinic:
    boss = replace(place.pharmacist, roles=frozenset({Role.ADMINISTRATOR}))
    with place.database.writing() as session:
        name_who_answers(session, actor=boss, account_id=place.doctor.account_id, at=place.now)  # type: ignore[arg-type]
    return place


def entered(here: Clinic, actor: Actor | None = None, *, said: bool = True, **other: Any) -> LegalDemand:
    key = other.pop("key", uuid4())
    with here.database.writing() as session:
        return enter_demand(
            session,
            actor=actor or here.pharmacist,
            heard=replace(ORDER, **other),
            said=said,
            key=key,
            at=here.now,
        )


def told(
    here: Clinic, demand: LegalDemand, client: ClientId, *kinds: str, ordered: tuple[str, ...] = ("doses",)
) -> Any:
    with here.database.writing() as session:
        return answer_by_order(
            session,
            actor=here.doctor,
            demand_id=demand.id,
            client_id=client,
            ordered=frozenset({Information.DOSES}),
            kinds=frozenset(Information(kind) for kind in kinds),
            what="doses",
            key=uuid4(),
            at=here.now,
        )


class TestTheDocument:
    def test_has_the_sentence_where_somebody_wrote_it_and_says_which_are_drafts(self) -> None:
        sentences = document().sentences
        assert {"en", "ms"} <= set(sentences)
        assert [each.language for each in sentences.values() if not each.draft] == ["en"]
        assert set(document().papers) == set(Shown)
        assert [shown for shown, paper in document().papers.items() if paper.suffices] == [Shown.COURT_ORDER]
        assert all(paper.source for paper in document().papers.values())

    @pytest.mark.parametrize(
        ("words", "is_one"),
        [
            ("Universiti Malaya, School of Medicine", False),
            ("Thonburi Court clinic, programme audit", False),
            ("Royal Malaysia POLICE, Shah Alam", True),
            ("for an arrest", True),
            ("under  court\norder 12", True),
            ("polis", True),
            ("metropolis of health", False),
            ("theo yêu cầu của Công an", True),
            ("应公安要求", True),
            ("ส่งให้ตำรวจ", True),
        ],
    )
    def test_knows_a_demand_by_its_words(self, words: str, is_one: bool) -> None:
        assert looks_like_demand(words) is is_one
        faults = Told(words, "x", Ground.AUDIT, "y").faults()
        assert [each.code for each in faults] == (["looks-like-demand"] if is_one else [])

    @given(
        st.sampled_from(Shown),
        st.frozensets(st.sampled_from(Information)),
        st.frozensets(st.sampled_from(Information)),
    )
    def test_nothing_is_told_past_what_a_sufficient_paper_names(
        self, shown: Shown, ordered: frozenset[Information], kinds: frozenset[Information]
    ) -> None:
        allowed = shown is Shown.COURT_ORDER and bool(kinds) and kinds <= told_by(ordered)
        assert (may_tell(shown, ordered, kinds) is None) is allowed


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    said: list[str] = []

    def keep(*args: Any) -> None:
        said.append(" ".join(re.sub(r"%\(\w+\)s(::\w+)?(, )?", " ", args[2]).split()))

    event.listen(database.engine, "before_cursor_execute", keep)
    try:
        yield said
    finally:
        event.remove(database.engine, "before_cursor_execute", keep)


def headline(page: str) -> str:
    """What the page says but for the list of what was entered, which has grown by one."""
    before, after = page.split("Entered", 2)[0], page.split("Write it down", 1)[1]
    return before + after


class TestEntering:
    def test_is_counted_at_the_site_and_once_for_its_form(self, place: Clinic) -> None:
        key = uuid4()
        with ThreadPoolExecutor(6) as hands:
            numbers = {each.no for each in hands.map(lambda _: entered(place, key=key), range(6))}
        assert numbers == {1}
        with ThreadPoolExecutor(6) as hands:
            assert {each.no for each in hands.map(lambda _: entered(place), range(6))} == {2, 3, 4, 5, 6, 7}

    def test_needs_no_more_than_about_whom(self, place: Clinic) -> None:
        bare = {"who": "", "reference": "", "wants": "", "shown": Shown.NOTHING}
        assert entered(place, **bare).no == 1
        with pytest.raises(BadInput, match="About whom"):
            entered(place, about=" ")
        with pytest.raises(NotAllowed):
            entered(place, replace(place.pharmacist, roles=frozenset({Role.EVALUATOR})))

    def test_is_linked_to_nobody_and_says_nothing_to_whoever_has_the_disk(self, named: Clinic) -> None:
        entered(named)
        with named.database.reading() as session:
            kept = session.scalar(text("SELECT string_agg(CAST(d AS text), '') FROM legal_demand d"))
            linked = session.scalars(
                text("""SELECT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'
                        AND conrelid IN ('legal_demand'::regclass, 'legal_demand_step'::regclass)""")
            ).all()
        assert "Ahmad" not in kept
        assert "client" not in linked

    @pytest.mark.parametrize(
        "sentence",
        [
            "UPDATE legal_demand SET asker = 'press'",
            "DELETE FROM legal_demand",
            "DELETE FROM legal_demand_step",
            "UPDATE legal_demand_step SET step = 'refused'",
            "INSERT INTO legal_demand_step SELECT gen_random_uuid(), id, 'closed', '', NULL, received_by, now()"
            " FROM legal_demand",
            "INSERT INTO release (id, site_id, at, account_id, what, ground, authority_sealed, recipient_sealed,"
            " reason_sealed, kinds, legal_demand_id) SELECT gen_random_uuid(), site_id, now(), received_by, 'w',"
            " 'court_order', '', '', '', '[\"doses\"]', id FROM legal_demand",
        ],
    )
    def test_is_never_changed_nor_answered_by_another(self, named: Clinic, sentence: str) -> None:
        entered(named)
        with pytest.raises(IntegrityError), named.database.writing() as session:
            session.execute(text(sentence))


class TestAnswering:
    def test_is_the_named_persons_alone(self, place: Clinic) -> None:
        demand = entered(place)
        with pytest.raises(NotAllowed, match="named"), place.database.writing() as session:
            demand_of(session, actor=place.doctor, demand_id=demand.id, at=place.now)
        boss = replace(place.pharmacist, roles=frozenset({Role.ADMINISTRATOR}))
        with pytest.raises(BadInput, match="may not disclose"), place.database.writing() as session:
            name_who_answers(session, actor=boss, account_id=place.pharmacist.account_id, at=place.now)  # type: ignore[arg-type]
        with place.database.writing() as session:
            name_who_answers(session, actor=boss, account_id=place.doctor.account_id, at=place.now)  # type: ignore[arg-type]
        with place.database.writing() as session:
            read = demand_of(session, actor=place.doctor, demand_id=demand.id, at=place.now)
        assert read.heard == ORDER
        assert [(step.step, step.by) for step in read.steps] == [(Step.NEITHER, "Aishah binti Yusof")]
        with pytest.raises(NotAllowed), place.database.writing() as session:
            demand_of(session, actor=place.pharmacist, demand_id=demand.id, at=place.now)

    def test_ends_once_and_says_why(self, named: Clinic) -> None:
        demand = entered(named)

        def step(step: Step, words: str = "") -> None:
            with named.database.writing() as session:
                take_step(session, actor=named.doctor, demand_id=demand.id, step=step, words=words, at=named.now)

        step(Step.NEITHER)
        with pytest.raises(BadInput):
            step(Step.REFUSED)
        step(Step.COUNSEL, "Messrs. Tan")
        step(Step.REFUSED, "A letter is no order")
        step(Step.CLOSED, "They did not come again")
        step(Step.CLOSED, "They did not come again")
        with pytest.raises(Refused, match="closed"):
            step(Step.NEITHER, "again")

    def test_by_a_courts_order_tells_what_it_names_on_the_register(self, named: Clinic) -> None:
        client = named.client()
        demand = entered(named)
        with pytest.raises(Refused, match="does not name"):
            told(named, demand, client, "results")
        for shown in (Shown.NOTHING, Shown.LETTER, Shown.WARRANT):
            with pytest.raises(Refused, match="nothing may be told"):
                told(named, entered(named, shown=shown), client, "doses")
        with pytest.raises(BadInput, match="which court"):
            told(named, entered(named, reference=""), client, "doses")
        told(named, demand, client, "doses")
        with named.database.reading() as session:
            (line,) = disclosures_of(session, client_id=client)
        assert (line.ground, line.recipient, line.authority, line.kinds) == (
            "court_order", ORDER.who, ORDER.reference, (Information.DOSES,),
        )  # fmt: skip


class TestTheirPeriod:
    def test_ends_with_the_sites_for_records_unless_it_told_something(self, named: Clinic) -> None:
        client = named.client()
        old = replace(named, now=named.now - timedelta(days=8 * 366))
        for here in (old, named):
            entered(here)
        answered = entered(old)
        told(named, answered, client, "doses")
        with named.database.writing() as session:
            assert remove_demands_over(session, at=named.now) == 0, "the site has set no period"
            session.execute(
                text("""INSERT INTO retention_period (site_id, kind, figure, source, set_at)
                SELECT id, 'clients', 7, 'the law', now() FROM site""")
            )
        with pytest.raises(IntegrityError, match="only ever added"), named.database.writing() as session:
            session.execute(text("DELETE FROM legal_demand WHERE no = 2"))
        with named.database.writing() as session:
            assert remove_demands_over(session, at=named.now) == 1
            assert remove_demands_over(session, at=named.now) == 0
            assert session.execute(text("SELECT no FROM legal_demand ORDER BY no")).scalars().all() == [2, 3]


class TestThePages:
    @pytest.fixture
    def here(self, database: Database, now: datetime, tmp_path: Path) -> Desks:
        here = desks(database, now, tmp_path)
        here.doctor.get("/consulting")
        with database.reading() as session:
            (doctor,) = session.scalars(text("SELECT id FROM account WHERE username = 'doctor'"))
        assert here.administrator.post("/disclosure/setting/answers", {"answers": str(doctor)}).status_code == 303
        return here

    FORM = {"asker": "police", "shown": "nothing", "who": "Sgt. X", "wants": "is he here", "said": "yes"}  # noqa: RUF012

    def test_a_known_and_an_unknown_name_get_the_same_answer_by_the_same_statements(self, here: Desks) -> None:
        with here.database.writing() as session:
            client = enrol(
                session,
                actor=here.place.doctor,
                number="H9001",
                identity=Identity(name="Ravi Chandran", born=date(1985, 4, 3), national_id="850403-10-1234"),
                began_on=here.today,
                today=here.place.today,
                at=here.place.now,
            )
        reception = here.seat(Role.RECEPTION)
        reception.get("/demands")
        answers, asked = [], []
        for about in ("Ravi Chandran, 850403-10-1234, H9001", "Nobody Atall, 990101-10-9999, H0000"):
            with statements(here.database) as said:
                sent = reception.post("/demands", {**self.FORM, "about": about})
                shown = reception.get(sent.headers["location"])
            asked.append(said)
            answers.append((sent.status_code, shown.status_code, re.sub(r"\d+", "", headline(text_of(shown)))))
        assert asked[0] == asked[1]
        assert not [sentence for sentence in asked[0] if re.search(r"\b(client|client_index|episode)\b", sentence)]
        assert answers[0] == answers[1]
        assert answers[0][:2] == (303, 200)
        assert "Ravi" not in shown.text
        assert here.acts_about(client.id) == ["enrolled"]

    def test_others_see_that_it_was_entered_and_the_named_person_reads_it(self, here: Desks) -> None:
        reception = here.seat(Role.RECEPTION)
        page = reception.get("/demands").text
        assert document().sentences["en"].words in page
        wrong = reception.post("/demands", {**self.FORM, "about": "", "wants": "an address"})
        assert (wrong.status_code, "an address" in wrong.text) == (422, True)
        assert reception.post("/demands", {**self.FORM, "about": "Ali of Klang"}).status_code == 303
        with here.database.reading() as session:
            (demand,) = session.scalars(select(LegalDemand))
        for visitor in (reception, here.administrator, here.seat(Role.PHARMACIST)):
            listed = visitor.get("/demands").text
            assert "Number 1" in listed
            assert "Klang" not in listed
            assert "police</" not in listed.split("Entered")[-1].split("Write it down")[0]
            assert visitor.get(f"/demands/{demand.id}").status_code == 403
            assert visitor.post(f"/demands/{demand.id}/steps", {"step": "closed", "words": "x"}).status_code == 403
        assert here.seat(Role.EVALUATOR).get("/demands").status_code == 403
        assert "Ali of Klang" in here.doctor.get(f"/demands/{demand.id}").text
        assert here.doctor.post(f"/demands/{demand.id}/steps", {"step": "refused", "words": ""}).status_code == 422
        assert here.doctor.post(f"/demands/{demand.id}/steps", {"step": "neither"}).status_code == 303
        with here.database.reading() as session:
            kept = session.execute(select(AuditEntry.act, AuditEntry.details).where(AuditEntry.subject_id == demand.id))
            trail = kept.all()
        assert "read legal demand" in [row.act for row in trail]
        assert "Klang" not in str(trail)

    def test_the_order_of_a_court_becomes_a_paper_with_its_notice(self, here: Desks) -> None:
        client = here.place.client()
        here.place.give(client)
        with here.database.reading() as session:
            number = session.get_one(Client, client).number
        form = {**self.FORM, "asker": "court", "shown": "court_order", "who": "High Court", "reference": "BA-24-118"}
        here.seat(Role.RECEPTION).post("/demands", {**form, "about": "the one with the scar"})
        with here.database.reading() as session:
            (demand,) = session.scalars(select(LegalDemand))
        days = {"first": here.today.isoformat(), "last": here.today.isoformat()}
        asked = {"number": number, "ordered": "doses", **days}
        path = f"/demands/{demand.id}/answer.pdf"
        assert here.doctor.post(path, {**asked, "kinds": "results"}).status_code == 409
        paper = here.doctor.post(path, {**asked, "kinds": "doses"})
        said = words_of(paper.content)
        assert "by a court's order" in said
        assert "BA-24-118" in said
        assert "80 mg, taken at the counter" in said
        account = words_of(here.doctor.get(f"/consulting/clients/{client}/disclosing/account.pdf").content)
        assert "Why: by a court's order" in account

    def test_the_sentence_is_printed_in_the_languages_of_the_site(self, here: Desks) -> None:
        said = words_of(here.seat(Role.RECEPTION).get("/demands/say.pdf").content)
        assert document().sentences["en"].words in said
        assert document().sentences["ms"].words in said
        assert "Harapan" not in said

    def test_the_setting_is_the_administrators(self, here: Desks) -> None:
        assert here.doctor.get("/disclosure/setting").status_code == 403
        shown = here.administrator.get("/disclosure/setting").text
        assert "42 CFR 2.32" in shown
        assert here.administrator.post("/disclosure/setting/notice", {"notice": "own", "words": ""}).status_code == 422
        own = {"notice": "own", "words": "Do not pass on.", "source": "Act 234"}
        assert here.administrator.post("/disclosure/setting/notice", own).status_code == 303
        assert "Do not pass on." in here.administrator.get("/disclosure/setting").text
        with here.database.reading() as session:
            assert session.scalars(select(DemandSetting)).one()
            assert who_answers(session, site_id=here.place.site_id)
