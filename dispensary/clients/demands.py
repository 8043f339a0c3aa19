"""Legal demands: entered by whoever was asked, answered by the one person whom the site has named.

Entering one looks for nobody, and nothing of it is linked to a client: the same words about somebody who is a client
and about somebody who is not leave the same rows after the same statements. What a court has ordered is told by the
named person, within what the order names; that line of the register is the only one that knows both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, text

from dispensary.clients.consent_rules import Information
from dispensary.clients.demand_models import DemandSetting, LegalDemand, LegalDemandStep
from dispensary.clients.demand_rules import BY_ANYBODY, Asker, Shown, Step, may_tell
from dispensary.clients.disclosing import Ground, Line, put_on_register
from dispensary.clients.disclosure_models import Release
from dispensary.clients.notices import notice_of
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import ERASED
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.permission_rules import permissions
from dispensary.staff.queries import colleagues, names_of
from dispensary.staff.rules import Act, Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import AccountId, ClientId, SiteId, new_id

LONGEST_WORDS = 500
_WORDS = ("who", "reference", "about", "wants")


@dataclass(frozen=True)
class Heard:
    """A demand as it was made."""

    asker: Asker
    who: str
    shown: Shown
    reference: str
    about: str
    wants: str
    due_on: date | None


@dataclass(frozen=True)
class Entered:
    """That there is a demand: all that anybody but the named person reads."""

    id: UUID
    no: int
    received_by: str
    received_at: datetime
    closed: bool


@dataclass(frozen=True)
class Done:
    """A step, with what was said of it."""

    step: Step
    words: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Demand:
    """A demand as the named person reads it."""

    entered: Entered
    heard: Heard
    steps: tuple[Done, ...]


def enter_demand(
    session: WriteSession, *, actor: Actor, heard: Heard, said: bool, key: UUID, at: datetime
) -> LegalDemand:
    """Keeps a demand, and, where it was `said`, that the sentence was the answer. It reads no client.

    The same form finds the demand that it has entered. Raises NotAllowed, or BadInput with a fault a field.
    """
    account = _account(actor)
    if not actor.may(Act.ENTER_DEMAND):
        raise NotAllowed(Refusal("may-not-enter-demand", "Your work does not include this.", "Call a colleague."))
    faults = [
        Refusal(f"{field}-long", f"Write at most {LONGEST_WORDS} letters.", "Shorten it.", field=field)
        for field in _WORDS
        if len(getattr(heard, field)) > LONGEST_WORDS
    ]
    if not heard.about.strip():
        faults.append(Refusal("about-missing", "About whom is missing.", "Write it as they said it.", field="about"))
    if faults:
        raise BadInput(*faults)
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:site))"), {"site": f"legal demand {actor.site_id}"})
    known = session.scalar(select(LegalDemand).where(LegalDemand.key == key, LegalDemand.site_id == actor.site_id))
    if known is not None:
        return known
    last = session.scalar(select(func.max(LegalDemand.no)).where(LegalDemand.site_id == actor.site_id))
    demand_id, vault = new_id(), session.vault
    demand = LegalDemand(
        id=demand_id,
        site_id=actor.site_id,
        no=(last or 0) + 1,
        asker=heard.asker.value,
        shown=heard.shown.value,
        due_on=heard.due_on,
        received_by=account,
        received_at=at,
        key=key,
        **{
            f"{field}_sealed": vault.seal(f"legal_demand.{field}", demand_id, getattr(heard, field).strip())
            for field in _WORDS
        },
    )
    session.add(demand)
    session.flush()
    if said:
        _step(session, account, demand_id, Step.NEITHER, "", at)
    _written(session, actor, "entered legal demand", demand, at)
    return demand


def demands_entered(session: ReadSession, *, site_id: SiteId, most: int = 50) -> list[Entered]:
    """That demands were entered at a site, the newest first: number, when and by whom."""
    chosen = select(LegalDemand).where(LegalDemand.site_id == site_id).order_by(LegalDemand.no.desc()).limit(most)
    return _entered(session, session.scalars(chosen).all())


def open_demands(session: ReadSession, *, site_id: SiteId) -> int:
    """How many of a site's demands nobody has closed."""
    closed = select(LegalDemandStep.demand_id).where(LegalDemandStep.step == Step.CLOSED.value)
    chosen = select(func.count()).select_from(LegalDemand).where(LegalDemand.site_id == site_id)
    return session.scalar(chosen.where(LegalDemand.id.not_in(closed))) or 0


def who_answers(session: ReadSession, *, site_id: SiteId) -> AccountId | None:
    """The person who answers for a site; nobody while the site has named none."""
    return session.scalar(select(DemandSetting.answers_id).where(DemandSetting.site_id == site_id))


def who_could(session: ReadSession, *, site_id: SiteId) -> list[tuple[AccountId, str]]:
    """Whom a site may name: those of its people who may disclose."""
    roles = permissions()[Act.DISCLOSE].roles
    return [
        (AccountId(one.id), one.name)
        for one in colleagues(session, site_id)
        if one.left_at is None and not roles.isdisjoint(one.roles)
    ]


def name_who_answers(session: WriteSession, *, actor: Actor, account_id: UUID, at: datetime) -> None:
    """Names the person who answers demands for the actor's site. Raises NotAllowed, or BadInput for who could not."""
    refuse_unless_runs_site(actor, actor.site_id)
    could = dict(who_could(session, site_id=actor.site_id))
    chosen = AccountId(account_id)
    if chosen not in could:
        raise BadInput(
            Refusal("cannot-answer", "This person may not disclose at this site.", "Name a doctor.", field="answers")
        )
    setting = session.get(DemandSetting, actor.site_id, with_for_update=True)
    if setting is not None and setting.answers_id == chosen:
        return
    if setting is None:
        session.add(DemandSetting(site_id=actor.site_id, answers_id=chosen))
    else:
        setting.answers_id = chosen
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="named who answers legal demands",
        subject="account",
        subject_id=chosen,
        at=at,
    )


def demand_of(session: WriteSession, *, actor: Actor, demand_id: UUID, at: datetime) -> Demand:
    """A demand with every word of it, and the entry that says who read it. Raises NotThere, NotAllowed for others."""
    demand = _theirs(session, actor, demand_id)
    chosen = select(LegalDemandStep).where(LegalDemandStep.demand_id == demand_id)
    steps = session.scalars(chosen.order_by(LegalDemandStep.at, LegalDemandStep.id)).all()
    people = names_of(session, [step.done_by for step in steps])
    read = Demand(
        entered=_entered(session, [demand])[0],
        heard=_heard(session, demand),
        steps=tuple(
            Done(
                Step(step.step),
                session.vault.open_unless_erased("legal_demand_step.words", step.id, step.words_sealed, gone=ERASED),
                people[step.done_by],
                step.at,
            )
            for step in steps
        ),
    )
    _written(session, actor, "read legal demand", demand, at)
    return read


def take_step(
    session: WriteSession, *, actor: Actor, demand_id: UUID, step: Step, words: str, at: datetime
) -> LegalDemandStep:
    """Notes what the named person did: said the sentence, refused, sent it to counsel, or closed it.

    Telling something is `answer_by_order`. The same step with the same words is found, not doubled. Raises NotThere,
    NotAllowed, Refused for one that is closed, BadInput without the words of a refusal, of counsel or of the end.
    """
    demand = _theirs(session, actor, demand_id)
    if step is Step.ANSWERED:
        raise BadInput(
            Refusal("no-such-step", "What is told goes onto the register.", "Use the form for it.", field="step")
        )
    if (step not in BY_ANYBODY and not words.strip()) or len(words) > LONGEST_WORDS:
        sentence = f"Say why, or to whom, in at most {LONGEST_WORDS} letters."
        raise BadInput(Refusal("step-words", sentence, field="words"))
    for known in _steps(session, demand_id):
        opened = session.vault.open("legal_demand_step.words", known.id, known.words_sealed)
        if (known.step, opened, known.done_by) == (step.value, words.strip(), actor.account_id):
            return known
    _refuse_closed(session, demand_id)
    noted = _step(session, _account(actor), demand_id, step, words, at)
    _written(session, actor, "answered legal demand", demand, at, step=step.value)
    return noted


def answer_by_order(
    session: WriteSession,
    *,
    actor: Actor,
    demand_id: UUID,
    client_id: ClientId,
    ordered: frozenset[Information],
    kinds: frozenset[Information],
    what: str,
    key: UUID,
    at: datetime,
) -> Release:
    """Puts on the register what is told of a client by what the demand showed, and notes the answer.

    `ordered` is what the paper itself names, as the named person reads it. The same form finds its line. Raises
    NotThere, NotAllowed for anybody but the named person, Refused where the paper does not suffice or names less.
    """
    demand = _theirs(session, actor, demand_id)
    if not actor.may(Act.DISCLOSE):
        raise NotAllowed(Refusal("may-not-tell", "Telling something needs a doctor of the site.", "Name one."))
    lock_client(session, client_id, actor.site_id)
    known = session.scalar(select(Release).where(Release.key == key, Release.legal_demand_id == demand_id))
    if known is not None:
        return known
    _refuse_closed(session, demand_id)
    heard = _heard(session, demand)
    if refusal := may_tell(heard.shown, ordered, kinds):
        raise Refused(refusal)
    if not heard.who.strip() or not heard.reference.strip():
        raise BadInput(
            Refusal(
                "order-unnamed",
                "The demand does not say which court's order it is, and of whom.",
                "Enter it again with its reference; nothing is told on an order that cannot be looked up.",
            )
        )
    line = Line(
        what,
        Ground.COURT_ORDER,
        authority=heard.reference,
        recipient=heard.who,
        reason=heard.wants,
        kinds=kinds,
        notice=notice_of(session, site_id=actor.site_id).key,
        key=key,
        legal_demand_id=demand_id,
    )
    release = put_on_register(session, actor=actor, clients=[client_id], line=line, at=at)
    _step(session, _account(actor), demand_id, Step.ANSWERED, what, at, release.id)
    _written(session, actor, "answered legal demand", demand, at, step=Step.ANSWERED.value)
    return release


def _account(actor: Actor) -> AccountId:
    if actor.account_id is None:
        raise NotAllowed(Refusal("may-not-enter-demand", "A person enters and answers demands.", "Sign in."))
    return actor.account_id


def _theirs(session: WriteSession, actor: Actor, demand_id: UUID) -> LegalDemand:
    """The demand, for the named person, held so that one step at a time is taken. For all others the answer is one."""
    if actor.account_id is None or who_answers(session, site_id=actor.site_id) != actor.account_id:
        raise NotAllowed(
            Refusal("not-named", "The person whom the site has named answers demands, and nobody else.", "Tell them.")
        )
    one_at_a_time = {"demand": f"legal demand {demand_id}"}
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:demand))"), one_at_a_time)
    demand = session.get(LegalDemand, demand_id)
    if demand is None or demand.site_id != actor.site_id:
        raise NotThere(Refusal("no-demand", "There is no such demand at this site.", "Look at the list again."))
    return demand


def _heard(session: ReadSession, demand: LegalDemand) -> Heard:
    opened = {
        field: session.vault.open_unless_erased(
            f"legal_demand.{field}", demand.id, getattr(demand, f"{field}_sealed"), gone=ERASED
        )
        for field in _WORDS
    }
    return Heard(asker=Asker(demand.asker), shown=Shown(demand.shown), due_on=demand.due_on, **opened)


def _entered(session: ReadSession, demands: Sequence[LegalDemand]) -> list[Entered]:
    people = names_of(session, list({demand.received_by for demand in demands}))
    ended = select(LegalDemandStep.demand_id).where(
        LegalDemandStep.step == Step.CLOSED.value, LegalDemandStep.demand_id.in_([demand.id for demand in demands])
    )
    closed = set(session.scalars(ended))
    return [Entered(one.id, one.no, people[one.received_by], one.received_at, one.id in closed) for one in demands]


def _steps(session: ReadSession, demand_id: UUID) -> Sequence[LegalDemandStep]:
    return session.scalars(select(LegalDemandStep).where(LegalDemandStep.demand_id == demand_id)).all()


def _refuse_closed(session: ReadSession, demand_id: UUID) -> None:
    if any(step.step == Step.CLOSED.value for step in _steps(session, demand_id)):
        raise Refused(Refusal("demand-closed", "This demand is closed.", "Enter another one if they come again."))


def _step(
    session: WriteSession,
    account: AccountId,
    demand_id: UUID,
    step: Step,
    words: str,
    at: datetime,
    release_id: UUID | None = None,
) -> LegalDemandStep:
    step_id = new_id()
    noted = LegalDemandStep(
        id=step_id,
        demand_id=demand_id,
        step=step.value,
        words_sealed=session.vault.seal("legal_demand_step.words", step_id, words.strip()),
        release_id=release_id,
        done_by=account,
        at=at,
    )
    session.add(noted)
    session.flush()
    return noted


def _written(
    session: WriteSession, actor: Actor, act: str, demand: LegalDemand, at: datetime, **details: object
) -> None:
    said = {"no": demand.no, **details}
    audit.record(session, actor=actor, act=act, subject="legal demand", subject_id=demand.id, at=at, details=said)
