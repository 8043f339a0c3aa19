"""Passkeys at the door and on one's own page: signed once, for this address, by the person, counting forward."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from litestar import Litestar
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import Refused
from dispensary.staff import factors
from dispensary.staff.factor_models import Passkey
from dispensary.staff.models import Account, Site
from dispensary.staff.passkey_rules import RelyingParty, relying_party
from dispensary.staff.rules import Role
from dispensary.web import entering
from tests.dispensary.app.stubs import HOUSE
from tests.dispensary.factored import has_authenticator
from tests.dispensary.lending import lent_app
from tests.dispensary.soft_passkey import PRESENT, SoftPasskey, letters
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, acts_of, demo_settings, hire, text_of

ORIGIN = "https://clinic.example.org"


@pytest.fixture
def app(database: Database, clock: MovableClock, tmp_path: Path) -> Litestar:
    return lent_app(demo_settings(tmp_path, PUBLIC_BASE_URL=ORIGIN), database, clock, more=HOUSE)


@pytest.fixture
def siti(database: Database, site: Site, now: datetime) -> Account:
    return hire(database, site, "siti", [Role.DOCTOR], now)


def asked(visitor: Visitor, path: str = "/signin/passkey/ask", **form: str) -> dict:
    answer = visitor.post(path, form)
    assert answer.status_code == 200, answer.text
    return answer.json()


def comes_in(visitor: Visitor, credential: str) -> object:
    return visitor.post("/signin/passkey", {"credential": credential, "next": "/a-desk"})


def registers(visitor: Visitor, passkey: SoftPasskey, name: str = "my phone", **proof: str) -> object:
    options = asked(visitor, "/second-factor/passkeys/ask", name=name, **{"password": PASSWORD, **proof})
    return visitor.post("/second-factor/passkeys", {"credential": passkey.makes(options), "name": name})


@pytest.fixture
def passkey(app: Litestar, siti: Account) -> SoftPasskey:
    """Siti's, set up in a browser that then signed out."""
    visitor, made = Visitor(app), SoftPasskey(ORIGIN)
    assert visitor.signs_in("siti").status_code == 303
    assert "recovery codes" in text_of(registers(visitor, made))
    visitor.post("/signout")
    return made


class TestTheDoor:
    def test_a_passkey_alone_signs_in(
        self, app: Litestar, database: Database, site: Site, passkey: SoftPasskey
    ) -> None:
        visitor = Visitor(app)
        options = asked(visitor)
        assert (options["rpId"], options["userVerification"], options["allowCredentials"]) == (
            "clinic.example.org",
            "required",
            [],
        )
        answer = comes_in(visitor, passkey.signs(options))
        assert (answer.status_code, answer.headers["location"]) == (303, "/a-desk")
        assert visitor.get("/a-desk").status_code == 200
        assert acts_of(database, site)[-3:] == ["register passkey", "sign out", "sign in"]

    def test_with_a_passkey_the_password_alone_opens_nothing(self, app: Litestar, passkey: SoftPasskey) -> None:
        visitor = Visitor(app)
        answer = visitor.post("/signin", {"username": "siti", "password": PASSWORD})
        assert answer.headers["location"].startswith("/signin/code")
        page = visitor.get("/signin/code")
        assert 'data-passkey-ask="/signin/passkey/ask"' in page.text
        assert comes_in(visitor, passkey.signs(asked(visitor))).status_code == 303

    @pytest.mark.parametrize(
        "said",
        [
            {"origin": "https://clinic.example.org.evil.example"},
            {"origin": "http://clinic.example.org"},
            {"rp_id": "evil.example"},
            {"flags": PRESENT},
            {"challenge": letters(b"c" * 32)},
            {"kind": "webauthn.create"},
            {"key": ec.generate_private_key(ec.SECP256R1())},
            {"handle": b"h" * 64},
            {"handle": b""},
        ],
        ids=lambda said: str(next(iter(said.items())))[:40],
    )
    def test_what_no_honest_device_signs_for_this_page_opens_nothing(
        self, app: Litestar, passkey: SoftPasskey, said: dict
    ) -> None:
        visitor = Visitor(app)
        answer = comes_in(visitor, passkey.signs(asked(visitor), **said))
        assert (answer.status_code, "passkey-refused" in text_of(answer)) == (401, True)
        assert "takehome" not in visitor.client.cookies
        again = comes_in(visitor, passkey.signs(asked(visitor)))
        assert again.status_code == 303

    @pytest.mark.parametrize("sent", ["", "{", "[]", "null", '{"response": 1}', "x" * 20_000, "{" * 9_000])
    def test_nonsense_is_refused_in_the_same_words(self, app: Litestar, passkey: SoftPasskey, sent: str) -> None:
        answer = comes_in(Visitor(app), sent)
        assert (answer.status_code, "passkey-refused" in text_of(answer)) == (401, True)

    def test_what_was_signed_counts_once_within_five_minutes_and_for_what_it_was_asked(
        self, app: Litestar, clock: MovableClock, passkey: SoftPasskey
    ) -> None:
        visitor = Visitor(app)
        signed = passkey.signs(asked(visitor))
        assert comes_in(visitor, signed).status_code == 303
        assert comes_in(Visitor(app), signed).status_code == 401
        late = passkey.signs(asked(visitor))
        to_prove = passkey.signs(asked(visitor, "/second-factor/prove"))
        assert comes_in(Visitor(app), to_prove).status_code == 401
        clock.goes_on(minutes=5)
        assert comes_in(Visitor(app), late).status_code == 401

    def test_twenty_who_send_the_same_signature_at_once_are_one(
        self, app: Litestar, database: Database, clock: MovableClock, passkey: SoftPasskey
    ) -> None:
        signed, start = passkey.signs(asked(Visitor(app))), Barrier(12)
        party = RelyingParty("clinic.example.org", ORIGIN)

        def enters(number: int) -> bool:
            start.wait()
            try:
                entering.enter_by_passkey(
                    database, party=party, credential=signed, address=f"10.0.0.{number}", at=clock(), presented=None
                )
            except Refused:
                return False
            return True

        with ThreadPoolExecutor(12) as pool:
            assert sum(pool.map(enters, range(12))) == 1

    def test_a_count_that_goes_back_is_a_copy_and_is_written_down(
        self, app: Litestar, database: Database, site: Site, passkey: SoftPasskey
    ) -> None:
        assert comes_in(Visitor(app), passkey.signs(asked(Visitor(app)), count=7)).status_code == 303
        for count in (7, 3, 0):
            answer = comes_in(Visitor(app), passkey.signs(asked(Visitor(app)), count=count))
            assert (answer.status_code, "passkey-refused" in text_of(answer)) == (401, True)
        assert acts_of(database, site)[-3:] == ["passkey counted back"] * 3
        stranger = passkey.signs(asked(Visitor(app)), count=1, key=ec.generate_private_key(ec.SECP256R1()))
        assert comes_in(Visitor(app), stranger).status_code == 401
        assert acts_of(database, site)[-3:] == ["passkey counted back"] * 3, "nobody says it of another's passkey"
        assert comes_in(Visitor(app), passkey.signs(asked(Visitor(app)), count=8)).status_code == 303
        with pytest.raises(IntegrityError), database.writing() as session:
            session.execute(update(Passkey).values(sign_count=8))

    def test_a_device_that_does_not_count_may_always_say_nothing(self, app: Litestar, passkey: SoftPasskey) -> None:
        for _ in range(3):
            assert comes_in(Visitor(app), passkey.signs(asked(Visitor(app)), count=0)).status_code == 303

    def test_whoever_left_comes_in_by_nothing(
        self, app: Litestar, database: Database, site: Site, siti: Account, clock: MovableClock, passkey: SoftPasskey
    ) -> None:
        signed = passkey.signs(asked(Visitor(app)))
        with database.writing() as session:
            from dispensary.staff import service
            from dispensary.staff.rules import the_program

            service.close_account(session, actor=the_program(site.id), account_id=siti.id, at=clock())
        assert comes_in(Visitor(app), signed).status_code == 401
        with database.reading() as session:
            assert session.scalar(text("SELECT count(*) FROM passkey")) == 0

    def test_a_stranger_neither_fills_the_table_nor_guesses_without_end(
        self, app: Litestar, database: Database, clock: MovableClock, passkey: SoftPasskey
    ) -> None:
        visitor = Visitor(app)
        answers = [visitor.post("/signin/passkey/ask").status_code for _ in range(42)]
        assert (answers[0], answers[-1]) == (200, 429)
        with database.reading() as session:
            assert session.scalar(text("SELECT count(*) FROM passkey_challenge")) == 40
        assert [comes_in(visitor, "{}").status_code for _ in range(21)][-2:] == [401, 429]
        clock.goes_on(minutes=15, seconds=1)
        assert comes_in(visitor, passkey.signs(asked(visitor))).status_code == 303


class TestOnesOwnPage:
    def test_it_is_made_after_the_password_and_shown_with_its_name(
        self, app: Litestar, database: Database, siti: Account, clock: MovableClock
    ) -> None:
        visitor, elsewhere, made = Visitor(app), Visitor(app), SoftPasskey(ORIGIN)
        visitor.signs_in("siti")
        elsewhere.signs_in("siti")
        refused = visitor.post("/second-factor/passkeys/ask", {"password": "wrong", "name": "x"})
        assert (refused.status_code, refused.json()["said"]) == (422, "The password is not right. Type it again.")
        options = asked(visitor, "/second-factor/passkeys/ask", password=PASSWORD)
        chosen = options["authenticatorSelection"]
        assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
        assert (len(made.handle), siti.id.bytes in made.handle, options["attestation"]) == (0, False, "none")
        unverified = made.makes(options, flags=PRESENT)
        answer = visitor.post("/second-factor/passkeys", {"credential": unverified, "name": "x"})
        assert "passkey-not-made" in text_of(answer)
        honest = made.makes(options)
        again = visitor.post("/second-factor/passkeys", {"credential": honest, "name": "x"})
        assert "passkey-not-made" in text_of(again), "its challenge was used up"
        for said in ({"origin": "https://evil.example"}, {"rp_id": "evil.example"}):
            options = asked(visitor, "/second-factor/passkeys/ask", password=PASSWORD)
            answer = visitor.post("/second-factor/passkeys", {"credential": made.makes(options, **said), "name": "x"})
            assert "passkey-not-made" in text_of(answer)
        assert registers(visitor, made, name="  the key on   my ring").status_code == 200
        assert (len(made.handle), elsewhere.get("/api/whoami").status_code) == (64, 401)
        page = text_of(visitor.get("/second-factor"))
        assert "the key on my ring" in page
        assert "never used" in page

    def test_a_passkey_proves_in_place_of_a_code_for_its_own_person(
        self, app: Litestar, database: Database, site: Site, now: datetime, passkey: SoftPasskey
    ) -> None:
        hire(database, site, "ben", [Role.DOCTOR], now)
        ben, bens = Visitor(app), SoftPasskey(ORIGIN)
        ben.signs_in("ben")
        registers(ben, bens)
        visitor = Visitor(app)
        comes_in(visitor, passkey.signs(asked(visitor)))
        path, proof = "/second-factor/codes", {"password": PASSWORD}
        for wrong in (
            {},
            {"code": "000000"},
            {"credential": bens.signs(asked(visitor, "/second-factor/prove"))},
            {"credential": passkey.signs(asked(visitor, "/signin/passkey/ask"))},
            {"credential": passkey.signs(asked(ben, "/second-factor/prove"))},
        ):
            answer = visitor.post(path, {**proof, **wrong})
            assert (answer.status_code, "Your recovery codes" in answer.text) == (422, False), wrong
        signed = passkey.signs(asked(visitor, "/second-factor/prove"))
        answer = visitor.post(path, {"password": "wrong", "credential": signed})
        assert answer.status_code == 429, "five were wrong"

    def test_a_passkey_is_removed_by_its_person_alone_and_other_sign_ins_end(
        self, app: Litestar, database: Database, site: Site, siti: Account, now: datetime, passkey: SoftPasskey
    ) -> None:
        hire(database, site, "ben", [Role.DOCTOR], now)
        visitor, elsewhere, ben = Visitor(app), Visitor(app), Visitor(app)
        for each in (visitor, elsewhere):
            comes_in(each, passkey.signs(asked(each)))
        ben.signs_in("ben")
        with database.reading() as session:
            passkey_id = session.scalar(text("SELECT id FROM passkey"))
        path = f"/second-factor/passkeys/{passkey_id}/remove"
        assert ben.post(path, {"password": PASSWORD}).status_code == 404
        signed = passkey.signs(asked(visitor, "/second-factor/prove"))
        answer = visitor.post(path, {"password": PASSWORD, "credential": signed})
        assert answer.headers["location"] == "/second-factor?done=passkey-removed"
        assert (visitor.get("/api/whoami").status_code, elsewhere.get("/api/whoami").status_code) == (200, 401)
        assert acts_of(database, site)[-1] == "remove passkey"
        assert comes_in(Visitor(app), passkey.signs(asked(Visitor(app)))).status_code == 401
        with database.reading() as session:
            assert factors.has(session, siti.id) == factors.Has(None, 0, 0)

    def test_beside_an_authenticator_a_code_is_asked_for_and_the_recovery_codes_stay(
        self, app: Litestar, database: Database, siti: Account, clock: MovableClock
    ) -> None:
        visitor = Visitor(app)
        visitor.signs_in("siti")
        phone, codes = has_authenticator(database, siti.id, clock())
        visitor.post("/signin", {"username": "siti", "password": PASSWORD})
        visitor.post("/signin/code", {"code": phone.shows(clock())})
        made = SoftPasskey(ORIGIN)
        bare = visitor.post("/second-factor/passkeys/ask", {"password": PASSWORD})
        assert "This code is not right" in bare.json()["said"]
        assert registers(visitor, made, code=codes[0]).headers["location"] == "/second-factor?done=passkey"
        with database.reading() as session:
            has = factors.has(session, siti.id)
        assert (has.passkeys, has.recovery_codes) == (1, 9)


@pytest.mark.parametrize(
    ("address", "party"),
    [
        ("https://clinic.example.org", RelyingParty("clinic.example.org", "https://clinic.example.org")),
        ("https://Clinic.Example.org:443/", RelyingParty("clinic.example.org", "https://clinic.example.org")),
        ("https://clinic.example.org:8443", RelyingParty("clinic.example.org", "https://clinic.example.org:8443")),
        ("http://localhost:8000", RelyingParty("localhost", "http://localhost:8000")),
        ("http://127.0.0.1:8000", None),
        ("https://10.1.2.3", None),
        ("https://[::1]:8000", None),
        ("http://clinic.example.org", None),
    ],
)
def test_passkeys_are_for_the_configured_address_alone(address: str, party: RelyingParty | None) -> None:
    assert relying_party(address) == party


def test_where_browsers_make_none_nobody_is_offered_one(
    database: Database, site: Site, clock: MovableClock, tmp_path: Path, siti: Account
) -> None:
    app = lent_app(demo_settings(tmp_path), database, clock, more=HOUSE)
    visitor = Visitor(app)
    assert "passkey" not in visitor.get("/signin").text
    assert visitor.post("/signin/passkey/ask").status_code == 404
    assert comes_in(visitor, json.dumps({"rawId": "", "response": {}})).status_code == 401
    visitor.signs_in("siti")
    assert "Passkeys" not in text_of(visitor.get("/second-factor"))
