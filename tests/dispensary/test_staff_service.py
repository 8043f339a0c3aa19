from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time

import pytest
from sqlalchemy import func, select

from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.staff import audit, invitations, queries, service
from dispensary.staff.models import Account, AccountPassword, RoleGrant
from dispensary.staff.rules import Actor, Role, the_program
from tests.dispensary.visiting import PASSWORD, acts_of, hire, open_site


class TestOpeningASite:
    def test_a_site_has_its_zone_and_day_boundary_and_an_audit_chain(self, database: Database, now: datetime) -> None:
        site = open_site(database, now, day_starts=time(4, 0))
        with database.reading() as session:
            place = queries.place(session, site.id)
            assert queries.site_by_code(session, "kl").id == site.id
            assert list(audit.broken_links(session, site_id=site.id)) == []
        assert place.dose_day(now.replace(hour=19)).isoformat() == "2026-11-23"
        assert acts_of(database, site) == ["open site"]

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ({"zone": "Asia/Nowhere"}, "bad-zone"),
            ({"region": "ZZ"}, "bad-region"),
            ({"name": "  "}, "no-name"),
            ({"day_starts": time(13, 0)}, "bad-day-start"),
            ({"jump_percent": 0}, "bad-jump"),
            ({"missed_days_ask": 9}, "bad-missed-days"),
            ({"code": "far too long a code"}, "bad-site-code"),
        ],
    )
    def test_what_cannot_be_a_site_is_refused_and_nothing_is_kept(
        self, database: Database, now: datetime, given: dict[str, object], code: str
    ) -> None:
        with pytest.raises(BadInput) as refused:
            open_site(database, now, **{"code": "KL", **given})  # type: ignore[arg-type]
        assert refused.value.first.code == code
        with database.reading() as session:
            assert queries.sites(session) == []

    def test_two_sites_never_share_a_code(self, database: Database, now: datetime) -> None:
        open_site(database, now)
        with pytest.raises(Refused) as refused:
            open_site(database, now)
        assert refused.value.first.code == "site-code-taken"

    def test_an_unknown_code_is_answered_with_the_known_ones(self, database: Database, now: datetime) -> None:
        open_site(database, now)
        with database.reading() as session, pytest.raises(NotThere) as refused:
            queries.site_by_code(session, "XX")
        assert "KL" in refused.value.first.remedy


class TestAccounts:
    def test_an_account_is_found_among_its_colleagues_with_its_roles(self, database: Database, now: datetime) -> None:
        site = open_site(database, now)
        hire(database, site, "siti", [Role.DOCTOR, Role.NURSE], now)
        with database.reading() as session:
            (siti,) = queries.colleagues(session, site.id)
        assert (siti.username, siti.roles, siti.left_at) == ("siti", frozenset({Role.DOCTOR, Role.NURSE}), None)

    def test_the_password_is_kept_as_argon2id_alone(self, database: Database, now: datetime, real_argon2: None) -> None:
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
        with database.reading() as session:
            kept = session.scalar(select(AccountPassword.hash))
        assert kept is not None
        assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert PASSWORD not in kept

    def test_all_that_is_wrong_with_an_account_is_said_at_once(self, database: Database, now: datetime) -> None:
        site = open_site(database, now)
        with pytest.raises(BadInput) as refused, database.writing() as session:
            service.add_account(
                session,
                actor=the_program(site.id),
                site_id=site.id,
                username="!",
                name=" ",
                initials="",
                password="short",
                roles=[],
                at=now,
            )
        fields = {refusal.field for refusal in refused.value.refusals}
        assert fields == {"username", "password", "name", "initials", "roles"}

    def test_the_name_of_somebody_who_left_is_not_given_to_another(self, database: Database, now: datetime) -> None:
        site = open_site(database, now)
        siti = hire(database, site, "siti", [Role.DOCTOR], now)
        with database.writing() as session:
            service.close_account(session, actor=the_program(site.id), account_id=siti.id, at=now)
        with pytest.raises(Refused) as refused:
            hire(database, site, "Siti", [Role.NURSE], now)
        assert refused.value.first.code == "username-taken"

    def test_only_an_administrator_of_the_site_hires(self, database: Database, now: datetime) -> None:
        here, there = open_site(database, now), open_site(database, now, code="SAT")
        anna = hire(database, there, "anna", [Role.ADMINISTRATOR], now)
        for actor in (
            Actor(anna.id, there.id, frozenset({Role.ADMINISTRATOR})),
            Actor(anna.id, here.id, frozenset({Role.DOCTOR})),
        ):
            with pytest.raises(NotAllowed), database.writing() as session:
                service.grant(session, actor=actor, account_id=anna.id, site_id=here.id, role=Role.DOCTOR, at=now)

    def test_an_administrator_cannot_take_over_an_account_that_works_elsewhere_too(
        self, database: Database, now: datetime
    ) -> None:
        here, there = open_site(database, now), open_site(database, now, code="SAT")
        anna = hire(database, here, "anna", [Role.ADMINISTRATOR], now)
        ben = hire(database, there, "ben", [Role.DOCTOR], now)
        actor = Actor(anna.id, here.id, frozenset({Role.ADMINISTRATOR}))
        with database.writing() as session:
            service.grant(session, actor=actor, account_id=ben.id, site_id=here.id, role=Role.DOCTOR, at=now)
        with pytest.raises(NotAllowed), database.writing() as session:
            invitations.invite(session, actor=actor, site_id=here.id, account_id=ben.id, at=now)
        with pytest.raises(NotAllowed), database.writing() as session:
            service.close_account(session, actor=actor, account_id=ben.id, at=now)

    def test_the_last_administrator_stays(self, database: Database, now: datetime) -> None:
        site = open_site(database, now)
        anna = hire(database, site, "anna", [Role.ADMINISTRATOR], now)
        for leave in (
            lambda session: service.close_account(session, actor=the_program(site.id), account_id=anna.id, at=now),
            lambda session: service.revoke(
                session,
                actor=the_program(site.id),
                account_id=anna.id,
                site_id=site.id,
                role=Role.ADMINISTRATOR,
                at=now,
            ),
        ):
            with pytest.raises(Refused) as refused, database.writing() as session:
                leave(session)
            assert refused.value.first.code == "last-administrator"

    def test_two_administrators_who_remove_each_other_at_once_leave_one(
        self, database: Database, now: datetime
    ) -> None:
        site = open_site(database, now)
        anna, ben = (hire(database, site, name, [Role.ADMINISTRATOR], now) for name in ("anna", "ben"))

        def removes(actor: Account, other: Account) -> str:
            try:
                with database.writing() as session:
                    service.close_account(
                        session,
                        actor=Actor(actor.id, site.id, frozenset({Role.ADMINISTRATOR})),
                        account_id=other.id,
                        at=now,
                    )
            except Refused as refused:
                return refused.first.code
            return "done"

        with ThreadPoolExecutor(2) as threads:
            outcomes = list(threads.map(removes, (anna, ben), (ben, anna)))
        assert sorted(outcomes) == ["done", "last-administrator"]

    def test_a_grant_counts_once_and_is_written_down(self, database: Database, now: datetime) -> None:
        site = open_site(database, now)
        siti = hire(database, site, "siti", [Role.NURSE], now)
        for _ in range(2):
            with database.writing() as session:
                service.grant(
                    session,
                    actor=the_program(site.id),
                    account_id=siti.id,
                    site_id=site.id,
                    role=Role.DOCTOR,
                    at=now,
                )
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(RoleGrant)) == 2
        assert acts_of(database, site) == ["open site", "add account", "grant role"]
