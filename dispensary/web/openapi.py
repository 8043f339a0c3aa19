"""The description of the API at /schema, with what the framework leaves out: how it refuses, what it does not take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import msgspec
from litestar import Litestar, Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin

from dispensary.web.signed_in import COOKIE

_REFUSAL = {
    "code": {"type": "string", "description": "A stable word for programs, such as already-covered."},
    "detail": {"type": "string", "description": "What a person reads."},
    "remedy": {"type": "string", "description": "What to do about it; may be empty."},
    "evidence": {"type": "object", "description": "The rows and figures that say so; never a name."},
    "field": {"type": "string", "description": "The field that it is about; may be empty."},
}
PROBLEM = {
    "title": "Problem",
    "description": "A refusal (RFC 9457). Nothing of what was asked for was kept.",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        **_REFUSAL,
        "errors": {"type": "array", "items": {"type": "object", "properties": _REFUSAL, "required": list(_REFUSAL)}},
    },
    "required": ["type", "title", "status", *_REFUSAL, "errors"],
}
_REFUSED = {
    "description": "Refused",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def _structs(annotation: Any) -> Iterator[type[msgspec.Struct]]:
    """The structs in a type, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield annotation
        for field in msgspec.structs.fields(annotation):
            yield from _structs(field.type)
    for inner in get_args(annotation):
        yield from _structs(inner)


def _closed(app: Litestar) -> set[str]:
    """The names of the bodies that refuse fields they do not know."""
    return {
        struct.__name__
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler)
        and (data := handler.parsed_fn_signature.parameters.get("data")) is not None
        for struct in _structs(data.annotation)
        if struct.__struct_config__.forbid_unknown_fields
    }


def tell_all(schema: dict[str, Any], app: Litestar) -> None:
    """Completes the description in place: doing it again changes nothing."""
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    closed = _closed(app)
    for described in schemas.values():
        if described.get("title") in closed:
            described["additionalProperties"] = False
    components["securitySchemes"] = {
        "signIn": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRFToken"},
    }
    for path, operations in schema.get("paths", {}).items():
        for method, operation in operations.items():
            if not path.startswith("/api/") or not isinstance(operation, dict):
                continue
            operation["responses"].pop("400", None)
            operation["responses"]["default"] = _REFUSED
            operation["security"] = [{"signIn": []} if method == "get" else {"signIn": [], "csrf": []}]


class CompleteJson(JsonRenderPlugin):
    """Serves the completed description as JSON. It needs no script of others, which the content policy would refuse."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        tell_all(openapi_schema, request.app)
        return super().render(request, openapi_schema)
