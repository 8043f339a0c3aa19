"""Who may do what: role x act, from the house's document, with what a site has changed within its bounds. Pure.

`roles_for` is the one place that says who may; everything else, guard, page and service, asks it through `may` or
`Actor.may`. The document is permissions.toml beside this file: an act that it does not name is allowed to nobody, and
the program does not start without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from dispensary.documents import BadDocument, Reader, read_toml
from dispensary.refusals import Refusal


class Role(StrEnum):
    """The work that an account does at a site."""

    PHARMACIST = "pharmacist"
    DOCTOR = "doctor"
    NURSE = "nurse"
    RECEPTION = "reception"
    PEER_WORKER = "peer worker"
    EVALUATOR = "evaluator"
    ADMINISTRATOR = "administrator"


class Act(StrEnum):
    """What can be done to a record. A guard names one; the document says which roles may."""

    LOOK_AT_CLIENT = "look at client"
    FIND_CLIENT = "find client"
    ENROL = "enrol"
    ORDER = "order"
    HOLD = "hold"
    DECIDE_TAKE_HOME = "decide take-home"
    RESOLVE_ALERT = "resolve alert"
    CARE = "care around the dose"
    WATCH_HEALTH = "watch health"
    SET_HEALTH = "set what is watched"
    DISPENSE = "dispense"
    PREPARE_PICKUP = "prepare pickup"
    ARRANGE_GUEST = "arrange guest doses"
    MOVE_CLIENT = "move client to another site"
    CARRY = "carry to a home"
    CLOSE_DAY = "close day"
    RECEIVE_STOCK = "receive stock"
    LOOK_AT_REGISTER = "look at register"
    STAND_BY = "stand by"
    TAKE_PACK = "take downtime pack"
    BOOK = "book"
    CHECK_IN = "check in"
    PRINT_HELP = "print help"
    LOOK_AFTER_OWN = "look after own clients"
    LEGAL_STATUS = "hear about the law"
    EXPORT = "export"
    DISCLOSE = "disclose"
    TELL_EMERGENCY = "tell in an emergency"
    TAKE_CONSENT = "take or end a consent"
    REPORT_PROGRESS = "report attendance"
    ENTER_DEMAND = "enter legal demand"
    KEEP_RECORD = "keep record under a legal hold"
    ERASE = "erase client"
    RUN_SITE = "run site"


_ROLES, _ACTS = frozenset(Role), frozenset(Act)


class Difference(NamedTuple):
    """What a site has otherwise than the house: a role that may, or may not, do an act there."""

    role: Role
    act: Act
    allowed: bool


Own = frozenset[Difference]
AS_THE_HOUSE: Own = frozenset()
"""A site that has changed nothing."""


def as_own(rows: Iterable[tuple[str, str, str]]) -> Own:
    """What a site has otherwise, of role, act and whether it is allowed as PostgreSQL writes it.

    A role or an act that this version of the program does not know is left out: it allows nothing to anybody.
    """
    return frozenset(
        Difference(Role(role), Act(act), allowed == "true")
        for role, act, allowed in rows
        if role in _ROLES and act in _ACTS
    )


@dataclass(frozen=True)
class Permission:
    """An act of the document: who may, how far a site may go, and why."""

    act: Act
    says: str
    roles: frozenset[Role]
    may_add: frozenset[Role]
    may_take_away: frozenset[Role]
    works: bool
    """A site cannot go without it."""
    why: str

    def bounds(self, role: Role) -> bool:
        """Whether a site may change this for the role, to either side and back."""
        return role in self.may_add or role in self.may_take_away


def read_permissions(document: str) -> dict[Act, Permission]:
    """The permissions of a document. Raises BadDocument, with every problem of it."""
    reader = read_toml(document, "the document")
    found = [_permission(part) for part in reader.parts("permission", "permission")]
    problems = list(reader.all_problems())
    acts = [each.act for each in found]
    problems += [f"“{act}” is there {acts.count(act)} times." for act in Act if acts.count(act) != 1]
    for each in found:
        if each.may_add & each.roles or each.may_take_away - each.roles:
            problems.append(f"“{each.act}” adds a role that has it, or takes one away that has it not.")
        if not each.roles:
            problems.append(f"“{each.act}” is allowed to nobody.")
    if problems:
        raise BadDocument(problems)
    return {each.act: each for each in found}


def _permission(part: Reader) -> Permission:
    return Permission(
        act=part.one_of("act", Act, Act.RUN_SITE),
        says=part.text("says"),
        roles=frozenset(part.several("roles", Role)),
        may_add=frozenset(part.several("may_add", Role)),
        may_take_away=frozenset(part.several("may_take_away", Role)),
        works=part.yes_or_no("works"),
        why=part.text("why"),
    )


@cache
def permissions() -> Mapping[Act, Permission]:
    """The house's permissions, as they come with the program."""
    return read_permissions(files(__package__).joinpath("permissions.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=4096)
def roles_for(act: Act, own: Own = AS_THE_HOUSE) -> frozenset[Role]:
    """Who may do an act at a site that has changed `own`. What lies outside the document's bounds counts for nothing.

    So a document that grows narrower takes back at once what a site had allowed under an earlier one.
    """
    permission = permissions()[act]
    added = {each.role for each in own if each.act is act and each.allowed and each.role in permission.may_add}
    gone = {each.role for each in own if each.act is act and not each.allowed and each.role in permission.may_take_away}
    return frozenset((permission.roles | added) - gone)


def may(roles: Iterable[Role], act: Act, own: Own = AS_THE_HOUSE) -> bool:
    """Whether any of these roles allows the act at a site that has changed `own`."""
    return not roles_for(act, own).isdisjoint(roles)


def with_change(own: Own, change: Difference) -> Own:
    """What a site has otherwise after a change; back to the house's own word leaves no difference."""
    others = frozenset(each for each in own if (each.role, each.act) != (change.role, change.act))
    as_the_house = (change.role in permissions()[change.act].roles) is change.allowed
    return others if as_the_house else others | {change}


def may_change(own: Own, change: Difference, people: Iterable[frozenset[Role]]) -> Refusal | None:
    """Why a site cannot change this; nothing when it can. `people` are the roles of each who works there.

    Where nobody can do it as it is, nothing is lost by taking it away.
    """
    permission = permissions()[change.act]
    if not permission.bounds(change.role):
        return Refusal(
            "permission-fast",
            f"Whether a {change.role} may do this is not the site's to change: {permission.why}",
            evidence={"role": change.role.value, "act": change.act.value},
            field="allowed",
        )
    now, after = (roles_for(change.act, each) for each in (own, with_change(own, change)))
    able = [roles for roles in people if not now.isdisjoint(roles)]
    if permission.works and able and all(after.isdisjoint(roles) for roles in able):
        return Refusal(
            "permission-nobody-left",
            "Nobody who works at this site could do this any more.",
            "Give it to another role first, or somebody a role that may.",
            {"role": change.role.value, "act": change.act.value},
            field="allowed",
        )
    return None
