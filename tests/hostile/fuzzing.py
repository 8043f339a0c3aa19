"""Schemathesis against the whole API in this process, signed in by an account that may do everything."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.web.entering import enter_as_program
from dispensary.web.signed_in import COOKIE
from tests.dispensary.desk_place import Desks
from tests.dispensary.visiting import PASSWORD, Visitor, hire


@dataclass
class Found:
    """What a run of the fuzzer found."""

    requests: int = 0
    operations: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    """What broke, by operation and check, each with the request that shows it."""
    errors: list[str] = field(default_factory=list)


_ANSWERS = ["2xx", "401", "403", "404", "409", "422", "428", "429"]
"""What a request that the description allows may be answered. A rule of the clinic refuses with 422, and no description
holds the rules of a clinic; that it is such a rule, and not the form of the request, `described_as_it_is` looks at.
428 asks why somebody looks at a record that they do not usually open."""
_FORM = {"missing-value", "unknown-field", "bad-value", "bad-request"}
"""The codes by which a request is refused for its form."""


@schemathesis.check
def described_as_it_is(ctx: Any, response: Any, case: Any) -> None:
    """A request that the description allows is never refused for its form."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 422:
        return
    if case.meta.phase.name.value == "coverage" and response.request.method != case.method:
        return
    body = response.json()
    for error in body["errors"]:
        # A rule that calls a figure a bad value says how to write it: no description knows the bounds of each test.
        assert error["code"] not in _FORM or error["remedy"], f"{error['field']}: {error['detail']}"


class _Signing:
    """Signs each case in. What ends a sign-in, or begins another, is tried on one that nobody else needs."""

    def __init__(self, here: Desks, visitor: Visitor) -> None:
        self._here = here
        self._own = dict(visitor.client.cookies)
        self._token = visitor.csrf()

    def get(self, case: Any, context: Any) -> dict[str, str]:
        if case.operation.path == "/api/session":
            return {**self._own, **_another(self._here)}
        return self._own

    def set(self, case: Any, data: dict[str, str], context: Any) -> None:
        case.cookies = {**(case.cookies or {}), **data}
        token = self._token if data == self._own else _token_of(self._here, data)
        case.headers = {**(case.headers or {}), "X-CSRFToken": token}


def _token_of(here: Desks, cookies: dict[str, str]) -> str:
    visitor = Visitor(here.app)
    visitor.client.cookies.update(cookies)
    return visitor.csrf()


def _another(here: Desks) -> dict[str, str]:
    """The cookie of one more sign-in of the same account."""
    token = enter_as_program(
        here.database,
        username="everything",
        password=PASSWORD,
        address=str(uuid4()),
        at=here.clock(),
        presented=None,
        code="",
    )
    return {COOKIE: token}


def _answered(recorder: Any, case_id: str) -> str:
    seen = recorder.interactions.get(case_id)
    if seen is None or seen.response is None:
        return "not answered"
    return f"{seen.response.status_code}: {seen.response.content[:300]!r}"


def fuzz(here: Desks, *, examples: int, thoroughly: bool) -> Found:
    """Every operation with every check, and so many random examples each.

    Thoroughly, what lies at each bound of each field is made up one by one as well, and calls follow upon each other.
    """
    with here.database.reading() as session:
        site = session.get_one(Site, here.place.site_id)
    hire(here.database, site, "everything", Role, here.place.now)
    visitor = Visitor(here.app)
    body = {"username": "everything", "password": PASSWORD}
    assert visitor.send("POST", "/api/session", body).status_code == 204
    config = SchemathesisConfig.from_dict(
        {
            "seed": 0,
            "generation": {"max-examples": examples, "no-shrink": True, "database": "none"},
            "continue-on-failure": True,
            "checks": {"positive_data_acceptance": {"expected-statuses": _ANSWERS}},
            "phases": {"coverage": {"enabled": thoroughly}, "stateful": {"enabled": thoroughly}},
            "base-url": "http://clinic.test",
        }
    )
    schema = schemathesis.openapi.from_asgi("/schema/openapi.json", here.app, config=config)
    signing = _Signing(here, visitor)
    schema.auth.providers.append(signing)
    found = Found()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            recorder = event.recorder
            found.requests += len(recorder.interactions)
            for case_id, node in recorder.cases.items():
                found.operations.add(node.value.operation.label)
                seen = recorder.interactions.get(case_id)
                if seen is not None and seen.response is not None:
                    found.statuses[seen.response.status_code] += 1
            for case_id, checks in recorder.checks.items():
                for check in checks:
                    if check.failure_info is not None:
                        label = recorder.cases[case_id].value.operation.label
                        found.failures.setdefault(
                            f"{label} {check.name}: {check.failure_info.failure.title}",
                            f"{check.failure_info.code_sample}\n{check.failure_info.failure.message}\n"
                            f"It was {_answered(recorder, case_id)}",
                        )
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.errors.append(repr(getattr(event, "value", getattr(event, "exception", event))))
    return found
