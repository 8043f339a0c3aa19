from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

import notifications.queries
import notifications.service
import scheduling.queries
import scheduling.service
from dispensary.database import Database
from dispensary.staff.audit import record
from dispensary.staff.models import Account, JobRun, Site
from dispensary.staff.queries import colleagues
from dispensary.staff.rules import Role
from dispensary.takehome.models import PolicyVersion
from dispensary.takehome.policy import shipped_policies
from dispensary.takehome.queries import policy_of
from scheduling.rules import Hours
from tests.dispensary.desk_place import CLINIC_POLICY, Desks, day, desks
from tests.dispensary.visiting import PASSWORD, Visitor, hire, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def account_of(here: Desks, username: str) -> Account:
    with here.database.reading() as session:
        return session.scalars(select(Account).where(Account.username == username)).one()


class TestTheDoor:
    PAGES = ("/office", "/office/staff", "/office/hours", "/office/policies", "/office/audit")

    def test_an_administrator_walks_through_every_room_of_it(self, here: Desks) -> None:
        for path in self.PAGES:
            page = here.administrator.get(path)
            assert page.status_code == 200, path
            assert not re.search(r'\sstyle="|<style|\son\w+="|<script(?![^>]*\ssrc=)', page.text), path

    @pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
    def test_nobody_else_does(self, here: Desks, role: Role) -> None:
        assert [here.seat(role).get(path).status_code for path in self.PAGES] == [403] * 5

    def test_the_office_opens_no_clients_record(self, here: Desks) -> None:
        client = here.place.client()

        assert here.administrator.get(f"/consulting/clients/{client}").status_code == 403


class TestTheOverview:
    def test_it_says_how_the_site_is_set(self, here: Desks) -> None:
        said = text_of(here.administrator.get("/office")).replace("\xa0", " ")

        for words in ("Harapan (HRP)", "Asia/Kuala_Lumpur", "more than 30 % or 20 mg", "3 days without a dose"):
            assert words in said

    def test_a_job_that_failed_is_the_first_thing_one_sees(self, here: Desks) -> None:
        with here.database.writing() as session:
            for job, failure in (("close day", ""), ("reminders", "TimeoutError: no answer")):
                session.add(
                    JobRun(job=job, slot="HRP", began_at=here.place.now, ended_at=here.place.now, failure=failure)
                )

        said = text_of(here.administrator.get("/office"))

        assert "The job “reminders” failed" in said
        assert "TimeoutError: no answer" in said
        assert said.index("✓ well close day") < said.index("✕ failed reminders")


class TestStaff:
    def form(self, **changed: object) -> dict[str, object]:
        return {
            "name": "Noraini Hassan",
            "initials": "NH",
            "username": "noraini",
            "roles": ["nurse", "reception"],
            **changed,
        }

    def test_somebody_new_is_shown_to_be_invited_and_signs_in_once_they_chose(self, here: Desks) -> None:
        answer = here.administrator.post("/office/staff", self.form())

        (code,) = re.findall(r'class="spelled">([^<]+)<', answer.text)
        assert "Noraini Hassan" in text_of(answer)
        assert f"/invited#{code}" in answer.text
        newcomer = Visitor(here.app)
        assert newcomer.signs_in("noraini").status_code == 401
        assert "nurse, reception invited" in text_of(here.administrator.get("/office/staff"))
        chosen = {"code": code, "password": PASSWORD, "again": PASSWORD}
        assert newcomer.post("/invited/password", chosen).headers["location"] == "/signin?done=password"
        assert newcomer.signs_in("noraini").status_code == 303
        assert newcomer.get("/consulting").status_code == 200
        assert "invited" not in text_of(here.administrator.get("/office/staff"))

    def test_a_refused_account_keeps_all_that_was_typed(self, here: Desks) -> None:
        answer = here.administrator.post("/office/staff", self.form(username="N"))

        assert answer.status_code == 422
        assert re.findall(r'id="error-(\w+)"', answer.text) == ["username"]
        assert 'value="Noraini Hassan"' in answer.text
        assert len(re.findall(r'name="roles" value="\w+" checked', answer.text)) == 2

    def test_a_role_is_given_and_taken_at_once(self, here: Desks) -> None:
        here.seat(Role.RECEPTION)
        account = account_of(here, "reception")
        assert here.seat(Role.RECEPTION).get("/consulting").status_code == 403

        here.administrator.post(f"/office/staff/{account.id}/roles", {"roles": "nurse"})

        assert here.seat(Role.RECEPTION).get("/consulting").status_code == 200
        with here.database.reading() as session:
            has = {each.username: each.roles for each in colleagues(session, here.place.site_id)}
        assert has["reception"] == {Role.NURSE}

    def test_the_last_administrator_stays(self, here: Desks) -> None:
        account = account_of(here, here.administrator and "administrator")

        answer = here.administrator.post(f"/office/staff/{account.id}/roles", {"roles": "nurse"})

        assert answer.status_code == 409
        assert "last administrator" in text_of(answer)
        answer = here.administrator.post(f"/office/staff/{account.id}/close", {"confirmed": "administrator"})
        assert answer.status_code == 409

    def test_who_leaves_is_signed_out_now_and_stays_on_the_list(self, here: Desks) -> None:
        nurse = here.seat(Role.NURSE)
        account = account_of(here, "nurse")
        path = f"/office/staff/{account.id}/close"

        assert here.administrator.post(path, {"confirmed": "something"}).status_code == 422
        assert nurse.get("/consulting").status_code == 200
        for _ in range(2):
            assert here.administrator.post(path, {"confirmed": "nurse"}).status_code == 303

        assert nurse.get("/consulting").headers["location"].startswith("/signin")
        assert "has left" in text_of(here.administrator.get("/office/staff"))

    def test_nobody_sets_the_password_of_somebody_else(self, here: Desks) -> None:
        here.seat(Role.NURSE)
        account = account_of(here, "nurse")

        assert 'name="password"' not in here.administrator.get(f"/office/staff/{account.id}").text
        answer = here.administrator.post(f"/office/staff/{account.id}/password", {"password": "a boat on the lake"})
        assert answer.status_code == 404

    def test_a_forgotten_password_is_chosen_anew_by_its_person_and_ends_what_was_open(self, here: Desks) -> None:
        nurse = here.seat(Role.NURSE)
        account = account_of(here, "nurse")

        invited = here.administrator.post(f"/office/staff/{account.id}/invite")
        (code,) = re.findall(r'class="spelled">([^<]+)<', invited.text)
        assert nurse.get("/consulting").status_code == 200, "the old one opens until then"
        chosen = {"code": code, "password": "a boat on the lake", "again": "a boat on the lake"}
        assert Visitor(here.app).post("/invited/password", chosen).status_code == 303

        assert nurse.get("/consulting").headers["location"].startswith("/signin")
        assert Visitor(here.app).signs_in("nurse").status_code == 401
        assert Visitor(here.app).signs_in("nurse", "a boat on the lake").status_code == 303

    def test_ones_own_password_asks_for_the_current_one(self, here: Desks) -> None:
        account = account_of(here, here.administrator and "administrator")
        assert 'href="/password"' in here.administrator.get(f"/office/staff/{account.id}").text
        form = {"password": "a boat on the lake", "again": "a boat on the lake", "current": "not it"}

        wrong = here.administrator.post("/password", form)
        differ = here.administrator.post("/password", form | {"again": "a boat", "current": PASSWORD})
        right = here.administrator.post("/password", form | {"current": PASSWORD})

        assert (wrong.status_code, differ.status_code) == (422, 422)
        assert right.headers["location"] == "/signin?done=password"
        assert here.administrator.get("/office").headers["location"].startswith("/signin")
        assert Visitor(here.app).signs_in("administrator", "a boat on the lake").status_code == 303

    def test_an_account_of_another_site_is_not_there(self, here: Desks, tmp_path: Path, now: datetime) -> None:
        there = desks(here.database, now, tmp_path, code="SAT")
        with here.database.reading() as session:
            site = session.get_one(Site, there.place.site_id)
        stranger = hire(here.database, site, "stranger", [Role.NURSE], now)

        for below in ("", "/roles", "/invite", "/take-back", "/close"):
            path = f"/office/staff/{stranger.id}{below}"
            answer = here.administrator.post(path, {"password": PASSWORD}) if below else here.administrator.get(path)
            assert answer.status_code == 404


class TestHours:
    def week(self, here: Desks, **changed: object) -> dict[str, object]:
        rows: dict[str, object] = {"from_day": day(0, here)}
        for n in range(6):
            rows |= {f"opens_{n}": "", f"closes_{n}": "", f"minutes_{n}": "15", f"people_{n}": "", f"windows_{n}": "1"}
        rows |= {"days_0": ["0", "1", "2", "3", "4"], "opens_0": "07:00", "closes_0": "12:00", "people_0": "6"}
        rows |= {"days_1": "5", "opens_1": "8:00", "closes_1": "10:00", "people_1": "4", "windows_1": "2"}
        return rows | changed

    def hours_on(self, here: Desks, on: date) -> list[Hours]:
        with here.database.reading() as session:
            return scheduling.queries.opening_times(session, here.place.site_id, on)

    def test_a_week_is_set_from_a_day_on_and_shown_as_it_was_typed(self, here: Desks) -> None:
        answer = here.administrator.post("/office/hours", self.week(here, from_day=day(1, here)))

        assert answer.headers["location"] == "/office/hours?done=hours"
        assert self.hours_on(here, here.today) == []
        wednesday, saturday = here.today + timedelta(days=1), here.today + timedelta(days=4)
        assert self.hours_on(here, wednesday) == [Hours(2, time(7), time(12), 15, 6, 1)]
        assert self.hours_on(here, saturday) == [Hours(5, time(8), time(10), 15, 4, 2)]
        here.days_pass(1)
        here.administrator.signs_in("administrator")
        page = here.administrator.get("/office/hours").text
        ticked = re.findall(r'name="(days_\d)" value="(\d)" checked', page)
        assert ticked == [("days_0", str(n)) for n in range(5)] + [("days_1", "5")]
        assert (
            'name="opens_1" inputmode="numeric" maxlength="5" autocomplete="off" placeholder="00:00" value="08:00"'
            in page
        )

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"opens_0": "seven"}, "opens_0"),
            ({"closes_0": "25:00"}, "closes_0"),
            ({"people_0": "0"}, "people_0"),
            ({"people_0": ""}, "people_0"),
            ({"minutes_0": "1.5"}, "minutes_0"),
            ({"opens_2": "07:00"}, "opens_2"),
            ({"from_day": ""}, "from_day"),
            ({"from_day": "2026-11-01"}, "from_day"),
            ({"closes_0": "06:00"}, None),
            ({"days_1": "0", "opens_1": "11:00", "closes_1": "13:00"}, None),
        ],
    )
    def test_a_week_that_cannot_be_is_refused_with_all_that_was_typed(
        self, here: Desks, changed: dict[str, str], field: str | None
    ) -> None:
        answer = here.administrator.post("/office/hours", self.week(here, **changed))

        assert answer.status_code == 422
        if field:
            assert re.search(rf'name="{field}"[^>]*aria-invalid="true"', answer.text)
        assert len(re.findall(r'name="days_0" value="\d" checked', answer.text)) == 5
        assert self.hours_on(here, here.today) == []

    def test_bookings_that_fall_outside_are_shown_until_they_are_moved(self, here: Desks) -> None:
        here.administrator.post("/office/hours", self.week(here))
        client = here.enrolled("H-9")
        tomorrow_at_seven = here.place.now + timedelta(days=1)
        with here.database.writing() as session:
            booking = scheduling.service.book(
                session,
                place_id=here.place.site_id,
                holder_id=client,
                starts_at=tomorrow_at_seven,
                now=here.place.now,
                channel="desk",
            )
        assert "outside the hours" not in text_of(here.administrator.get("/office"))

        with here.database.writing() as session:
            notifications.service.set_contact(
                session,
                vault=session.vault,
                recipient_id=client,
                phone="+60123456789",
                language="en",
                region="MY",
                now=here.place.now,
            )
        closure = {"first_day": day(1, here), "last_day": day(1, here), "closure_reason": "public holiday"}
        for _ in range(2):
            assert here.administrator.post("/office/closures", closure).status_code == 303
        with here.database.reading() as session:
            texts = notifications.queries.texts_with(session, vault=session.vault, phone="+60123456789")
        assert [text.body for text in texts] == [
            "We will be closed on Wed 25 Nov. Please do not come then. Reply SLOTS for other times."
        ]

        said = text_of(here.administrator.get("/office/hours"))
        assert "1 booking falls outside the hours" in said
        assert "H-9: Wed 25 Nov 2026, 07:00" in said
        assert said.count("public holiday") == 1
        with here.database.writing() as session:
            scheduling.service.drop(session, booking_id=booking.id, now=here.place.now)
        assert "outside the hours" not in text_of(here.administrator.get("/office/hours"))

    @pytest.mark.parametrize(
        "changed", [{"closure_reason": ""}, {"last_day": "2026-11-25"}, {"first_day": "2026-11-01"}, {"last_day": ""}]
    )
    def test_a_closure_that_cannot_be_is_refused(self, here: Desks, changed: dict[str, str]) -> None:
        form = {"first_day": day(2, here), "last_day": day(3, here), "closure_reason": "holiday", **changed}

        assert here.administrator.post("/office/closures", form).status_code == 422

    def test_a_site_that_was_never_given_hours_gets_its_first(self, here: Desks) -> None:
        with here.database.writing() as session:
            session.execute(text("DELETE FROM place"))
        assert here.administrator.get("/office").status_code == 200
        assert here.administrator.get("/office/hours").status_code == 200

        assert here.administrator.post("/office/hours", self.week(here)).status_code == 303

        assert len(self.hours_on(here, here.today)) == 1


class TestPolicies:
    def version(self, here: Desks, policy: str) -> PolicyVersion:
        with here.database.reading() as session:
            return session.scalars(select(PolicyVersion).where(PolicyVersion.policy == policy)).one()

    def test_the_site_follows_another_from_a_day_on(self, here: Desks) -> None:
        here.follow()
        law = self.version(here, "US-42CFR8.12i-2024")
        form = {"version": str(law.id), "from_day": day(3, here)}

        for _ in range(2):
            assert here.administrator.post("/office/policies/adopt", form).status_code == 303

        with here.database.reading() as session:
            followed = [
                policy_of(session, here.place.site_id, here.today + timedelta(days=n)).policy  # type: ignore[union-attr]
                for n in (2, 3)
            ]
        assert followed == [CLINIC_POLICY, law.policy]
        assert "to be followed from Fri 27 Nov 2026" in text_of(here.administrator.get("/office/policies"))

    def test_its_parameters_are_shown_in_words(self, here: Desks) -> None:
        here.follow()

        said = text_of(here.administrator.get("/office/policies"))

        assert "6 a week 100 % of days with a dose, 21 days with a dose up to 6 days a week" in said
        assert "Counted over 28 days." in said
        assert "draft: leaves it to the prescriber" in said

    @pytest.mark.parametrize("changed", [{"version": ""}, {"version": "x"}, {"from_day": ""}])
    def test_nothing_is_followed_that_nobody_chose(self, here: Desks, changed: dict[str, str]) -> None:
        here.follow()
        form = {"version": str(self.version(here, CLINIC_POLICY).id), "from_day": day(0, here), **changed}

        assert here.administrator.post("/office/policies/adopt", form).status_code == 422

    def test_a_day_that_has_passed_keeps_its_policy(self, here: Desks) -> None:
        here.follow()
        law = self.version(here, "US-42CFR8.12i-2024")

        answer = here.administrator.post("/office/policies/adopt", {"version": str(law.id), "from_day": day(-1, here)})

        assert answer.status_code == 409
        assert "which has passed" in text_of(answer)

    def test_a_clinic_publishes_parameters_of_its_own_and_follows_them(self, here: Desks) -> None:
        here.follow()
        shipped = self.version(here, CLINIC_POLICY)
        page = here.administrator.get(f"/office/policies?copy={shipped.id}").text
        assert "adherence_percent = 75" in page
        document = shipped.document.replace('version = "1"', 'version = "mine"').replace("= 75,", "= 60,")

        answer = here.administrator.post("/office/policies", {"document": document.replace("\n", "\r\n")})

        assert answer.headers["location"] == "/office/policies?done=published"
        with here.database.reading() as session:
            kept = session.scalars(select(PolicyVersion).where(PolicyVersion.version == "mine")).one()
        assert kept.document == document.strip() + "\n" or kept.document == document
        assert here.acts_about(kept.id) == ["published policy"]

    def test_every_problem_of_a_document_is_told_and_the_document_is_kept(self, here: Desks) -> None:
        document = next(each for each in shipped_policies() if CLINIC_POLICY in each)
        broken = document.replace("window_days = 28", "window_days = 999").replace('status = "active"', 'status = "x"')

        answer = here.administrator.post("/office/policies", {"document": broken})

        assert answer.status_code == 422
        assert "window_days" in text_of(answer)
        assert "status" in text_of(answer)
        assert "window_days = 999" in answer.text

    def test_a_published_version_is_never_edited(self, here: Desks) -> None:
        here.follow()
        document = self.version(here, CLINIC_POLICY).document.replace("= 75,", "= 60,")

        answer = here.administrator.post("/office/policies", {"document": document})

        assert answer.status_code == 409
        assert "Give the changed document another version." in text_of(answer)


class TestTheAuditTrail:
    def test_it_shows_who_did_what_about_whom_by_number_and_never_by_name(self, here: Desks) -> None:
        client = here.enrolled("H-9", "Ahmad bin Yusof")
        here.doctor.get(f"/consulting/clients/{client}")

        said = text_of(here.administrator.get("/office/audit"))

        assert "Doctor looked at H-9 page client" in said
        assert "Ahmad" not in said

    def test_it_shows_what_was_done_to_a_client_to_those_alone_who_may_open_the_record(self, here: Desks) -> None:
        client = here.enrolled("H-9")
        with here.database.writing() as session:
            record(
                session,
                actor=here.place.doctor,
                act="ordered dose",
                subject="client",
                subject_id=client,
                at=here.clock(),
                details={"mg": "85.00"},
            )

        assert "ordered dose H-9" in text_of(here.administrator.get("/office/audit"))
        assert "85.00" not in here.administrator.get("/office/audit").text
        assert "mg 85.00" in text_of(here.seat(Role.ADMINISTRATOR, Role.DOCTOR).get("/office/audit"))

    def test_older_entries_are_a_page_away(self, here: Desks) -> None:
        for n in range(15):
            here.enrolled(f"N{n:02d}")
        newest = here.administrator.get("/office/audit").text
        earlier = re.search(r'href="(/office/audit\?before=\d+)"', newest)
        assert earlier is not None

        older = text_of(here.administrator.get(earlier[1]))

        assert "N14" in newest
        assert "N14" not in older

    def test_a_whole_chain_is_said_to_be_whole(self, here: Desks) -> None:
        here.place.client()

        assert "The chain is whole" in text_of(here.administrator.get("/office/audit?check=true"))

    def test_an_entry_that_somebody_changed_is_named(self, here: Desks) -> None:
        here.place.client()
        with here.database.writing() as session:
            session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER never_changed"))
            session.execute(text("UPDATE audit_entry SET act = 'nothing' WHERE seq = 2"))
            session.execute(text("ALTER TABLE audit_entry ENABLE TRIGGER never_changed"))

        answer = here.administrator.get("/office/audit?check=true")

        assert "The chain is broken" in text_of(answer)
        assert "audit entry 2 of site" in text_of(answer)
