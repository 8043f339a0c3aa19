"""Index and signing keys are exchanged while people look up, enrol, write and collect: nobody is missed meanwhile."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import Result
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.types import LargeBinary

import notifications.service
from dispensary.clients.queries import find
from dispensary.clients.rules import Identity
from dispensary.clients.service import enrol
from dispensary.database import Database
from dispensary.evaluation.stating import pseudonym
from dispensary.key_sources import change_file, open_vault
from dispensary.keys import Kind, Ring, fresh_ring, with_new_key
from dispensary.phone.pins import guard_of
from dispensary.refusals import BadInput
from dispensary.resealing.digests import KEYED, digests_by_key, reached
from dispensary.resealing.indexing import index_anew
from dispensary.resealing.prints import must_fit
from dispensary.schema import all_metadata
from dispensary.staff import factors
from dispensary.staff.vault_keys import signer_at
from dispensary.supplies.pickups import shown
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from dispensary.wall import behind
from dispensary.web.forgery import Tokens
from notifications.inbound import receive
from notifications.queries import contacts_at, opted_out_since
from notifications.sealing import phone_digests
from tests.builders import Clinic, clinic
from tests.dispensary.phones import line, with_pin
from tests.dispensary.test_keys import keys_command
from tests.dispensary.test_pickups import prepared, verified

SHARED = "+60129990000"
GONE = "+60128880000"
UNKEYED = {
    *("api_token.token_digest", "device.token_digest", "half_sign_in.token_digest", "sign_in.token_digest"),
    *("half_sign_in.presented_digest", "passkey_challenge.digest", "break_glass.code_digest", "invitation.code_digest"),
    *("passkey.credential_id", "passkey.public_key", "passkey_holder.handle"),
    *("policy_version.sha256", "episode_set.sha256", "guideline_adoption.sha256", "assessment.inputs_sha256"),
    *("supply.request_sha256", "supply_void.request_sha256", "bottle_report.request_sha256", "result_file.digest"),
    "survey_ticket.digest",
    *("vault_key.print", "audit_anchor.head", "audit_anchor.stamp", "audit_chain.head"),
    *("audit_entry.previous", "audit_entry.hash"),
}
"""Digests and keys of others that no index key makes."""
SOUGHT_FOR_MINUTES = {"sign_in_attempt.subject", "passkey_challenge.address_index"}
SOUGHT_BY_NOBODY = {
    *("imported_episode.client_digest", "number_exchange.was", "number_exchange.becomes"),
    *("naloxone_kit.code_digest", "outreach_contact.code_digest"),  # compared with each other, to count people once
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keys.json"


@pytest.fixture
def kept(database_url: str, file: Path) -> Iterator[Database]:
    """A database whose keys lie in a file, looked at again before every unit of work."""
    database = Database(database_url, open_vault(file))
    yield database
    database.close()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispensary.key_sources.LOOK_EVERY", 0.0)


@pytest.fixture
def run(database_url: str, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    return keys_command(database_url, tmp_path, file, monkeypatch)


def another_key(file: Path, kind: Kind = Kind.INDEX, *, current: bool = True) -> str:
    """Adds a key of a kind to the file, as `dispensary keys add` does."""
    named = ""

    def more(ring: Ring) -> Ring:
        nonlocal named
        ring, named = with_new_key(ring, current=current, kind=kind)
        return ring

    change_file(file, more)
    return named


def found(place: Clinic, sought: str) -> list[ClientId]:
    with place.database.reading() as session:
        return [face.client_id for face in find(session, site_id=place.site_id, text=sought)]


def reach(database: Database, client: ClientId, phone: str, at: datetime) -> None:
    with database.writing() as session:
        notifications.service.set_contact(
            session, vault=session.vault, recipient_id=client, phone=phone, language="en", region="MY", now=at
        )


def named(place: Clinic, name: str, number: str, national_id: str = "") -> ClientId:
    with place.database.writing() as session:
        client = enrol(
            session,
            actor=place.doctor,
            number=number,
            identity=Identity(name=name, born=date(1985, 4, 3), national_id=national_id),
            began_on=place.today,
            today=place.today,
            at=place.now,
        )
        return ClientId(client.id)


def keys_of_digests(database: Database) -> set[str]:
    with database.reading() as session:
        return set(digests_by_key(session))


class TestWhatLiesUnderAnIndexKey:
    def test_is_every_digest_that_is_looked_up(self) -> None:
        """A new column of digests is named in `digests.KEYED`, or above with what it is instead."""
        every = {
            f"{table.name}.{column.name}"
            for metadata in all_metadata()
            for table in metadata.sorted_tables
            for column in table.columns
            if isinstance(column.type, (LargeBinary, BYTEA)) and not column.name.endswith("_sealed")
        }
        keyed = {f"{table}.{column}" for table, column in KEYED}
        assert every == keyed | UNKEYED | SOUGHT_FOR_MINUTES | SOUGHT_BY_NOBODY


class TestExchangingTheIndexKey:
    def test_everything_is_found_before_meanwhile_and_after(
        self, kept: Database, file: Path, now: datetime, run: Callable[..., Result]
    ) -> None:
        phone_line = line(kept, now)
        place = phone_line.clinic
        guarded, other = phone_line.client(SHARED), phone_line.client(SHARED)
        with_pin(phone_line, guarded, "4821")
        with_pin(phone_line, other, "7350")
        zulaikha = named(place, "Zulaikha binti Rahmat", "Z0001", "850403-14-5566")
        place.decide(guarded, per_supply=6)
        pickup = prepared(place, guarded, 1, 2)
        phone_line.receives(GONE, "STOP")
        with kept.writing() as session:
            codes = factors._fresh_codes(session, place.pharmacist.account_id, now)  # type: ignore[arg-type]

        def nobody_is_missed(step: str) -> None:
            for sought in ("Zulaikha", "rahm zul", "Z0001", "850403-14-5566"):
                assert found(place, sought) == [zulaikha], (step, sought)
            with kept.reading() as session:
                assert contacts_at(session, vault=session.vault, phone=SHARED) == sorted([guarded, other]), step
                assert not list(verify(session, now=now)), step
            assert verified(place, pickup.token) == verified(place, pickup.code) == "opens", step
            with kept.writing() as session:
                wished = [opted_out_since(session, each) for each in phone_digests(session.vault, GONE)]
                assert any(wished), step

        nobody_is_missed("before")
        added = run("add", "--kind", "index")
        assert "has the key i002, which finds from now on" in added.output, added.output
        nobody_is_missed("with both")
        assert phone_line.says(guarded, "4821 when").startswith("You have nothing booked")
        with kept.reading() as session:
            under = [guard_of(session, SHARED).owner(session.vault, pin) for pin in ("4821", "7350", "1111")]
            assert under == [guarded, other, None]
        late = named(place, "Zainab binti Omar", "Z0002")
        assert found(place, "Za") == [late]
        assert "digests lie under i001" in run("drop", "i001").output
        done = run("reindex")
        assert (done.exit_code, "clients" in done.output) == (0, True), done.output
        nobody_is_missed("after")
        assert found(place, "Za") == [late]

        refused = run("drop", "i001")
        assert refused.exit_code == 2
        for stays in ("1 PINs of the phone line", "recovery codes of staff"):
            assert stays in refused.output, refused.output
        assert phone_line.says(other, "7350 when").startswith("You have nothing booked")
        with kept.writing() as session:
            account = place.pharmacist.account_id
            assert account is not None
            assert factors.hear(session, account_id=account, typed=codes[0], at=now) == factors.RECOVERY_CODE
        assert "PINs" not in run("drop", "i001").output, "typed once, a PIN lies under the newer key"
        assert run("drop", "i001", "--even-so").exit_code == 0
        nobody_is_missed("when the older one is gone")
        assert keys_of_digests(kept) <= {"i002", "i001"}
        with kept.writing() as session, pytest.raises(BadInput):
            factors.hear(session, account_id=account, typed=codes[1], at=now)
        with kept.reading() as session:
            assert factors.has(session, account).recovery_codes == 0
            assert guard_of(session, SHARED).owner(session.vault, "4821") == guarded
        assert "i001     is not here: " in run("status").output, "wishes and codes of before are found by nobody"

    def test_a_number_that_two_sites_share_moves_whole_from_behind_the_wall(
        self, kept: Database, file: Path, now: datetime
    ) -> None:
        here, there = clinic(kept, now), clinic(kept, now, code="KLG")
        ours, theirs = here.client(), there.client()
        for client in (ours, theirs):
            reach(kept, client, SHARED, now)
        another_key(file)
        new = here.client()
        with behind(here.site_id):
            reach(kept, new, SHARED, now)
        with kept.reading() as session:
            newest = phone_digests(session.vault, SHARED)[0]
            rows = session.execute(text("SELECT recipient_id, phone_index FROM contact")).all()
        assert {row.recipient_id: bytes(row.phone_index) for row in rows} == dict.fromkeys((ours, theirs, new), newest)

    def test_the_same_pin_at_a_number_is_refused_under_either_key(
        self, kept: Database, file: Path, now: datetime
    ) -> None:
        phone_line = line(kept, now)
        first, second = phone_line.client(SHARED), phone_line.client(SHARED)
        with_pin(phone_line, first, "4821")
        another_key(file)
        with pytest.raises(BadInput):
            with_pin(phone_line, second, "4821")

    def test_wrong_pins_count_on_across_the_exchange(self, kept: Database, file: Path, now: datetime) -> None:
        phone_line = line(kept, now)
        client = with_pin(phone_line, phone_line.client(SHARED), "4821")
        for _ in range(3):
            phone_line.says(client, "4812 when")
        another_key(file)
        phone_line.says(client, "4812 when")
        index_anew(kept)
        assert "shut" in phone_line.receives(SHARED, "4812 when").outcome or "hour" in phone_line.says(client, "4821")

    def test_people_look_up_enrol_and_share_phones_while_everything_moves(
        self, kept: Database, file: Path, now: datetime
    ) -> None:
        place = clinic(kept, now)
        numbers = itertools.count(1)
        people: list[tuple[ClientId, str, str]] = []

        def takes_on() -> None:
            turn = next(numbers)
            name, phone = f"Person{turn:04d} Fourth", f"+60121{turn // 2:06d}"  # every two share a phone
            client = named(place, name, f"P{turn:04d}")
            reach(kept, client, phone, now)
            people.append((client, name, phone))

        for _ in range(24):
            takes_on()
        stop, wrong = threading.Event(), list[object]()

        def works(act: Callable[[int], None]) -> None:
            for turn in itertools.count():
                if stop.is_set() or wrong:
                    return
                try:
                    act(turn)
                except Exception as reason:
                    wrong.append(reason)

        def looks(turn: int) -> None:
            client, name, phone = people[(turn * 7) % len(people)]
            if found(place, name) != [client] or found(place, f"p{name[6:10]}") != [client]:
                wrong.append(name)
            sharing = {each for each, _, theirs in list(people) if theirs == phone}
            with kept.reading() as session:
                if not sharing <= set(contacts_at(session, vault=session.vault, phone=phone)):
                    wrong.append(phone)

        def writes(turn: int) -> None:
            _, _, phone = people[(turn * 5) % len(people)]
            sharing = {each for each, _, theirs in list(people) if theirs == phone}

            def hears(session: object) -> set[object]:
                got = receive(
                    session,  # type: ignore[arg-type]
                    vault=session.vault,  # type: ignore[attr-defined]
                    gateway="test",
                    message_id=f"m{turn}",
                    phone=phone,
                    text="when",
                    at=now,
                )
                return set(got.recipients)

            if not sharing <= kept.write(hears):
                wrong.append(f"text from {phone}")

        threads = [threading.Thread(target=works, args=(act,)) for act in (looks, looks, writes)]
        threads.append(threading.Thread(target=works, args=(lambda turn: takes_on() if len(people) < 60 else None,)))
        for thread in threads:
            thread.start()
        for _ in range(2):
            name = another_key(file, current=False)
            kept.vault.keyring.look()
            change_file(
                file, lambda ring, name=name: ring.with_held(Kind.INDEX, type(ring.index)(name, ring.index.keys))
            )
            for _ in range(2):
                index_anew(kept, at_once=4)
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert index_anew(kept).unread == []
        assert keys_of_digests(kept) == {"i003"}
        with kept.reading() as session:
            assert not list(verify(session, now=now))
        for client, name, _ in people:
            assert found(place, name) == [client]

    def test_killed_in_the_middle_it_goes_on_with_what_is_left(self, kept: Database, file: Path, now: datetime) -> None:
        place = clinic(kept, now)
        clients = [named(place, f"Person{turn:04d} Fourth", f"P{turn:04d}") for turn in range(12)]
        for turn, client in enumerate(clients):
            reach(kept, client, f"+60121{turn:06d}", now)
        another_key(file)
        killed = f"""
import os, signal
from pathlib import Path
from dispensary.database import Database
from dispensary.key_sources import open_vault
from dispensary.resealing import indexing
times, inner = 0, indexing.index_client
def dies(session, *, client_id):
    global times
    times += 1
    inner(session, client_id=client_id)
    if times == 8:
        os.kill(os.getpid(), signal.SIGKILL)
indexing.index_client = dies
indexing.index_anew(Database({kept.url!r}, open_vault(Path({str(file)!r}))), at_once=3)
"""
        ended = subprocess.run([sys.executable, "-c", killed], check=False, capture_output=True, text=True)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        with kept.reading() as session:
            moved = session.execute(
                text("SELECT count(DISTINCT client_id) FROM client_index WHERE octet_length(digest) = 17")
            ).scalar_one()
            assert moved == 6, "two whole units of three, and nothing of the third"
            assert reached(session, "i001") > 0
        for turn, client in enumerate(clients):
            assert found(place, f"P{turn:04d}") == [client]
        assert index_anew(kept).clients == 6
        assert keys_of_digests(kept) == {"i002"}
        assert index_anew(kept).clients == 0


class TestExchangingTheSigningKey:
    def test_passes_open_until_they_are_over_and_the_older_key_goes_then(
        self, kept: Database, now: datetime, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dispensary.commands.keys.now", lambda: now)
        place = clinic(kept, now)
        must_fit(kept, at=now - timedelta(days=9))
        one, two = place.client(mg="60"), place.client(mg="60")
        for client in (one, two):
            place.decide(client, per_supply=6)
        before = prepared(place, one, 1, 2)
        with kept.reading() as session:
            called = pseudonym(signer_at(session, now - timedelta(seconds=1)), "export:x", one)
        forms, sign_in = Tokens(kept), uuid4()
        form = forms.of("cookie", sign_in)
        assert "has the key s002, which signs from now on" in run("add", "--kind", "signing").output
        after = prepared(place, two, 1, 2)
        assert forms.of("cookie", sign_in) != form
        assert forms.fits(form, "cookie", sign_in), "a form that is open can be sent"
        for each in (before, after):
            assert verified(place, each.token) == verified(place, each.code) == "opens"
            with kept.reading() as session:
                assert shown(session, each.pass_id) == (each.token, each.code), "it is made again as it was signed"
        with kept.reading() as session:
            early = now - timedelta(seconds=1)
            assert pseudonym(signer_at(session, early), "export:x", one) == called, "an export is the same again"
            assert pseudonym(signer_at(session, now), "export:x", one) != called
        refused = run("drop", "s001")
        assert (refused.exit_code, "1 of HRP until" in refused.output) == (2, True), refused.output
        assert run("drop", "s001", "--even-so").exit_code == 0
        assert verified(place, before.code) == "pass-revoked"
        assert not forms.fits(form, "cookie", sign_in)
        assert verified(place, before.token) == "pass-tampered"
        assert verified(place, after.token) == verified(place, after.code) == "opens"
        with kept.reading() as session:
            assert session.execute(
                text("SELECT details FROM audit_entry WHERE act = 'dropped signing key'")
            ).scalar_one()
            assert not list(verify(session, now=now))

    def test_keys_of_a_service_are_let_go_of_before_they_are_taken_out_there(
        self,
        database: Database,
        database_url: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        run: Callable[..., Result],
    ) -> None:
        two, _ = with_new_key(fresh_ring(), current=True, kind=Kind.SIGNING)
        monkeypatch.delenv("DISPENSARY_KEYS")
        monkeypatch.setattr("dispensary.settings._taken", {})
        monkeypatch.setenv("DISPENSARY_KEYS_JSON", two.as_json())
        assert "s001" in run("status").output
        told = run("drop", "s001")
        assert "Take it out of DISPENSARY_KEYS_JSON" in told.output, told.output
        left = two.with_held(Kind.SIGNING, type(two.signing)("s002", {"s002": two.signing.keys["s002"]}))
        monkeypatch.setattr("dispensary.settings._taken", {})
        monkeypatch.setenv("DISPENSARY_KEYS_JSON", left.as_json())
        assert run("status").exit_code == 0, "it is missed by nobody"
