"""A client asks who looked: every act has a sentence, and the list says what the trail says, in plain words."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from pypdf import PdfReader

from dispensary.clients.disclosing import Ground, Told, disclose
from dispensary.database import Database
from dispensary.looks.rules import Thresholds
from dispensary.looks.settings import set_thresholds
from dispensary.looks.told_rules import BY_TEXT, NOT_KNOWN, SENTENCES, sentence_of
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId
from tests.acts import acts_of_the_code
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import text_of

ABOUT_NO_CLIENT = (
    "dispensary/staff/",
    "dispensary/evaluation/",
    "dispensary/stock/",
    "dispensary/backups/",
    "dispensary/prescribing/adopting.py",
    "dispensary/takehome/publishing.py",
    "dispensary/web/safe_acts.py",
    "dispensary/web/entering.py",
    "dispensary/web/factor_acts.py",
    "dispensary/monitoring/setting.py",
    "dispensary/monitoring/importing.py",
    "dispensary/phone/text_rules.py",
    "dispensary/phone/news.py",
    "dispensary/supplies/outage_making.py",
    "dispensary/supplies/outage_settings.py",
    "dispensary/supplies/paper.py",
    "dispensary/supplies/random_recalls.py",
    "dispensary/supplies/history.py",
    "dispensary/clients/demands.py",
    "dispensary/looks/settings.py",
    "dispensary/looks/unusual.py",
    *(
        f"dispensary/desks/{page}.py"
        for page in (
            "opening",
            "booking_setting",
            "figures",
            "adopting",
            "advising",
            "registers",
            "downtime",
            "feedback",
            "evaluation_taken",
            "incoming",
        )
    ),
)
"""Files whose entries are about accounts, sites, stock, figures: nothing that a client has a record of."""
ABOUT_THE_SITE = {
    "dropped signing key",
    "removed legal demands",
    "assessed take-home of everybody",
    "closed day",
    "changed queue",
    "looked at health lists",
    "made backup",
    "looked at list",
    "set bottle rule",
    "let go what is past its time",
    "set follow-up",
    "ordered round",
    "set instrument",
    "set pathway",
    "set reminders",
    "received naloxone",
    "discarded naloxone",
    "kept directory",
    "took in",
    "noted outreach",
    "opened site from folder",
    "gave service to intake",
    "took service of intake back",
    "took outreach back",
    "took group back",
    "put on call",
    "took off call",
    "printed route list",
    "assessed intake",
    "told referrer",
    "closed intake",
    "looked at intake",
    "corrected intake",
    "noted consent of intake",
    "ended consent of intake",
    "set days before a review",
    "set disclosure notice",
    "set laboratory limit",
    "set longest guest stay",
    "set packing rule",
    "set pass rules",
    "sign in",
    "set period of records",
    "held group",
    "opened survey",
    "closed survey",
    "typed survey sheet",
    "lent site",
    "took cut",
    "joined site",
    "site came back",
    "site's server was lost",
    "shut out",
}
"""Acts about the site or an account, in files that write of clients too."""


def test_every_act_about_a_client_has_a_sentence() -> None:
    acts = acts_of_the_code()
    assert len(acts) > 150, "the code is read"
    silent = {
        act: sorted(files)
        for act, files in acts.items()
        if not all(file.startswith(ABOUT_NO_CLIENT) for file in files)
        and act not in ABOUT_THE_SITE
        and sentence_of(act) == NOT_KNOWN
    }
    assert silent == {}
    assert set(SENTENCES) - set(acts) == set(), "no sentence for what nobody does"
    assert sentence_of("dropped by text") == BY_TEXT


@pytest.fixture
def clinic(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def seen(clinic: Desks) -> ClientId:
    client = clinic.place.client()
    clinic.place.give(client)
    for _ in range(3):
        assert clinic.doctor.get(f"/consulting/clients/{client}").status_code == 200
    with clinic.database.writing() as session:
        disclose(
            session,
            actor=clinic.place.doctor,
            clients=[client],
            what="dose days of 2026",
            told=Told("University of Malaya", "a study", Ground.CONSENT, "folder 7"),
            at=clinic.place.now,
        )
    return client


class TestTheList:
    def test_it_is_by_day_in_plain_words_with_the_work_of_who_it_was(self, clinic: Desks) -> None:
        client = seen(clinic)
        said = text_of(clinic.doctor.get(f"/consulting/clients/{client}/looks"))
        assert "07:00, a doctor: Opened your record (3 times)" in said
        assert "07:00, a pharmacist: Handed over to you" in said
        assert "University of Malaya, dose days of 2026" in said
        assert "Dr. Lim Wei:" not in said
        assert clinic.acts_about(client)[-1] == "looked at"

    def test_a_site_may_tell_names(self, clinic: Desks) -> None:
        client = seen(clinic)
        runs = Actor(clinic.place.doctor.account_id, clinic.place.site_id, frozenset({Role.ADMINISTRATOR}))
        with clinic.database.writing() as session:
            set_thresholds(session, actor=runs, wanted=Thresholds(names_to_clients=True), at=clinic.place.now)
        said = text_of(clinic.doctor.get(f"/consulting/clients/{client}/looks"))
        assert "07:00, Aishah binti Yusof: Handed over to you" in said

    def test_the_paper_says_the_same_and_that_it_was_given_is_written_down(self, clinic: Desks, tmp_path: Path) -> None:
        client = seen(clinic)
        answer = clinic.doctor.get(f"/consulting/clients/{client}/looks.pdf")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        (tmp_path / "page.pdf").write_bytes(answer.content)
        said = " ".join(page.extract_text() for page in PdfReader(tmp_path / "page.pdf").pages)
        assert "a doctor: Opened your record (3 times)" in " ".join(said.split())
        assert "University of Malaya" in said
        assert not [never for never in ("Ahmad", "Harapan", "methadone") if never in said]
        assert clinic.acts_about(client)[-1] == "told who looked"
        assert "Gave you this list" in text_of(clinic.doctor.get(f"/consulting/clients/{client}/looks"))

    def test_who_does_not_treat_is_told_nothing(self, clinic: Desks) -> None:
        client = seen(clinic)
        for role in (Role.RECEPTION, Role.EVALUATOR, Role.ADMINISTRATOR):
            assert clinic.seat(role).get(f"/consulting/clients/{client}/looks").status_code == 403
            assert clinic.seat(role).get(f"/consulting/clients/{client}/looks.pdf").status_code == 403


class TestWatched:
    def test_a_doctor_watches_a_record_and_a_nurse_is_asked_why(self, clinic: Desks) -> None:
        client = clinic.place.client()
        page = f"/consulting/clients/{client}"
        nurse = clinic.seat(Role.NURSE)
        assert nurse.get(page).status_code == 200
        assert nurse.post(f"{page}/watch", {"kind": "known"}).status_code == 403
        asked = clinic.doctor.post(f"{page}/watch", {"kind": "known", "words": "plays football on television"})
        assert asked.headers["location"] == f"{page}/looks?done=watched"
        clinic.clock.goes_on(minutes=1.1)
        assert nurse.get(page).status_code == 303
        assert "This record is watched" in text_of(nurse.get(f"/looking/{client}"))
        assert clinic.seat(Role.PHARMACIST).get(f"/counter/clients/{client}").status_code == 200, "on the day's list"
        assert "football" not in str(clinic.acts_about(client))

        clinic.doctor.post(f"/looking/{client}", {"reason": "reviewing", "onward": page})
        clinic.doctor.post(f"{page}/watch", {"end": "yes"})
        assert nurse.get(page).status_code == 200
        assert clinic.acts_about(client).count("watched record") == 1
        assert clinic.acts_about(client).count("ended watch") == 1
