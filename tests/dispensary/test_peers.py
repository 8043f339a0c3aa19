"""A peer worker sees whom they were given, and what keeping in touch takes; the office's page of permissions."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.care.reaching import note_own_contact
from dispensary.clients.contact_models import ContactNote
from dispensary.clients.contact_rules import CameOf, How, Why
from dispensary.clients.contacts import Contact, OthersContact, note_visit_wish, write_contact
from dispensary.clients.goals import assign, set_goal, unassign
from dispensary.clients.models import Task
from dispensary.clients.own import finish_own_task, own_client, own_clients, own_contacts
from dispensary.clients.tasks import open_task
from dispensary.database import Database
from dispensary.refusals import NotAllowed, NotThere
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor, Role
from dispensary.units import AccountId, ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor, text_of

TREATED = "Ask about the 80 mg and the HIV result."


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def peer(here: Desks) -> Visitor:
    return here.seat(Role.PEER_WORKER)


def account_of(here: Desks, username: str) -> AccountId:
    with here.database.reading() as session:
        return AccountId(session.scalars(select(Account.id).where(Account.username == username)).one())


@pytest.fixture
def azman(here: Desks, peer: Visitor) -> Actor:
    return Actor(account_of(here, "peer-worker"), here.place.site_id, frozenset({Role.PEER_WORKER}))


@pytest.fixture
def theirs(here: Desks, azman: Actor) -> ClientId:
    client = here.place.client()
    assert azman.account_id is not None
    with here.database.writing() as session:
        given = {"actor": here.place.doctor, "client_id": client, "at": here.place.now}
        assign(session, account_id=azman.account_id, **given)
        set_goal(session, words="see my brother in Ipoh", today=here.place.today, **given)
        for kind, role, sentence in (
            ("call", Role.NURSE, TREATED),
            ("review", Role.DOCTOR, "Review of the dose."),
            ("other", Role.PEER_WORKER, "Ask which hours would fit."),
        ):
            open_task(
                session, site_id=azman.site_id, client_id=client, role=role, kind=kind, sentence=sentence,
                due_on=here.today, opened_by=None, at=here.place.now,
            )  # fmt: skip
    return client


def task_id(here: Desks, kind: str) -> UUID:
    with here.database.reading() as session:
        return session.scalars(select(Task.id).where(Task.kind == kind)).one()


class TestTheirDesk:
    def test_shows_a_first_name_a_number_goals_and_what_is_to_be_done_and_nothing_of_treatment(
        self, here: Desks, peer: Visitor, theirs: ClientId
    ) -> None:
        for path in ("/peers", f"/peers/clients/{theirs}"):
            said = text_of(peer.get(path))
            assert "Ahmad" in said
            assert "Ahmad Test" not in said
            assert "Ask which hours would fit." in said
            assert not [word for word in ("80", "mg", "HIV", "dose", "Review") if word in said]
        said = text_of(peer.get(f"/peers/clients/{theirs}"))
        assert "see my brother in Ipoh" in said
        assert "Call them, and ask how they are." in said
        assert here.acts_about(theirs)[-1] == "looked at"

    def test_is_the_only_one_that_is_open_to_them(self, here: Desks, peer: Visitor, theirs: ClientId) -> None:
        closed = ("/counter", "/consulting", "/reception", "/office", f"/consulting/clients/{theirs}")
        assert [peer.get(path).status_code for path in closed] == [403] * 5
        assert [each.status_code for each in (peer.get(f"/api/clients/{theirs}"), peer.get("/api/queue"))] == [403] * 2

    def test_a_contact_is_noted_once_and_whoever_treats_reads_it(
        self, here: Desks, peer: Visitor, theirs: ClientId
    ) -> None:
        path, key = f"/peers/clients/{theirs}/contacts", str(uuid4())
        form = {"reached": "yes", "words": "All is well; the bus is late.", "key": key}
        assert [peer.post(path, form).status_code for _ in range(2)] == [303, 303]
        assert peer.post(path, {"reached": "yes", "words": ""}).status_code == 422
        assert "Nothing was chosen here." in text_of(peer.post(path, {"words": "x"}))
        with here.database.reading() as session:
            (kept,) = session.scalars(select(ContactNote)).all()
            assert b"bus" not in kept.words_sealed
        assert "the bus is late" in text_of(here.doctor.get(f"/consulting/clients/{theirs}"))
        assert here.acts_about(theirs).count("noted contact") == 1

    def test_what_others_noted_of_a_contact_is_there_without_a_word_of_it(
        self, here: Desks, peer: Visitor, azman: Actor, theirs: ClientId
    ) -> None:
        noted = {"client_id": theirs, "at": here.place.now, "reached": True}
        with here.database.writing() as session:
            note_visit_wish(
                session, actor=here.place.doctor, client_id=theirs, agreed=True, where="Blue door", today=here.today,
                at=here.place.now,
            )  # fmt: skip
            for actor, words, how in (
                (here.place.doctor, "80 mg, HIV", How.VISIT),
                (azman, "The bus is late.", How.CALL),
            ):
                write_contact(
                    session, actor=actor, words=words, key=uuid4(), how=how, why=Why.DOSE, came_of=CameOf.UNDECIDED,
                    **noted,
                )  # fmt: skip
        said = text_of(peer.get(f"/peers/clients/{theirs}"))
        assert "visit · somebody else" in said
        assert "The bus is late." in said
        assert not [word for word in ("80", "HIV", "the dose", "Blue door") if word in said]
        with here.database.reading() as session:
            mine, others = sorted(
                own_contacts(session, actor=azman, client_id=theirs), key=lambda each: isinstance(each, OthersContact)
            )
        assert isinstance(mine, Contact)
        assert mine.words == "The bus is late."
        assert others == OthersContact(here.place.now, How.VISIT, True)
        assert "80 mg, HIV" in text_of(here.doctor.get(f"/consulting/clients/{theirs}"))

    def test_whoever_needs_help_is_told_to_the_nurses_at_once(
        self, here: Desks, peer: Visitor, theirs: ClientId
    ) -> None:
        path = f"/peers/clients/{theirs}/contacts"
        wrong = {"how": "call", "reached": "no", "came_of": "needs_help", "words": "Their brother says so."}
        answer = peer.post(path, wrong)
        assert (answer.status_code, 'value="Their brother says so."' in answer.text) == (422, True)
        form = {"how": "call", "reached": "yes", "came_of": "needs_help", "words": ""}
        onward = peer.post(path, form).headers["location"]
        assert "The nurses have an alert" in text_of(peer.get(onward))
        assert "They need help today, as they said to" in text_of(here.doctor.get("/consulting"))
        assert "needs help today" in text_of(here.doctor.get(f"/consulting/clients/{theirs}"))

    def test_what_is_done_is_done_for_everybody(self, here: Desks, peer: Visitor, theirs: ClientId) -> None:
        of = f"/peers/clients/{theirs}/tasks"
        assert peer.post(f"{of}/{task_id(here, 'call')}/done", {"outcome": "Spoke with her."}).status_code == 303
        assert peer.post(f"{of}/{task_id(here, 'review')}/done", {"outcome": "Read it."}).status_code == 404
        with here.database.reading() as session:
            assert session.get_one(Task, task_id(here, "call")).outcome == "Spoke with her."
            assert session.get_one(Task, task_id(here, "review")).done_at is None


class TestSomebodyElsesClient:
    def test_is_nobody_to_them_by_page_or_by_service(
        self, here: Desks, peer: Visitor, azman: Actor, theirs: ClientId
    ) -> None:
        other = here.place.client()
        answers = [peer.get(f"/peers/clients/{each}") for each in (other, uuid4())]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert text_of(answers[0]) == text_of(answers[1])
        form = {"reached": "yes", "words": "hello"}
        assert peer.post(f"/peers/clients/{other}/contacts", form).status_code == 404
        done = f"/peers/clients/{other}/tasks/{task_id(here, 'call')}/done"
        assert peer.post(done, {"outcome": "done"}).status_code == 404
        with here.database.writing() as session:
            assert [each.client_id for each in own_clients(session, actor=azman)] == [theirs]
            for act in (
                lambda: own_client(session, actor=azman, client_id=other),
                lambda: note_own_contact(
                    session, actor=azman, client_id=other, reached=True, words="x", key=uuid4(), at=here.place.now
                ),
                lambda: finish_own_task(
                    session, actor=azman, client_id=other, task_id=task_id(here, "call"), outcome="x", at=here.place.now
                ),
            ):
                with pytest.raises(NotThere):
                    act()

    def test_is_theirs_beside_others_and_no_more_once_taken_from_them(
        self, here: Desks, peer: Visitor, azman: Actor, theirs: ClientId
    ) -> None:
        assert here.place.doctor.account_id is not None
        assert azman.account_id is not None
        about = {"actor": here.place.doctor, "client_id": theirs, "at": here.place.now}
        with here.database.writing() as session:
            assign(session, account_id=here.place.doctor.account_id, **about)
        assert peer.get(f"/peers/clients/{theirs}").status_code == 200, "a nurse or a doctor has them too"
        with here.database.writing() as session:
            unassign(session, account_id=azman.account_id, **about)
        assert peer.get(f"/peers/clients/{theirs}").status_code == 404
        with here.database.reading() as session, pytest.raises(NotAllowed):
            own_clients(session, actor=here.place.pharmacist)


class TestTheOfficesPermissions:
    def test_an_administrator_lets_nurses_dispense_with_a_reason_and_takes_it_back(self, here: Desks) -> None:
        nurse, office = here.seat(Role.NURSE), here.administrator
        assert nurse.get("/counter").status_code == 403
        page = text_of(office.get("/office/permissions?act=dispense&role=nurse"))
        assert "Where the law lets nurses dispense" in page
        form = {"act": "dispense", "role": "nurse", "allowed": "yes", "reason": "Our law lets nurses dispense"}
        assert "permission-reason" in office.post("/office/permissions", {**form, "reason": "x"}).text
        assert office.post("/office/permissions", form).status_code == 303
        assert "Our law lets nurses dispense" in text_of(office.get("/office/permissions"))
        assert nurse.get("/counter").status_code == 200
        assert nurse.get("/counter/stock/receive").status_code == 403, "to dispense is not to receive stock"
        assert "Counter" in text_of(nurse.get("/"))
        back = {**form, "allowed": "no", "reason": "The law changed again"}
        assert office.post("/office/permissions", back).status_code == 303
        assert nurse.get("/counter").status_code == 403

    def test_what_stands_fast_and_what_nobody_else_could_do_is_refused_on_the_page(self, here: Desks) -> None:
        office = here.administrator
        form = {"act": "order", "role": "nurse", "allowed": "yes", "reason": "no doctor here"}
        assert "permission-fast" in office.post("/office/permissions", form).text
        last = {"act": "receive stock", "role": "pharmacist", "allowed": "no", "reason": "nurses do it"}
        assert "permission-nobody-left" in office.post("/office/permissions", last).text
        assert office.post("/office/permissions", {**form, "act": "fly"}).status_code == 422
        assert here.seat(Role.PHARMACIST).get("/counter/stock/receive").status_code == 200


def test_a_group_session_names_own_clients_to_a_peer_and_the_others_as_a_number(
    here: Desks, peer: Visitor, theirs: ClientId
) -> None:
    other = here.enrolled("N77", "Somebody Else")
    nurse = here.seat(Role.NURSE)
    day = {"on_day": here.today.isoformat(), "about": "support", "key": str(uuid4())}
    for _ in range(2):  # sent twice, it was held once
        assert nurse.post("/care/groups", {**day, "numbers": "n77", "others": "3"}).status_code == 303
    own = {**day, "key": str(uuid4()), "came": str(theirs), "others": ""}
    assert peer.post("/care/groups", own).status_code == 303
    seen = text_of(peer.get("/care/groups"))
    assert "Somebody" not in seen
    assert "N77" not in seen
    assert "4 people" in seen
    assert "1 person" in seen
    assert "Ahmad" in seen
    assert "Somebody Else N77" in text_of(nurse.get("/care/groups"))
    assert "does not say who came" in text_of(
        peer.post("/care/groups", {**day, "key": str(uuid4()), "came": str(other), "numbers": "N77"})
    ), "whoever is not theirs is not written down by them"
    assert "Nobody here has the number" in text_of(
        nurse.post("/care/groups", {**day, "key": str(uuid4()), "numbers": "N78"})
    )
    with here.database.reading() as session:
        rows = session.execute(text("SELECT count(*), count(DISTINCT client_id) FROM group_attendance")).one()
    assert tuple(rows) == (2, 2)
    for statement in ("UPDATE group_meeting SET others = 9", "DELETE FROM group_attendance"):
        with pytest.raises(IntegrityError), here.database.writing() as session:
            session.execute(text(statement))
