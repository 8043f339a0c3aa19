"""The second factor of an account: set up by its own person, heard at sign-in, taken away by two proofs.

What a code proves it proves once: a step of the authenticator is taken by a conditional UPDATE, a recovery code too,
and PostgreSQL refuses either a second time (migration 0041). Whoever calls `hear` has counted the guess (attempts.py)
in a unit of work of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, func, insert, select, update

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import audit
from dispensary.staff.factor_models import (
    FactorReset,
    HalfSignIn,
    Passkey,
    RecoveryCode,
    SecondFactor,
)
from dispensary.staff.factor_rules import (
    MOST_WRONG,
    SET_UP_WITHIN,
    fresh_recovery_codes,
    fresh_secret,
    guessed_out,
    is_of_authenticator,
    plain_code,
    step_of_code,
    wrong_code,
)
from dispensary.staff.models import Account, AuditEntry, RoleGrant, SignIn
from dispensary.staff.rules import Actor
from dispensary.staff.service import (
    forget_factors,
    kept_password,
    password_is_right,
    refuse_unless_runs_all_sites_of,
)
from dispensary.units import AccountId, new_id

AUTHENTICATOR, RECOVERY_CODE = "authenticator", "recovery code"
"""By what somebody proved who they are, as the audit trail says it."""
WRONG = "wrong second factor"
"""As the audit trail says it: somebody has the password, and not the second factor."""
_SECRET = "second_factor.secret"  # noqa: S105 - the column that it is sealed for


@dataclass(frozen=True)
class Has:
    """What an account has beside its password."""

    authenticator_since: datetime | None
    passkeys: int
    recovery_codes: int
    """How many are left."""

    @property
    def any(self) -> bool:
        """Whether a second factor is asked for at sign-in. Recovery codes alone are none."""
        return self.authenticator_since is not None or self.passkeys > 0


@dataclass(frozen=True)
class Begun:
    """An authenticator that is being set up: the secret is shown on this page, once."""

    id: UUID
    secret: str


def has(session: ReadSession, account_id: AccountId) -> Has:
    """What the account has."""
    since = select(SecondFactor.confirmed_at).where(
        SecondFactor.account_id == account_id, SecondFactor.confirmed_at.is_not(None)
    )
    passkeys = select(func.count()).select_from(Passkey).where(Passkey.account_id == account_id)
    left = (
        select(func.count())
        .select_from(RecoveryCode)
        .where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
    )
    row = session.execute(select(since.scalar_subquery(), passkeys.scalar_subquery(), left.scalar_subquery())).one()
    return Has(*row)


def asked_for(session: ReadSession, account_id: AccountId) -> bool:
    """Whether the password alone does not open this account."""
    confirmed = exists().where(SecondFactor.account_id == account_id, SecondFactor.confirmed_at.is_not(None))
    passkey = exists().where(Passkey.account_id == account_id)
    return bool(session.scalar(select(confirmed | passkey)))


def hear(session: WriteSession, *, account_id: AccountId, typed: str, at: datetime) -> str:
    """Takes a code of the authenticator, or a recovery code, and says which it was. Raises BadInput for any other.

    Taken is taken when this unit is kept: the same code is not heard again, however many ask at once.
    """
    code = plain_code(typed)
    if is_of_authenticator(code):
        if wrong_lately(session, account_id) >= MOST_WRONG:
            raise BadInput(guessed_out())
        taken = _take_step(session, account_id, code, at)
        by = AUTHENTICATOR
    else:
        taken = _take_recovery_code(session, account_id, code, at)
        by = RECOVERY_CODE
    if not taken:
        raise BadInput(wrong_code())
    return by


def wrong_lately(session: ReadSession, account_id: AccountId, *, sign_ins_ago: int = 0) -> int:
    """How many wrong codes the audit trails have since the account last signed in, or since so many sign-ins before.

    At whichever of the account's sites: one may be somewhere else now than where it signed in.
    """
    session.look_across(session.scalars(select(RoleGrant.site_id).where(RoleGrant.account_id == account_id)).all())
    here = AuditEntry.subject_id == account_id
    signed_in = select(AuditEntry.at).where(here, AuditEntry.act == "sign in").order_by(AuditEntry.at.desc())
    since = signed_in.offset(sign_ins_ago).limit(1).scalar_subquery()
    wrong = (
        select(func.count())
        .select_from(AuditEntry)
        .where(here, AuditEntry.act == WRONG, (since.is_(None)) | (AuditEntry.at > since))
    )
    return session.scalar(wrong) or 0


def _take_step(session: WriteSession, account_id: AccountId, code: str, at: datetime) -> bool:
    kept = session.execute(
        select(SecondFactor.id, SecondFactor.secret_sealed).where(
            SecondFactor.account_id == account_id, SecondFactor.confirmed_at.is_not(None)
        )
    ).one_or_none()
    if kept is None:
        return False
    step = step_of_code(session.vault.open(_SECRET, kept.id, kept.secret_sealed), code, at=at)
    if step is None:
        return False
    taken = (
        update(SecondFactor)
        .where(SecondFactor.id == kept.id, SecondFactor.last_step < step)
        .values(last_step=step)
        .returning(SecondFactor.id)
        .execution_options(synchronize_session=False)
    )
    return session.execute(taken).first() is not None


def _take_recovery_code(session: WriteSession, account_id: AccountId, code: str, at: datetime) -> bool:
    taken = (
        update(RecoveryCode)
        .where(
            RecoveryCode.account_id == account_id,
            RecoveryCode.digest.in_(session.vault.blinds(*_kept_as(account_id, code))),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=at)
        .returning(RecoveryCode.digest)
        .execution_options(synchronize_session=False)
    )
    return session.execute(taken).first() is not None


def _kept_as(account_id: AccountId, code: str) -> tuple[str, str]:
    return "recovery code", f"{account_id}|{plain_code(code)}"


def prove(
    session: WriteSession, *, account_id: AccountId, password: str, code: str, at: datetime, by_passkey: bool = False
) -> None:
    """Whoever changes a second factor proves who they are: by the password, and where there is one by it too.

    Otherwise whoever finds an open screen, or has a password, makes the account their own. `by_passkey`: one of theirs
    has signed for it, and no code is heard. Raises BadInput.
    """
    if not password_is_right(kept_password(session, account_id), password):
        raise BadInput(Refusal("wrong-password", "The password is not right.", "Type it again.", field="password"))
    if not by_passkey and asked_for(session, account_id):
        hear(session, account_id=account_id, typed=code, at=at)


def begin_authenticator(session: WriteSession, *, account_id: AccountId, at: datetime) -> Begun:
    """A new secret for the person's authenticator; nothing asks for it until `confirm` has heard a code of it."""
    session.execute(
        delete(SecondFactor).where(SecondFactor.account_id == account_id, SecondFactor.confirmed_at.is_(None))
    )
    row_id, secret = new_id(), fresh_secret()
    sealed = session.vault.seal(_SECRET, row_id, secret)
    session.add(SecondFactor(id=row_id, account_id=account_id, secret_sealed=sealed, begun_at=at, last_step=0))
    session.flush()
    return Begun(row_id, secret)


def begun(session: ReadSession, *, account_id: AccountId, begun_id: UUID | None, at: datetime) -> Begun:
    """The one that the person began to set up on the page that they hold. Raises BadInput when that was too long ago.

    Its id is known to that page alone, so that the secret is shown to nobody else who finds the screen.
    """
    kept = session.scalar(
        select(SecondFactor).where(
            SecondFactor.id == begun_id,
            SecondFactor.account_id == account_id,
            SecondFactor.confirmed_at.is_(None),
            SecondFactor.begun_at > at - SET_UP_WITHIN,
        )
    )
    if kept is None:
        minutes = int(SET_UP_WITHIN.total_seconds() // 60)
        raise BadInput(
            Refusal(
                "set-up-ended",
                f"This was begun more than {minutes} minutes ago, or anew on another page.",
                "Begin anew, and remove what the authenticator has kept of it.",
            )
        )
    return Begun(kept.id, session.vault.open(_SECRET, kept.id, kept.secret_sealed))


def confirm_authenticator(
    session: WriteSession, *, actor: Actor, begun_id: UUID | None, typed: str, keep: bytes, at: datetime
) -> list[str]:
    """From now on the authenticator's code is asked for. Returns recovery codes, which are shown once and kept nowhere.

    The one before is forgotten, and other sign-ins of the account end; `keep` is the digest of this one. Raises
    BadInput for a code that the authenticator does not show.
    """
    account_id = _own(actor)
    found = begun(session, account_id=account_id, begun_id=begun_id, at=at)
    step = step_of_code(found.secret, plain_code(typed), at=at)
    if step is None:
        raise BadInput(
            Refusal(
                "wrong-code",
                "This is not the code that the authenticator shows now.",
                "Look at the clock of the phone: it must be right to within half a minute. Type the newest code.",
                field="code",
            )
        )
    session.execute(
        delete(SecondFactor).where(SecondFactor.account_id == account_id, SecondFactor.confirmed_at.is_not(None))
    )
    set_up = (
        update(SecondFactor)
        .where(SecondFactor.id == found.id, SecondFactor.confirmed_at.is_(None))
        .values(confirmed_at=at, last_step=step)
        .returning(SecondFactor.id)
        .execution_options(synchronize_session=False)
    )
    if session.execute(set_up).first() is None:
        raise BadInput(wrong_code())
    session.execute(delete(FactorReset).where(FactorReset.account_id == account_id))
    codes = _fresh_codes(session, account_id, at)
    end_others(session, account_id=account_id, keep=keep)
    _write_down(session, actor, "set up second factor", account_id, at)
    return codes


def new_recovery_codes(session: WriteSession, *, actor: Actor, at: datetime) -> list[str]:
    """Ten new recovery codes; those before open nothing any more. Its person has proved who they are (`prove`)."""
    codes = _fresh_codes(session, _own(actor), at)
    _write_down(session, actor, "new recovery codes", _own(actor), at)
    return codes


def first_recovery_codes(session: WriteSession, *, account_id: AccountId, at: datetime) -> list[str]:
    """Recovery codes for an account that has none; nothing for one that has some left."""
    return [] if has(session, account_id).recovery_codes else _fresh_codes(session, account_id, at)


def _fresh_codes(session: WriteSession, account_id: AccountId, at: datetime) -> list[str]:
    codes = fresh_recovery_codes()
    session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
    rows = [
        {"account_id": account_id, "digest": session.vault.blind(*_kept_as(account_id, code)), "made_at": at}
        for code in codes
    ]
    session.execute(insert(RecoveryCode), rows)
    return codes


def take_away_authenticator(session: WriteSession, *, actor: Actor, keep: bytes, at: datetime) -> None:
    """Its own person takes the authenticator away, after `prove`; other sign-ins of the account end."""
    account_id = _own(actor)
    session.execute(delete(SecondFactor).where(SecondFactor.account_id == account_id))
    forget_codes_of_nothing(session, account_id=account_id)
    end_others(session, account_id=account_id, keep=keep)
    _write_down(session, actor, "take away second factor", account_id, at)


def forget_codes_of_nothing(session: WriteSession, *, account_id: AccountId) -> None:
    """Recovery codes stand in for something: without an authenticator and a passkey there are none."""
    if not asked_for(session, account_id):
        session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))


def reset(session: WriteSession, *, actor: Actor, account_id: AccountId, at: datetime) -> None:
    """Takes away whatever a colleague has, who has lost it, and signs them out everywhere. They are told.

    Raises NotAllowed for whoever does not run all sites of the account, and for one's own: who is signed in proves by a
    code, or asks another administrator.
    """
    if actor.account_id == account_id:
        raise NotAllowed(
            Refusal(
                "own-factor",
                "Nobody resets their own second factor here.",
                "Take it away on your own page with password and code, or ask another administrator.",
            )
        )
    refuse_unless_runs_all_sites_of(session, actor, account_id)
    forget_factors(session, account_id=account_id)
    session.execute(delete(SignIn).where(SignIn.account_id == account_id))
    session.merge(FactorReset(account_id=account_id, at=at, by_account=actor.account_id, known_at=None))
    session.flush()
    _write_down(session, actor, "reset second factor", account_id, at)


@dataclass(frozen=True)
class WasReset:
    """That somebody took the second factor away, for its person to know."""

    at: datetime
    by: str
    """Who; nothing where it was done on the server."""


def was_reset(session: ReadSession, account_id: AccountId) -> WasReset | None:
    """What the person has yet to be told of; nothing when nothing is."""
    row = session.execute(
        select(FactorReset.at, func.coalesce(Account.name, ""))
        .outerjoin(Account, Account.id == FactorReset.by_account)
        .where(FactorReset.account_id == account_id, FactorReset.known_at.is_(None))
    ).one_or_none()
    return WasReset(*row) if row else None


def knows_of_reset(session: WriteSession, *, actor: Actor, at: datetime) -> None:
    """The person has read it."""
    session.execute(
        update(FactorReset)
        .where(FactorReset.account_id == _own(actor), FactorReset.known_at.is_(None))
        .values(known_at=at)
    )


def end_others(session: WriteSession, *, account_id: AccountId, keep: bytes) -> None:
    """Ends every sign-in of the account but the one with this digest, and whatever is half signed in."""
    session.execute(delete(SignIn).where(SignIn.account_id == account_id, SignIn.token_digest != keep))
    session.execute(delete(HalfSignIn).where(HalfSignIn.account_id == account_id))


def _own(actor: Actor) -> AccountId:
    assert actor.account_id is not None, "a second factor is a person's"
    return actor.account_id


def _write_down(session: WriteSession, actor: Actor, act: str, account_id: AccountId, at: datetime) -> None:
    audit.record(session, actor=actor, act=act, subject="account", subject_id=account_id, at=at)
