"""Pathways: what a questionnaire's result opens, by the role of whoever offers it. Voluntary by construction. Pure.

A pathway holds offers, and no word for anything else: whether one was taken is read by nothing but the pages of
care. Where risk is low it offers information alone, so that nobody is led into aftercare that they do not need.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from dispensary.care.instruments import Score, instruments
from dispensary.care.plans import SessionPlan, plans
from dispensary.documents import BadDocument
from dispensary.monitoring.sources import Sourced, document
from dispensary.staff.rules import Role

LOW = frozenset({"none", "low", "minimal", "negative"})
"""Bands at which nothing but information is offered."""


class OfferKind(StrEnum):
    """How far an offer reaches."""

    INFORMATION = "information"
    SESSION = "session"
    ASSESSMENT = "assessment"
    REFERRAL = "referral"


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that can be offered."""

    key: str
    says: str
    kind: OfferKind
    service: str = ""
    """For what a referral is, in the words of the register of referrals."""
    plans: tuple[str, ...] = ()
    """By which plans of sessions it begins."""
    instruments: tuple[str, ...] = ()
    """By which instruments an assessment begins."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What some bands of an instrument open, where somebody of these roles offers it."""

    instrument: str
    bands: tuple[str, ...]
    roles: tuple[Role, ...]
    offers: tuple[str, ...]


class Pathway(Sourced, frozen=True):
    """A programme's pathway."""

    key: str
    name: str
    step: tuple[Step, ...]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    offer: tuple[Offer, ...] = ()
    pathway: tuple[Pathway, ...] = ()


@dataclass(frozen=True)
class Pathways:
    """Everything that can be offered, and the pathways that offer it, by their keys."""

    offers: Mapping[str, Offer]
    pathways: Mapping[str, Pathway]


def read_pathways(
    table: Mapping[str, Any], *, beside: Pathways | None = None, by: Mapping[str, SessionPlan] | None = None
) -> Pathways:
    """The pathways of a document, with those that there are `beside` it. Raises BadDocument, with every problem of it.

    `by` are the schedules of sessions by which an offer may begin; without it, those that come with the program.
    """
    try:
        found = msgspec.convert(table, _Document, strict=False)
    except msgspec.ValidationError as reason:
        raise BadDocument([f"A pathway holds offers and nothing else: {reason}."]) from None
    there = beside or Pathways({}, {})
    read = Pathways(
        {**there.offers, **{each.key: each for each in found.offer}},
        {**there.pathways, **{each.key: each for each in found.pathway}},
    )
    schedules = plans() if by is None else by
    problems = [problem for each in found.offer for problem in _leads_nowhere(each, schedules)]
    problems += [problem for pathway in found.pathway for problem in _problems(pathway, read.offers)]
    if problems:
        raise BadDocument(problems)
    return read


def _leads_nowhere(offer: Offer, schedules: Mapping[str, SessionPlan]) -> Iterator[str]:
    """Whoever says yes to an offer is to get it: it names what it begins by, of what there is, and nothing else."""
    begins = {
        OfferKind.INFORMATION: ((), ()),
        OfferKind.REFERRAL: ((offer.service,), (offer.service,) if offer.service else ()),
        OfferKind.SESSION: (offer.plans, schedules),
        OfferKind.ASSESSMENT: (offer.instruments, instruments()),
    }
    named, there_are = begins[offer.kind]
    besides = {*offer.plans, *offer.instruments, *([offer.service] if offer.service else [])} - {*named}
    if offer.kind is not OfferKind.INFORMATION and (not named or {*named} - {*there_are}):
        yield f"Offer {offer.key}: a {offer.kind} begins by what there is, and not by “{', '.join(named)}”."
    if besides:
        yield f"Offer {offer.key}: a {offer.kind} does not begin by “{', '.join(sorted(besides))}”."


def _problems(pathway: Pathway, offers: Mapping[str, Offer]) -> Iterator[str]:
    for step in pathway.step:
        at = f"{pathway.key}, {step.instrument} {'/'.join(step.bands)}"
        if step.instrument not in instruments():
            yield f"{at}: there is no such instrument."
        for key in step.offers:
            if key not in offers:
                yield f"{at}: there is no offer “{key}”."
            elif LOW & set(step.bands) and offers[key].kind is not OfferKind.INFORMATION:
                yield f"{at}: where risk is low, information alone is offered, and not “{key}”."


@lru_cache(maxsize=1)
def shipped() -> Pathways:
    """The pathways that come with the program."""
    return read_pathways(document("pathways", room="dispensary.care"))


def opened_by(pathway: Pathway, instrument: str, scores: Iterable[Score], roles: Collection[Role]) -> Sequence[str]:
    """What scores open by a pathway where somebody of these roles offers it: each offer once, in its order."""
    bands = {score.band for score in scores}
    steps = [
        step
        for step in pathway.step
        if step.instrument == instrument and bands & set(step.bands) and set(roles) & set(step.roles)
    ]
    return tuple(dict.fromkeys(key for step in steps for key in step.offers))
