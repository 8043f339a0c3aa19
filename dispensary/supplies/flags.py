"""Setting a stop flag, clearing it, answering a message at the counter; and reading those of a client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import aliased

from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.flags_models import FlagAnswer, StopFlag
from dispensary.supplies.flags_rules import OWNERS, FlagKind, may_clear, may_set
from dispensary.units import AccountId, ClientId, SiteId

LONGEST_SENTENCE = 300


@dataclass(frozen=True)
class Flag:
    """A flag as pages read it, with the names of its people and the last answer to a message."""

    row: StopFlag
    owner: str
    """The name of the owning account; empty when a role owns it."""
    set_by: str
    cleared_by: str
    answer: FlagAnswer | None
    answered_by: str

    @property
    def is_live(self) -> bool:
        return self.row.cleared_at is None

    @property
    def is_to_say(self) -> bool:
        """A message that nobody has said yet."""
        return self.is_live and self.row.kind == FlagKind.SAY_FIRST and not (self.answer and self.answer.said)

    @property
    def last_day(self) -> date | None:
        """The last day on which it stands; nothing until it is cleared."""
        return self.row.days.upper - timedelta(days=1) if self.row.days.upper else None


def set_flag(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    kind: FlagKind,
    sentence: str,
    from_day: date,
    last_day: date | None,
    owner_id: AccountId | None,
    owner_role: Role | None,
    today: date,
    at: datetime,
) -> StopFlag:
    """Sets a flag, whose owner is one account or everybody with one role; without either, whoever sets it.

    The same flag by the same person again is found set. Raises BadInput with every fault, NotAllowed, NotThere.
    """
    if not may_set(kind, actor.roles) or actor.account_id is None:
        raise NotAllowed(
            Refusal(
                "not-allowed",
                "A prescriber alone stops a dose.",
                "Call a prescriber, or stop the bottles alone, or leave a message.",
                field="flag_kind",
            )
        )
    lock_client(session, client_id, actor.site_id)
    if owner_id is None and owner_role is None:
        owner_id = actor.account_id
    faults = _faults(session, actor.site_id, kind, sentence, (from_day, last_day), today, owner_id, owner_role)
    if faults:
        raise BadInput(*faults)
    days = Range(from_day, last_day + timedelta(days=1) if last_day else None, bounds="[)")
    wanted = StopFlag(
        site_id=actor.site_id,
        client_id=client_id,
        kind=kind.value,
        sentence=sentence.strip(),
        days=days,
        owner_id=owner_id,
        owner_role=owner_role.value if owner_role else None,
        set_by=actor.account_id,
        set_at=at,
    )
    same = session.scalar(
        select(StopFlag)
        .where(StopFlag.client_id == client_id, StopFlag.cleared_at.is_(None), StopFlag.set_by == actor.account_id)
        .where(StopFlag.kind == wanted.kind, StopFlag.sentence == wanted.sentence, StopFlag.days == days)
        .limit(1)
    )
    if same is not None:
        return same
    session.add(wanted)
    session.flush()
    details = {"flag": wanted.id, "kind": wanted.kind, "from": from_day, "until": days.upper}
    audit.record(session, actor=actor, act="set flag", subject="client", subject_id=client_id, at=at, details=details)
    return wanted


def _faults(
    session: ReadSession,
    site_id: SiteId,
    kind: FlagKind,
    sentence: str,
    days: tuple[date, date | None],
    today: date,
    owner_id: AccountId | None,
    owner_role: Role | None,
) -> list[Refusal]:
    first, last = days
    faults = []
    if not sentence.strip():
        faults.append(Refusal("missing", "A flag says why it stands.", "Write a sentence.", field="flag_sentence"))
    if first < today:
        faults.append(Refusal("begins-earlier", "A flag begins today or later.", "Correct it.", field="flag_from"))
    if last is not None and last < first:
        faults.append(Refusal("ends-before", "It ends before it begins.", "Correct the day.", field="flag_last"))
    able = {id for id, _, role in _people(session, site_id) if may_set(kind, {role})}
    alone = owner_role is not None and (owner_role not in OWNERS or not may_set(kind, {owner_role}))
    if (owner_id is not None and owner_id not in able) or alone or (owner_id is None) == (owner_role is None):
        faults.append(
            Refusal(
                "no-owner",
                "Whoever is to clear this could not have set it.",
                "Choose somebody of this site who may: for a stopped dose, a prescriber.",
                field="flag_owner",
            )
        )
    return faults


def _people(session: ReadSession, site_id: SiteId) -> Sequence[tuple[AccountId, str, Role]]:
    rows = session.execute(
        select(Account.id, Account.name, RoleGrant.role)
        .join(RoleGrant, RoleGrant.account_id == Account.id)
        .where(RoleGrant.site_id == site_id, Account.left_at.is_(None))
        .where(RoleGrant.role.in_([role.value for role in OWNERS]))
        .order_by(Account.name, Account.id)
    )
    return [(AccountId(id), name, Role(role)) for id, name, role in rows]


def who_may_own(session: ReadSession, *, site_id: SiteId) -> list[tuple[AccountId, str]]:
    """Whom a flag can be given to, by name."""
    return list({id: (id, name) for id, name, _ in _people(session, site_id)}.values())


def clearable(session: ReadSession, *, actor: Actor, flag: StopFlag) -> bool:
    """Whether the actor may clear this flag: its owner, the owning role, or a prescriber once none of them is left."""
    kind = FlagKind(flag.kind)
    role = Role(flag.owner_role) if flag.owner_role else None
    there = any(
        (id == flag.owner_id and may_set(kind, {held})) if role is None else held is role
        for id, _, held in _people(session, SiteId(flag.site_id))
    )
    return may_clear(
        is_owner=flag.owner_id is not None and flag.owner_id == actor.account_id,
        owner_role=role,
        roles=actor.roles,
        owner_is_there=there,
    )


def clear_flag(
    session: WriteSession, *, actor: Actor, client_id: ClientId, flag_id: UUID, reason: str, at: datetime
) -> StopFlag:
    """Clears a flag, with the reason beside it. The same person with the same reason again finds it cleared.

    Raises BadInput without a reason, NotThere for another client's flag or one that was cleared before, and NotAllowed
    for whoever does not own it.
    """
    lock_client(session, client_id, actor.site_id)
    flag = session.get(StopFlag, flag_id, with_for_update=True)
    if flag is None or (flag.client_id, flag.site_id) != (client_id, actor.site_id):
        raise _no_flag()
    if flag.cleared_at is not None:
        if (flag.cleared_by, flag.clear_reason) == (actor.account_id, reason.strip()):
            return flag
        raise _no_flag()
    if not clearable(session, actor=actor, flag=flag):
        raise NotAllowed(
            Refusal(
                "not-the-owner",
                "This flag is cleared by its owner alone.",
                "Call them: the flag says who it is.",
                {"flag": flag_id},
            )
        )
    if not reason.strip():
        raise BadInput(Refusal("missing", "Say why it is cleared.", "Write a sentence.", field="clear_reason"))
    flag.cleared_by, flag.cleared_at, flag.clear_reason = actor.account_id, at, reason.strip()
    session.flush()
    details = {"flag": flag_id, "kind": flag.kind}
    audit.record(
        session, actor=actor, act="cleared flag", subject="client", subject_id=client_id, at=at, details=details
    )
    return flag


def _no_flag() -> NotThere:
    return NotThere(Refusal("no-flag", "There is no such flag to clear.", "Look at the client again."))


def answer_messages(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    answers: Mapping[UUID, bool],
    supply_id: UUID | None,
    at: datetime,
) -> None:
    """Keeps what became of each message at the counter: said (True), or left for another time.

    It is part of the hand-over that it was answered with, and of its entry in the audit trail. A message that was said
    or cleared meanwhile is passed over: a message never stands in the way of a dose. Whoever left it is not told here;
    they see who said it, and when, on the client's page.
    """
    if not answers:
        return
    open_ones = {flag.row.id for flag in flags_of(session, client_id=client_id) if flag.is_to_say}
    for flag_id, said in sorted(answers.items()):
        if flag_id in open_ones:
            session.add(
                FlagAnswer(
                    flag_id=flag_id,
                    supply_id=supply_id,
                    said=said,
                    answered_by=actor.account_id,
                    answered_at=at,
                )
            )
    session.flush()


def flags_of(session: ReadSession, *, client_id: ClientId, cleared_since: datetime | None = None) -> list[Flag]:
    """The client's live flags, what stops first; with `cleared_since`, also what was cleared from that moment on."""
    owner, setter, clearer, answerer = (aliased(Account) for _ in range(4))
    last = (
        select(FlagAnswer.id)
        .where(FlagAnswer.flag_id == StopFlag.id)
        .order_by(FlagAnswer.answered_at.desc(), FlagAnswer.id.desc())
        .limit(1)
        .correlate(StopFlag)
        .scalar_subquery()
    )
    live = StopFlag.cleared_at.is_(None)
    rows = session.execute(
        select(StopFlag, owner.name, setter.name, clearer.name, FlagAnswer, answerer.name)
        .outerjoin(owner, owner.id == StopFlag.owner_id)
        .join(setter, setter.id == StopFlag.set_by)
        .outerjoin(clearer, clearer.id == StopFlag.cleared_by)
        .outerjoin(FlagAnswer, FlagAnswer.id == last)
        .outerjoin(answerer, answerer.id == FlagAnswer.answered_by)
        .where(StopFlag.client_id == client_id)
        .where(or_(live, StopFlag.cleared_at >= cleared_since) if cleared_since else live)
        .order_by(live.desc(), StopFlag.kind.desc(), StopFlag.set_at.desc(), StopFlag.id)
    )
    return [
        Flag(flag, named or "", by, cleared or "", answer, answered or "")
        for flag, named, by, cleared, answer, answered in rows
    ]


def standing(flags: Sequence[Flag], *, on: date) -> list[Flag]:
    """Those of these flags that stand on this day: stops, and messages that are still to be said."""
    return [
        flag
        for flag in flags
        if flag.is_live and (flag.row.kind != FlagKind.SAY_FIRST or flag.is_to_say) and on in flag.row.days
    ]
