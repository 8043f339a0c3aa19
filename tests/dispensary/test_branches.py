"""The programme's tree: what lies where, roles at a whole branch, and a file of it, taken whole or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dispensary.database import Database
from dispensary.leading import Leadership
from dispensary.refusals import BadInput, NotAllowed, Refused
from dispensary.staff.branch_import import import_tree
from dispensary.staff.branch_queries import granted, tree
from dispensary.staff.branch_rules import Kind, Node, read_tree, settled
from dispensary.staff.branches import add_area, change_area, grant_at_branch, place_site, remove_area, revoke_at_branch
from dispensary.staff.rules import Role
from dispensary.staff.service import grant, revoke
from dispensary.wall import behind
from tests.dispensary.branch_place import Programme, programme
from tests.dispensary.visiting import acts_of, open_site

FILE = b"""code,name,parent,kind,zone,language,lat,lon
MY,Malaysia,,country,Asia/Kuala_Lumpur,ms,,
SEL,Selangor,MY,province,,,,
KL-1,"Klang, Hospital",SEL,main,,,3.04,101.45
KL-1A,"Kapar",KL-1,satellite,,en,3.14,101.38
"""


@pytest.fixture
def here(database: Database, now: datetime) -> Programme:
    return programme(database, now)


def roles_at(here: Programme, username: str) -> set[tuple[str, str, bool]]:
    with here.database.reading() as session:
        rows = session.execute(
            text("""SELECT s.code, g.role, g.direct FROM role_grant g JOIN account a ON a.id = g.account_id
                    JOIN site s ON s.id = g.site_id WHERE a.username = :name"""),
            {"name": username},
        )
        return {(row[0], row[1], row[2]) for row in rows}


def give(here: Programme, username: str, branch: str, role: Role) -> object:
    def act(session):  # type: ignore[no-untyped-def]
        return grant_at_branch(
            session, actor=here.chief, username=username, branch=branch, role=role, at=here.main.now
        ).id

    return here.database.write(act)


def move(here: Programme, code: str, parent: str) -> None:
    with here.database.writing() as session:
        site_id = session.scalar(text("SELECT id FROM site WHERE code = :code"), {"code": code})
        place_site(
            session, actor=here.chief, site_id=site_id, parent=parent, lat=None, lon=None, at=here.main.now
        )  # fmt: skip


def doctor(here: Programme) -> str:
    with here.database.reading() as session:
        name = session.scalar(text("SELECT username FROM account WHERE id = :id"), {"id": here.other.doctor.account_id})
    return str(name)


class TestARoleAtABranch:
    def test_counts_at_every_site_in_it_and_follows_the_tree_at_once(self, here: Programme) -> None:
        name = doctor(here)
        give(here, name, "P1", Role.EVALUATOR)
        here_and_there = {("OTH", "doctor", True), ("HRP", "evaluator", False), ("KLG", "evaluator", False)}
        assert roles_at(here, name) == here_and_there

        move(here, "OTH", "D1")
        assert roles_at(here, name) == here_and_there | {("OTH", "evaluator", False)}
        move(here, "HRP", "P2")  # and its satellite goes with it
        assert roles_at(here, name) == {("OTH", "doctor", True), ("OTH", "evaluator", False)}

    def test_follows_the_tree_while_a_program_leads_the_jobs(self, here: Programme) -> None:
        leadership = Leadership(here.database)
        assert leadership.held()
        try:
            move(here, "OTH", "D1")  # waited for the leader's lock once, and was refused after ten seconds
        finally:
            leadership.give_up()

    def test_at_a_main_site_counts_at_its_satellites_and_nowhere_else(self, here: Programme) -> None:
        name = doctor(here)
        give(here, name, "HRP", Role.DOCTOR)
        assert {code for code, _, _ in roles_at(here, name)} == {"HRP", "KLG", "OTH"}
        move(here, "KLG", "P2")
        assert {code for code, _, _ in roles_at(here, name)} == {"HRP", "OTH"}

    def test_is_taken_back_there_and_leaves_what_was_given_at_a_site(self, here: Programme) -> None:
        name, site_id = doctor(here), here.main.site_id
        given_id = give(here, name, "P1", Role.NURSE)
        with here.database.reading() as session:
            account = session.scalar(text("SELECT id FROM account WHERE username = :n"), {"n": name})

        with pytest.raises(Refused) as refused, here.database.writing() as session:
            revoke(session, actor=here.chief, account_id=account, site_id=site_id, role=Role.NURSE, at=here.main.now)
        assert refused.value.first.code == "role-by-branch"
        with here.database.writing() as session:
            grant(session, actor=here.chief, account_id=account, site_id=site_id, role=Role.NURSE, at=here.main.now)
        with here.database.writing() as session:
            revoke_at_branch(session, actor=here.chief, grant_id=given_id, at=here.main.now)  # type: ignore[arg-type]
        assert roles_at(here, name) == {("OTH", "doctor", True), ("HRP", "nurse", True)}

    def test_is_given_and_taken_by_whoever_runs_the_whole_branch_alone(self, here: Programme) -> None:
        name = doctor(here)
        give(here, name, "P2", Role.ADMINISTRATOR)
        provincial = here.other.doctor.__class__(
            here.other.doctor.account_id, here.other.site_id, frozenset({Role.ADMINISTRATOR}), "", ""
        )
        for branch in ("MY", "P1", "HRP"):
            with pytest.raises(NotAllowed), here.database.writing() as session:
                grant_at_branch(
                    session, actor=provincial, username=name, branch=branch, role=Role.DOCTOR, at=here.main.now
                )
        with pytest.raises(NotAllowed), here.database.writing() as session:
            place_site(
                session, actor=provincial, site_id=here.other.site_id, parent="P1", lat=None, lon=None,
                at=here.main.now,
            )  # fmt: skip
        # Behind the wall PostgreSQL refuses it too, whatever the code forgot.
        with behind(here.other.site_id), pytest.raises(DBAPIError), here.database.writing() as session:
            session.execute(
                text("""INSERT INTO branch_grant (id, account_id, area_id, role, granted_at) SELECT gen_random_uuid(),
                        :who, id, 'doctor', now() FROM area WHERE code = 'MY'"""),
                {"who": provincial.account_id},
            )

    def test_that_is_the_last_administrators_stays(self, here: Programme) -> None:
        with here.database.reading() as session:
            (one,) = granted(session)
        with pytest.raises(Refused) as refused, here.database.writing() as session:
            revoke_at_branch(session, actor=here.chief, grant_id=one.id, at=here.main.now)
        assert refused.value.first.code == "last-administrator"
        with pytest.raises(Refused):
            move(here, "OTH", "")
        assert len(roles_at(here, "chief")) == 4

    def test_misses_no_site_when_two_changes_come_at_once(self, here: Programme) -> None:
        name = doctor(here)
        with ThreadPoolExecutor(6) as pool:
            moving = [pool.submit(move, here, "OTH", parent) for parent in ("D1", "P1", "MY", "P2")]
            giving = [pool.submit(give, here, name, branch, Role.NURSE) for branch in ("P1", "D1")]
            for each in (*moving, *giving):
                each.result()
        with here.database.reading() as session:
            wrong = session.scalar(
                text("""SELECT count(*) FROM (
                    SELECT account_id, role, under FROM branch_grant, LATERAL branch_sites(area_id, site_id) AS under
                    EXCEPT SELECT account_id, role, site_id FROM role_grant) AS missing""")
            )
            stray = session.scalar(
                text("""SELECT count(*) FROM role_grant r WHERE NOT direct AND NOT EXISTS (SELECT FROM branch_grant g
                    WHERE g.account_id = r.account_id AND g.role = r.role
                    AND r.site_id IN (SELECT branch_sites(g.area_id, g.site_id)))""")
            )
        assert (wrong, stray) == (0, 0)


class TestTheTree:
    def test_is_shown_from_the_top_down_with_how_many_sites_lie_in_each_branch(self, here: Programme) -> None:
        with here.database.reading() as session:
            shown = [(branch.code, branch.depth, branch.sites) for branch in tree(session)]
        assert shown == [("MY", 0, 3), ("P1", 1, 2), ("D1", 2, 2), ("HRP", 3, 2), ("KLG", 4, 1), ("P2", 1, 1),
                         ("OTH", 2, 1)]  # fmt: skip

    @pytest.mark.parametrize(
        ("code", "parent", "refusal"),
        [("KLG", "OTH", ""), ("OTH", "KLG", "no-branch"), ("HRP", "OTH", "satellite-of-satellite"),
         ("HRP", "HRP", "own-satellite"), ("OTH", "NONE", "no-branch")],
    )  # fmt: skip
    def test_has_satellites_of_main_sites_alone(self, here: Programme, code: str, parent: str, refusal: str) -> None:
        try:
            move(here, code, parent)
            found = ""
        except Refused as refused:
            found = refused.first.code
        assert found == refusal

    def test_has_areas_that_are_changed_undone_and_taken_away_when_empty(self, here: Programme) -> None:
        at, chief = here.main.now, here.chief
        with here.database.writing() as session:
            d2 = add_area(session, actor=chief, kind=Kind.DISTRICT, code="d2", name="D" * 120, parent="p1", at=at)
        with here.database.writing() as session:
            change_area(session, actor=chief, area_id=d2.id, name="Two", parent="P2", at=at)
        with here.database.writing() as session:
            change_area(session, actor=chief, area_id=d2.id, name="D" * 120, parent="P1", at=at)
        with pytest.raises(BadInput), here.database.writing() as session:
            change_area(session, actor=chief, area_id=d2.id, name="Two", parent="D1", at=at)
        with here.database.writing() as session:
            remove_area(session, actor=chief, area_id=d2.id, at=at)
        with here.database.reading() as session:
            p1 = next(branch for branch in tree(session) if branch.code == "P1")
        with pytest.raises(Refused, match="not empty"), here.database.writing() as session:
            remove_area(session, actor=chief, area_id=p1.id, at=at)

    @pytest.mark.parametrize(("kind", "code", "parent"), [(Kind.COUNTRY, "ZZ", ""), (Kind.PROVINCE, "HRP", "MY"),
                             (Kind.PROVINCE, "P1", "MY"), (Kind.DISTRICT, "D9", "MY")])  # fmt: skip
    def test_has_one_country_and_each_code_once(self, here: Programme, kind: Kind, code: str, parent: str) -> None:
        with pytest.raises(Refused), here.database.writing() as session:
            add_area(session, actor=here.chief, kind=kind, code=code, name="Again", parent=parent, at=here.main.now)


class TestAFileOfTheTree:
    def test_opens_sites_with_what_they_inherit_and_changes_nothing_a_second_time(
        self, database: Database, now: datetime
    ) -> None:
        with database.writing() as session:
            first = import_tree(session, nodes=read_tree(FILE), region="my", at=now)
        with database.writing() as session:
            second = import_tree(session, nodes=read_tree(FILE), region="MY", at=now)
        assert (first.areas, len(first.opened), first.changed) == (2, 2, 0)
        assert (second.areas, len(second.opened), second.changed) == (0, 0, 0)
        with database.reading() as session:
            rows = session.execute(text("SELECT code, zone, language, lat FROM site ORDER BY code")).all()
        assert rows == [
            ("KL-1", "Asia/Kuala_Lumpur", "ms", Decimal("3.04")),
            ("KL-1A", "Asia/Kuala_Lumpur", "en", Decimal("3.14")),
        ]

    def test_puts_a_site_that_was_alone_in_its_place_and_writes_it_down_there(
        self, database: Database, now: datetime
    ) -> None:
        site = open_site(database, now, code="KL-1A", name="Kapar")
        with database.writing() as session:
            done = import_tree(session, nodes=read_tree(FILE), region="MY", at=now)
        assert (len(done.opened), done.changed) == (1, 1)
        assert acts_of(database, site) == ["open site", "placed site"]

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("KL-2,,SEL,main,,,,", "Line 6: A name has 1 to 120"),
            ("KL-2,Two,SEL,shop,,,,", "Line 6: “shop” is no kind"),
            ("KL-2,Two,XX,main,,,,", "Line 6: There is no “XX”"),
            ("KL-2,Two,KL-1A,satellite,,,,", "Line 6: A satellite belongs to a main"),
            ("KL-2,Two,SEL,district,,,,\nKL-2,Twice,SEL,main,,,,", "Line 7: KL-2 stands on line 6 too"),
            ("KL-2,Two,SEL,main,Mars/Base,,,", "Line 6: “Mars/Base” is not a time zone"),
            ("KL-2,Two,SEL,main,,,95,1", "Line 6: Latitude"),
            ("KL-2,Two,SEL,main,,,3.1,", "Line 6: One coordinate"),
            ("KL-2,Two,SEL,main,,,3.1,x", "Line 6: “x” is no lon"),
            ("KL-2,Two, no quotes,SEL,main,,,,", "Line 6: 9 cells"),
            ("KL-2,Two,KL-1,satellite,Asia/Tokyo,,,", "Line 6: KL-2 has another zone"),
            ("ZZ,Another,,country,,,,", "Line 6: There is one country"),
        ],
    )
    def test_with_a_fault_changes_nothing_and_names_the_line(
        self, database: Database, now: datetime, line: str, says: str
    ) -> None:
        with pytest.raises(BadInput) as refused, database.writing() as session:
            import_tree(session, nodes=read_tree(FILE + line.encode()), region="MY", at=now)
        assert says in str(refused.value)
        with database.reading() as session:
            assert session.scalar(text("SELECT (SELECT count(*) FROM area) + (SELECT count(*) FROM site)")) == 0

    @pytest.mark.parametrize("content", [b"", b"code,name\n", b"\xff\xfe", b"code,name,parent,kind,colour\n",
                                         b"code,name,parent,kind\n"])  # fmt: skip
    def test_that_is_no_tree_is_one_clear_line(self, content: bytes) -> None:
        with pytest.raises(BadInput):
            read_tree(content)

    @given(st.permutations(list(read_tree(FILE))))
    def test_says_the_same_in_whatever_order_its_lines_are(self, nodes: list[Node]) -> None:
        assert {node.code: node for node in settled(nodes, {})} == {
            node.code: node for node in settled(read_tree(FILE), {})
        }
