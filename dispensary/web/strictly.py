"""JSON is taken as it is written: a 0 is no `false`, a "3" is no number, and what the description says is what holds.

The framework reads bodies as leniently as it reads addresses, where everything is text. A dose's `"observed": 0` must
not become an answer that nobody gave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.serialization import default_deserializer

_PLACE = re.compile(r" - at `\$\.?(.*?)`$")


@cache
def _body_of(handler: HTTPRouteHandler) -> Any:
    """The type of the handler's JSON body; None where it has none of its own."""
    data = handler.parsed_fn_signature.parameters.get("data")
    return None if data is None or data.annotation is Any else data.annotation


def _holds_nul(value: Any) -> bool:
    """Whether a text anywhere within has the sign that PostgreSQL takes in none."""
    if isinstance(value, Mapping):
        return any(_holds_nul(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return any(_holds_nul(each) for each in value)
    return isinstance(value, str) and "\0" in value


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON is looked at strictly before the framework converts it."""

    async def json(self) -> Any:
        """The body. Raises ValidationException where it is not what the handler takes."""
        body = await super().json()
        if rb"\u0000" in await self.body() and _holds_nul(body):
            raise ValidationException(extra=[{"message": "A text holds a sign that cannot be kept.", "key": "data"}])
        handler = self.scope.get("route_handler")
        if isinstance(handler, HTTPRouteHandler) and (wanted := _body_of(handler)) is not None:
            try:
                msgspec.convert(body, wanted, strict=True, dec_hook=default_deserializer, str_keys=True)
            except msgspec.ValidationError as reason:
                message = str(reason)
                place = _PLACE.search(message)
                error = {"message": _PLACE.sub("", message), "key": place[1] if place else "data"}
                raise ValidationException(extra=[error]) from None
        return body
