"""The pages on which what was closed in error is opened again: a reason, one press, and the page says so."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dispensary.care.referral_models import Outcome
from dispensary.care.session_models import SessionState
from dispensary.care.sessions import end_plan
from dispensary.database import Database
from dispensary.staff.rules import Role
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.test_open_again import does
from tests.dispensary.test_open_again_told import goal_of
from tests.dispensary.test_referrals import closed, sent
from tests.dispensary.test_sessions import begun, marked, sessions
from tests.dispensary.test_visits import agreed, ended, planned
from tests.dispensary.visiting import text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


class TestThePages:
    def actions(self, page: str, path: str) -> list[str]:
        return re.findall(rf'action="({path})"', page)

    def seen(self, page: str, action: str) -> str:
        return re.search(rf'action="{action}".*?name="seen" value="([^"]+)"', page, re.DOTALL)[1]  # type: ignore[index]

    def presses(self, here: Desks, at: str, path: str, then: str) -> None:
        """Without a reason the page comes again, with the fold open; with one it is taken back."""
        nurse = here.seat(Role.NURSE)
        shown = nurse.get(at).text
        (action,) = self.actions(shown, path)
        seen = self.seen(shown, action)
        about = re.search(rf'action="{action}".*?name="back" value="([^"]+)"', shown, re.DOTALL)
        assert about is not None
        refused = nurse.post(action, {"back": about[1], "seen": seen, "why": ""})
        assert refused.status_code == 422
        fold = refused.text[: refused.text.index(f'action="{action}"')].rindex("<details")
        assert refused.text[fold:].startswith('<details class="more" open>')
        assert nurse.post(action, {"back": about[1], "seen": "yesterday", "why": "twice"}).status_code in (409, 422)
        gone = nurse.post(action, {"back": about[1], "seen": seen, "why": "another"})
        assert gone.headers["location"].startswith(then), gone.headers
        assert "It is about somebody else" in text_of(nurse.get(at))

    def test_of_a_client_open_again_what_was_closed(self, here: Desks) -> None:
        client = here.place.client()
        at = f"/consulting/clients/{client}"
        closed(here.place, client, sent(here.place, client), Outcome.ATTENDED, 0)
        goal_of(here.place, client, state="reached")
        self.presses(here, at, f"{at}/referrals/[^/]+/reopen", f"{at}?done=reopened")
        self.presses(here, at, f"{at}/goals/[^/]+/reopen", f"{at}?done=reopened")
        page = text_of(here.seat(Role.NURSE).get(at))
        assert "They did not go" in page
        assert "Let go" in page

    def test_of_care_agree_sessions_again(self, here: Desks) -> None:
        client = here.place.client()
        at = f"/care/clients/{client}"
        plan = begun(here.place, client)
        marked(here.place, client, sessions(here.place, client)[0], SessionState.CALLED_OFF)
        self.presses(here, at, f"{at}/sessions/[^/]+/back", f"{at}?done=back")
        here.place.now += timedelta(minutes=1)
        does(
            here.place,
            lambda session: end_plan(
                session, actor=here.place.doctor, client_id=client, plan_id=plan, at=here.place.now
            ),
        )
        here.clock.moment = here.place.now
        self.presses(here, at, f"{at}/plans/[^/]+/back", f"{at}?done=back")
        assert [each.state for each in sessions(here.place, client)] == ["planned"] * 3

    def test_of_visits_plan_them_again(self, here: Desks) -> None:
        client = agreed(here.place)
        here.clock.moment = here.place.now
        ended(here.place, planned(here.place, client))
        then = f"/care/visits?on={day(0, here)}&done=back"
        self.presses(here, "/care/visits", "/care/visits/[^/]+/back", then)
        nurse = here.seat(Role.NURSE)
        (off,) = self.actions(nurse.get("/care/visits").text, "/care/visits/[^/]+/off")
        here.clock.goes_on(minutes=1)
        assert nurse.post(off).status_code == 303
        assert "1 visit was called off" in text_of(nurse.get("/care/visits"))
        self.presses(here, "/care/visits", "/care/visits/[^/]+/back", then)

    def test_of_work_law_and_groups_take_back_a_line(self, here: Desks) -> None:
        nurse, client = here.seat(Role.NURSE), here.enrolled("N77", "Somebody")
        said = {"aspect": "work", "word": "employed", "from_day": day(0, here)}
        assert nurse.post(f"/care/life/{client}", said).status_code == 303
        assert nurse.post(f"/care/law/{client}", {"word": "open", "from_day": day(0, here)}).status_code == 303
        group = {"on_day": day(0, here), "about": "support", "numbers": "N77", "others": "3"}
        assert nurse.post("/care/groups", group).status_code == 303
        for at in (f"/care/life/{client}", f"/care/law/{client}"):
            (action,) = self.actions(nurse.get(at).text, f'{at}/back/[^/"]+')
            about = action.rsplit("/", 1)[1]
            refused = nurse.post(action, {"back": about, "why": ""})
            assert (refused.status_code, '<details class="more" open>' in refused.text) == (422, True)
            assert nurse.post(action, {"why": "another"}).headers["location"] == f"{at}?done=back"
            shown = text_of(nurse.get(at))
            assert "It is about somebody else ·" in shown
            assert "Entered in error?" not in shown
        (action,) = self.actions(nurse.get("/care/groups").text, "/care/groups/[^/]+/back")
        refused = nurse.post(action, {"back": action.split("/")[-2], "client": str(client), "why": ""})
        assert (refused.status_code, f'<option value="{client}" selected>' in refused.text) == (422, True)
        assert nurse.post(action, {"client": str(client), "why": "another"}).status_code == 303
        assert "3 people" in text_of(nurse.get("/care/groups"))
        assert nurse.post(action, {"client": "", "why": "twice"}).status_code == 303
        assert "It is there twice ·" in text_of(nurse.get("/care/groups"))
        assert "0 held this year" in text_of(nurse.get("/care/groups"))
