"""Roles, and what each may do. Pure: who somebody is comes from the service, whether they may comes from here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dispensary.units import AccountId, SiteId


class Role(StrEnum):
    """The work that an account does at a site."""

    PHARMACIST = "pharmacist"
    DOCTOR = "doctor"
    NURSE = "nurse"
    RECEPTION = "reception"
    EVALUATOR = "evaluator"
    ADMINISTRATOR = "administrator"


class Act(StrEnum):
    """What can be done to a record. A guard names one; the table below says which roles may."""

    LOOK_AT_CLIENT = "look at client"
    FIND_CLIENT = "find client"
    ENROL = "enrol"
    ORDER = "order"
    HOLD = "hold"
    DECIDE_TAKE_HOME = "decide take-home"
    RESOLVE_ALERT = "resolve alert"
    DISPENSE = "dispense"
    PREPARE_PICKUP = "prepare pickup"
    CLOSE_DAY = "close day"
    RECEIVE_STOCK = "receive stock"
    LOOK_AT_REGISTER = "look at register"
    BOOK = "book"
    CHECK_IN = "check in"
    EXPORT = "export"
    RUN_SITE = "run site"


_MAY: dict[Act, frozenset[Role]] = {
    Act.LOOK_AT_CLIENT: frozenset({Role.PHARMACIST, Role.DOCTOR, Role.NURSE}),
    Act.FIND_CLIENT: frozenset({Role.PHARMACIST, Role.DOCTOR, Role.NURSE, Role.RECEPTION}),
    Act.ENROL: frozenset({Role.DOCTOR, Role.NURSE}),
    Act.ORDER: frozenset({Role.DOCTOR}),
    Act.HOLD: frozenset({Role.DOCTOR}),
    Act.DECIDE_TAKE_HOME: frozenset({Role.DOCTOR}),
    Act.RESOLVE_ALERT: frozenset({Role.DOCTOR, Role.NURSE, Role.PHARMACIST}),
    Act.DISPENSE: frozenset({Role.PHARMACIST}),
    Act.PREPARE_PICKUP: frozenset({Role.PHARMACIST}),
    Act.CLOSE_DAY: frozenset({Role.PHARMACIST}),
    Act.RECEIVE_STOCK: frozenset({Role.PHARMACIST}),
    Act.LOOK_AT_REGISTER: frozenset({Role.PHARMACIST, Role.ADMINISTRATOR}),
    Act.BOOK: frozenset({Role.RECEPTION, Role.PHARMACIST, Role.NURSE}),
    Act.CHECK_IN: frozenset({Role.RECEPTION, Role.PHARMACIST}),
    Act.EXPORT: frozenset({Role.EVALUATOR}),
    Act.RUN_SITE: frozenset({Role.ADMINISTRATOR}),
}


@dataclass(frozen=True)
class Actor:
    """Who acts, where: a signed-in account, or the program itself (no account) in a job or on the command line."""

    account_id: AccountId | None
    site_id: SiteId
    roles: frozenset[Role]
    name: str = ""
    initials: str = ""


def may(roles: Iterable[Role], act: Act) -> bool:
    """Whether any of these roles allows the act. What no role is named for is allowed to nobody."""
    return not _MAY.get(act, frozenset()).isdisjoint(roles)


def the_program(site_id: SiteId) -> Actor:
    """The program itself, at a site: jobs and the command line, which have passed no counter."""
    return Actor(None, site_id, frozenset(), "Takehome", "")
