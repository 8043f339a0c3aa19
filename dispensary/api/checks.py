"""The rules as calculators: one path a rule, each with its own question in the schema. They read no record."""

from __future__ import annotations

from typing import Any

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.checks.catalogue import RULES, Rule
from dispensary.staff.rules import Act
from dispensary.web.guards import requires


@get(
    "/check",
    sync_to_thread=False,
    operation_id="listChecks",
    tags=["checks"],
    guards=[requires(Act.LOOK_AT_CLIENT)],
)
def listed() -> list[dict[str, Any]]:
    """Lists the rules that can be asked, each with the JSON Schema of its question."""
    return [rule.described() for rule in RULES.values()]


def _asked(rule: Rule) -> HTTPRouteHandler:
    def answer(data: Any) -> dict[str, Any]:
        return rule.answer(data)

    # The framework reads types from the function, and each rule has a question of its own.
    body: Any = JSONBody
    answer.__annotations__["data"] = body[rule.question]
    answer.__doc__ = f"{rule.asks} The answer names its source; it is a calculator, and nothing is recorded."
    return post(
        f"/check/{rule.name}",
        status_code=200,
        sync_to_thread=False,
        operation_id="check" + "".join(word.capitalize() for word in rule.name.split("-")),
        tags=["checks"],
        guards=[requires(Act.LOOK_AT_CLIENT)],
    )(answer)


HANDLERS: list[ControllerRouterHandler] = [listed, *(_asked(rule) for rule in RULES.values())]
