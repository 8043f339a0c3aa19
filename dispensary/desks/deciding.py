"""The page on which take-home is assessed, criterion by criterion, and decided, with the assessment beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.circumstances import note_circumstances
from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, about
from dispensary.desks.record import Record
from dispensary.refusals import Refused
from dispensary.staff.rules import Act
from dispensary.takehome import deciding
from dispensary.takehome.models import Decision
from dispensary.takehome.policy import MOST_PER_SUPPLY, MOST_PER_WEEK
from dispensary.takehome.rules import Allowance
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import LONGEST_REASON, DecisionKind, Naloxone, Occasion
from dispensary.units import ClientId
from dispensary.web import consultation, take_home_acts
from dispensary.web.forms import Form, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_client_reader
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import weekday_names

JUDGED = "judged:"
"""What the fields begin with in which a practitioner answers a criterion; its name follows."""
Choice = TypeVar("Choice", bound=StrEnum)


@get("/consulting/clients/{client_id:uuid}/take-home", sync_to_thread=True, guards=[requires_client_reader])
def take_home(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """The newest assessment, what is in force, and the decision to be made."""
    return _take_home_page(Consultation(database, actor, site, ClientId(client_id), clock()), done=done)


def _take_home_page(
    here: Consultation, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    record = here.opened(seen_on="take-home")
    assessment = record.assessment
    with here.database.reading() as session:
        grant = deciding.renewable(session, here.client_id) if record.in_treatment else None
        renewal = deciding.renewal_of(session, grant, here.today) if grant else None
    return page(
        "consulting/take_home.html",
        refused=refused,
        typed=typed,
        said=assessment.result if assessment else None,
        answers=assessment.inputs["history"]["judged"] if assessment else {},
        judged=[criterion for criterion in record.policy.criteria if criterion.judged] if record.policy else [],
        suspended=record.decision if record.decision and record.decision.kind == DecisionKind.SUSPENSION else None,
        grant=grant,
        renewal=renewal,
        signed_on=_signed_on(record),
        naloxone_asked=any(each.naloxone for each in _of_this_stay(record)),
        done=done,
        weekday_names=weekday_names(),
        **about(here.actor, record),
    )


def _of_this_stay(record: Record) -> list[Decision]:
    stay = record.episode.id if record.episode else None
    return [each for each in record.decisions if each.episode_id == stay]


def _signed_on(record: Record) -> date | None:
    """When the agreement was signed in this stay, the last time that it was."""
    return max((each.agreement_signed_on for each in _of_this_stay(record) if each.agreement_signed_on), default=None)


@post("/consulting/clients/{client_id:uuid}/assess", sync_to_thread=True, guards=[requires(Act.ENROL)])
def assess(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes the circumstances down as they were told, and assesses by the policy that the site follows today."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        if one(data, "circumstances") == "asked":
            with Typed(data) as typed:
                told = consultation.circumstances_of(typed)
            note_circumstances(session, actor=actor, client_id=here.client_id, told=told, at=here.now)
        return assess_client(
            session, actor=actor, client_id=here.client_id, on=here.today, at=here.now, judged=_answered(data)
        )

    return here.does(
        act,
        then="/take-home?done=assessed",
        else_again=lambda why: _take_home_page(here, refused=why, typed=data),
    )


def _answered(data: Mapping[str, Any]) -> dict[str, bool]:
    """What a practitioner answered, by criterion; those left open are not in it."""
    answers = {name.removeprefix(JUDGED): one(data, name) for name in data if name.startswith(JUDGED)}
    return {name: answer == "yes" for name, answer in answers.items() if answer in ("yes", "no")}


@post("/consulting/clients/{client_id:uuid}/decide", sync_to_thread=True, guards=[requires(Act.DECIDE_TAKE_HOME)])
def decide(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Decides on the assessment that the doctor had before them."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            last = typed.day_or_none("days_until")
            allowed = take_home_acts.Allowed(
                assessment_id=typed.id("assessment_id"),
                days_from=typed.day("days_from"),
                until=last + timedelta(days=1) if last else None,
                per_supply=typed.whole("per_supply", 0, MOST_PER_SUPPLY),
                per_week=typed.whole_or_none("per_week", 0, MOST_PER_WEEK),
                consecutive=typed.whole_or_none("consecutive", 0, MOST_PER_SUPPLY),
                weekdays=_ticked(data, "weekdays"),
                reason=typed.text("reason", most=LONGEST_REASON, required=False),
                review_on=typed.day_or_none("review_on"),
                agreement_signed_on=typed.day_or_none("agreement_signed_on"),
                naloxone=_chosen(data, "naloxone", Naloxone),
            )
        return take_home_acts.decide_take_home(
            session, actor=actor, client_id=here.client_id, allowed=allowed, at=here.now
        )

    return here.does(act, then="?done=decided", else_again=lambda why: _take_home_page(here, refused=why, typed=data))


def _ticked(data: Mapping[str, Any], name: str) -> frozenset[int] | None:
    """The weekdays that were ticked; nothing when none was, which means any day."""
    ticked = frozenset(int(value) for value in several(data, name) if value in tuple("0123456"))
    return ticked or None


def _chosen(data: Mapping[str, Any], name: str, choices: type[Choice]) -> Choice | None:
    value = one(data, name)
    return choices(value) if value in list(choices) else None


_ONCE = {
    "days_from": "once_from",
    "days_until": "once_last",
    "per_supply": "once_days",
    "per_week": "once_days",
    "consecutive": "once_days",
    "occasion": "once_occasion",
    "reason": "once_reason",
    "naloxone": "once_naloxone",
}
"""The one-off form stands on the same page as the decision: its fields have names of their own."""


@post(
    "/consulting/clients/{client_id:uuid}/take-home/once",
    sync_to_thread=True,
    guards=[requires(Act.DECIDE_TAKE_HOME)],
)
def once(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Grants bottles once, for an occasion and some days; what it interrupts goes on afterwards."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            assessment_id = typed.id("assessment_id")
            days_from, last = typed.day("once_from"), typed.day("once_last")
            per_supply = typed.whole("once_days", 1, MOST_PER_SUPPLY)
            occasion = typed.choice("once_occasion", Occasion)
            reason = typed.text("once_reason", most=LONGEST_REASON)
        assessed = take_home_acts.the_assessment_of(session, here.client_id, assessment_id)
        said = Allowance.from_json(assessed.result["allowance"])
        allowed = take_home_acts.Allowed(
            assessment_id=assessment_id,
            days_from=days_from,
            until=last + timedelta(days=1),
            per_supply=per_supply,
            # So many days away is what it is for: of the limits by the week and in a row only the law's hold.
            per_week=said.most_per_week,
            consecutive=said.most_consecutive,
            occasion=occasion,
            reason=reason,
            naloxone=_chosen(data, "once_naloxone", Naloxone),
        )
        return take_home_acts.decide_take_home(
            session, actor=actor, client_id=here.client_id, allowed=allowed, at=here.now
        )

    return here.does(
        act,
        then="/take-home?done=once",
        else_again=lambda why: _take_home_page(here, refused=_beside(why, _ONCE), typed=data),
    )


def _beside(refused: Refused, fields: Mapping[str, str]) -> Refused:
    """The same refusal, beside the fields of a form that calls them otherwise."""
    renamed = (replace(each, field=fields.get(each.field, each.field)) for each in refused.refusals)
    return type(refused)(*renamed)


@post(
    "/consulting/clients/{client_id:uuid}/take-home/renew",
    sync_to_thread=True,
    guards=[requires(Act.DECIDE_TAKE_HOME)],
)
def renew(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """What was granted goes on as before: one press, and what the client said to the offer of naloxone."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        return take_home_acts.renew_take_home(
            session,
            actor=actor,
            client_id=here.client_id,
            naloxone=_chosen(data, "renew_naloxone", Naloxone),
            at=here.now,
        )

    return here.does(
        act,
        then="?done=decided",
        else_again=lambda why: _take_home_page(here, refused=_beside(why, {"naloxone": "renew_naloxone"}), typed=data),
    )


_SUSPEND = {"from_day": "suspend_from", "reason": "suspend_reason", "review_on": "suspend_review"}
_RESTORE = {
    "from_day": "restore_from",
    "days_from": "restore_from",
    "reason": "restore_reason",
    "review_on": "restore_review",
    "per_supply": "restore_from",
    "per_week": "restore_from",
    "consecutive": "restore_from",
}


@post(
    "/consulting/clients/{client_id:uuid}/take-home/suspend",
    sync_to_thread=True,
    guards=[requires(Act.DECIDE_TAKE_HOME)],
)
def suspend(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Suspends take-home from a day on, for a reason, to be looked at again on a day."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            from_day, review_on = typed.day("suspend_from"), typed.day("suspend_review")
            reason = typed.text("suspend_reason", most=LONGEST_REASON)
        return take_home_acts.suspend_take_home(
            session,
            actor=actor,
            client_id=here.client_id,
            from_day=from_day,
            reason=reason,
            review_on=review_on,
            at=here.now,
        )

    return here.does(
        act,
        then="/take-home?done=suspended",
        else_again=lambda why: _take_home_page(here, refused=_beside(why, _SUSPEND), typed=data),
    )


@post(
    "/consulting/clients/{client_id:uuid}/take-home/restore",
    sync_to_thread=True,
    guards=[requires(Act.DECIDE_TAKE_HOME)],
)
def restore(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """What was suspended goes on from a day."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            from_day, review_on = typed.day("restore_from"), typed.day_or_none("restore_review")
            reason = typed.text("restore_reason", most=LONGEST_REASON)
        return take_home_acts.restore_take_home(
            session,
            actor=actor,
            client_id=here.client_id,
            from_day=from_day,
            reason=reason,
            review_on=review_on,
            at=here.now,
        )

    return here.does(
        act,
        then="/take-home?done=restored",
        else_again=lambda why: _take_home_page(here, refused=_beside(why, _RESTORE), typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [take_home, assess, decide, once, renew, suspend, restore]
