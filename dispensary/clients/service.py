"""Enrolling a client, ending an episode."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from dispensary.clients.models import Client, ClientIndex, Episode
from dispensary.clients.not_here import not_here
from dispensary.clients.own_keys import refuse_erased
from dispensary.clients.rules import (
    PROGRAMME_KINDS,
    EntryRoute,
    ExitReason,
    Identity,
    faults_of,
    known_everywhere,
    name_beginnings,
    plain_number,
)
from dispensary.database import ReadSession, WriteSession, broken_constraint
from dispensary.keys import Vault
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, SiteId, new_id


def enrol(
    session: WriteSession,
    *,
    actor: Actor,
    number: str,
    identity: Identity,
    began_on: date,
    today: date,
    at: datetime,
    route: EntryRoute | None = None,
) -> Client:
    """Puts a person on the record of the actor's site and begins an episode.

    Name, birth date, national id, photo and second identifier are sealed for this row before they reach the database.
    Raises BadInput with one refusal a field, and Refused when the number is taken.
    """
    faults = faults_of(identity, number=number, began_on=began_on, today=today)
    if faults:
        raise BadInput(*faults)
    client_id = ClientId(new_id())
    client = Client(
        id=client_id,
        site_id=actor.site_id,
        number=plain_number(number),
        sex=identity.sex.value,
        birth_year=identity.born.year if identity.born else None,
        made_at=at,
        **_sealed(session, client_id, identity),
    )
    session.add(client)
    session.add(_begun(actor, client_id, began_on, route))
    try:
        session.flush()
    except IntegrityError as reason:
        if broken_constraint(reason) == "uq_client_site_id_number":
            taken = Refusal(
                "number-taken", f"{client.number} is another client's number.", "Type another.", field="number"
            )
            raise Refused(taken) from None
        raise
    found_by = _named(identity.name)
    found_by.append(("number", client.number))
    if identity.national_id.strip():
        found_by.append(("national_id", plain_number(identity.national_id)))
    session.execute(insert(ClientIndex), _index_rows(session.vault, client, found_by))
    audit.record(session, actor=actor, act="enrolled", subject="client", subject_id=client_id, at=at)
    return client


def _begun(actor: Actor, client_id: ClientId, began_on: date, route: EntryRoute | None) -> Episode:
    return Episode(
        client_id=client_id,
        site_id=actor.site_id,
        began_on=began_on,
        enrolled_by=actor.account_id,
        entry_route=route.value if route else None,
    )


def _sealed(session: ReadSession, client_id: ClientId, identity: Identity) -> dict[str, bytes | None]:
    vault = session.vault

    def sealed(column: str, value: str | bytes | None) -> bytes | None:
        return vault.seal(f"client.{column}", client_id, value, of=client_id) if value else None

    return {
        "name_sealed": sealed("name", identity.name.strip()),
        "born_sealed": sealed("born", identity.born.isoformat() if identity.born else None),
        "national_id_sealed": sealed("national_id", identity.national_id.strip()),
        "photo_sealed": sealed("photo", identity.photo),
        "second_identifier_sealed": sealed("second_identifier", identity.second_identifier.strip()),
    }


def _index_rows(vault: Vault, client: Client, found_by: Iterable[tuple[str, str]]) -> list[dict[str, object]]:
    return [
        {
            "client_id": client.id,
            "site_id": client.site_id,
            "kind": kind,
            "digest": vault.blind(f"client.{kind}|{client.site_id}", value),
        }
        for kind, value in found_by
    ]


def index_client(session: WriteSession, *, client_id: ClientId) -> None:
    """Makes the digests by which a client is found anew, under the key of today: of what they are found by, no more.

    Whoever looks finds the client by the older ones or by these. Raises BadKeys when a sealed field does not open.
    """
    client = session.scalars(select(Client).where(Client.id == client_id).with_for_update(key_share=True)).one()
    vault = session.vault
    kinds = set(session.scalars(select(ClientIndex.kind).where(ClientIndex.client_id == client_id)))
    found_by = []
    if "name" in kinds:
        found_by += _named(vault.open("client.name", client_id, client.name_sealed))
    if "number" in kinds:
        found_by.append(("number", plain_number(client.number)))
    if "national_id" in kinds and client.national_id_sealed:
        found_by.append(
            ("national_id", plain_number(vault.open("client.national_id", client_id, client.national_id_sealed)))
        )
    session.execute(delete(ClientIndex).where(ClientIndex.client_id == client_id))
    session.execute(insert(ClientIndex), _index_rows(vault, client, found_by))
    if kinds & set(PROGRAMME_KINDS):
        index_everywhere(session, client_id=client_id)


def index_everywhere(session: WriteSession, *, client_id: ClientId) -> dict[str, str]:
    """Makes the digests by which a client is found in the whole programme, where there are none yet.

    Returns what they are found by. Raises BadKeys when a sealed field does not open.
    """
    client = session.get_one(Client, client_id)
    vault = session.vault
    name, born, national_id = (
        vault.open(f"client.{column}", client_id, sealed) if sealed else ""
        for column, sealed in (
            ("name", client.name_sealed),
            ("born", client.born_sealed),
            ("national_id", client.national_id_sealed),
        )
    )
    said = known_everywhere(name, born, national_id)
    kinds = select(ClientIndex.kind).where(ClientIndex.client_id == client_id, ClientIndex.kind.in_(PROGRAMME_KINDS))
    present = set(session.scalars(kinds))
    fresh = [
        {"client_id": client_id, "site_id": client.site_id, "kind": kind, "digest": vault.blind(kind, value)}
        for kind, value in said.items()
        if kind not in present
    ]
    if fresh:
        session.execute(insert(ClientIndex), fresh)
    return said


def _named(name: str) -> list[tuple[str, str]]:
    return [("name", beginning) for beginning in dict.fromkeys(name_beginnings(name)) if beginning]


def note_identity(
    session: WriteSession, *, actor: Actor, client_id: ClientId, born: date | None, second_identifier: str, at: datetime
) -> None:
    """Writes down what a client can be known by, where nothing was: neither photo nor identifier nor birth date.

    What is on record is never overwritten here. Raises BadInput when nothing is said, Refused where there is something.
    """
    client = the_client(session, client_id, actor.site_id)
    mark = second_identifier.strip()
    if client.photo_sealed or client.second_identifier_sealed or client.born_sealed:
        if mark and client.second_identifier_sealed and not client.photo_sealed:
            known = session.vault.open("client.second_identifier", client.id, client.second_identifier_sealed)
            if known == mark:
                return
        raise Refused(
            Refusal("known-already", "The client can be identified by what is on record.", "Open the client again.")
        )
    if not mark and born is None:
        raise BadInput(
            Refusal(
                "nothing-known",
                "Nothing was written down that the client can be known by.",
                "Ask for a document, and write the birth date, or a mark that the client chooses.",
                field="known_mark",
            )
        )
    sealed = _sealed(session, client_id, Identity(name="", born=born, second_identifier=mark))
    client.born_sealed, client.second_identifier_sealed = sealed["born_sealed"], sealed["second_identifier_sealed"]
    client.birth_year = born.year if born else client.birth_year
    session.flush()
    audit.record(session, actor=actor, act="noted identity", subject="client", subject_id=client_id, at=at)


def the_client(session: WriteSession, client_id: ClientId, site_id: SiteId) -> Client:
    """The client, locked so that one act at a time changes what is ordered or covered. Raises NotThere."""
    client = session.scalar(
        select(Client).where(Client.id == client_id, Client.site_id == site_id).with_for_update(key_share=True)
    )
    if client is None:
        raise not_here(session, client_id, site_id)
    return client


_LOCKED = "SELECT FROM client WHERE id = %(client)s AND site_id = %(site)s FOR NO KEY UPDATE"


def lock_client(session: WriteSession, client_id: ClientId, site_id: SiteId) -> None:
    """Locks the client as `the_client` does, for an act that needs nothing of the record. Raises NotThere."""
    if session.run(_LOCKED, {"client": client_id, "site": site_id}).rowcount == 0:
        raise not_here(session, client_id, site_id)


def no_episode() -> Refused:
    return Refused(Refusal("no-episode", "The client is not in treatment on this day.", "Begin an episode first."))


def the_episode(session: ReadSession, client_id: ClientId, on: date) -> Episode:
    """The client's episode on this day. Raises Refused when there is none."""
    episode = session.scalar(
        select(Episode)
        .where(Episode.client_id == client_id, Episode.began_on <= on)
        .where((Episode.ended_on.is_(None)) | (Episode.ended_on > on))
    )
    if episode is None:
        raise no_episode()
    return episode


def begin_episode(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    began_on: date,
    today: date,
    at: datetime,
    route: EntryRoute | None = None,
) -> Episode:
    """Begins another stay of somebody who was in treatment here before. One that began on this day is found begun.

    Raises NotThere, BadInput for a day that lies ahead or within an earlier stay, Refused while a stay runs.
    """
    the_client(session, client_id, actor.site_id)
    refuse_erased(session, client_id)
    last = session.scalar(
        select(Episode)
        .where(Episode.client_id == client_id)
        .order_by(Episode.began_on.desc(), Episode.id.desc())
        .limit(1)
    )
    if last is not None and last.ended_on is None:
        if last.began_on == began_on and last.enrolled_by == actor.account_id:
            return last
        raise Refused(
            Refusal("in-treatment", "The client is in treatment already.", "Order a dose.", {"since": last.began_on})
        )
    if began_on > today:
        raise BadInput(
            Refusal("begins-later", "An episode begins today or earlier.", "Correct the date.", field="began_on")
        )
    if last is not None and last.ended_on is not None and began_on < last.ended_on:
        raise BadInput(
            Refusal(
                "within-earlier-stay",
                f"The stay before ended on {last.ended_on}.",
                "Begin on that day or later.",
                {"ended_on": last.ended_on},
                field="began_on",
            )
        )
    episode = _begun(actor, client_id, began_on, route)
    session.add(episode)
    session.flush()
    details = {"began_on": began_on}
    audit.record(
        session, actor=actor, act="began episode", subject="client", subject_id=client_id, at=at, details=details
    )
    return episode


def end_episode(
    session: WriteSession, *, actor: Actor, episode_id: UUID, ended_on: date, reason: ExitReason, at: datetime
) -> Episode:
    """Ends an episode for a reason that a person states: nothing else ever ends one."""
    episode = session.get(Episode, episode_id)
    if episode is None or episode.site_id != actor.site_id or episode.ended_on is not None:
        raise NotThere(Refusal("no-episode", "There is no running episode to end.", "Look at the client's page."))
    if ended_on < episode.began_on:
        raise BadInput(Refusal("ends-before", "An episode ends after it began.", "Correct the date.", field="ended_on"))
    episode.ended_on = ended_on
    episode.exit_reason = reason.value
    session.flush()
    details = {"reason": reason.value, "ended_on": ended_on}
    audit.record(
        session,
        actor=actor,
        act="ended episode",
        subject="client",
        subject_id=episode.client_id,
        at=at,
        details=details,
    )
    return episode
