"""The description of the API at /schema, with what the framework leaves out: how it refuses, what it does not take."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Litestar, Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin

from dispensary.web.guards import PUBLIC
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


def _bodies(app: Litestar) -> dict[str, Any]:
    """What each operation takes as JSON: its type, which the decoder itself describes."""
    return {
        str(handler.operation_id): data.annotation
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if isinstance(handler, HTTPRouteHandler)
        and handler.operation_id
        and (data := handler.parsed_fn_signature.parameters.get("data")) is not None
    }


def _without_nul(described: Any) -> None:
    """Says of every text within that it has no NUL: PostgreSQL keeps none, and StrictRequest takes none."""
    if isinstance(described, dict):
        if described.get("type") == "string" and not described.keys() & {"pattern", "format", "enum"}:
            described["pattern"] = r"^[^\u0000]*$"
        for each in described.values():
            _without_nul(each)
    elif isinstance(described, list):
        for each in described:
            _without_nul(each)


def tell_all(schema: dict[str, Any], app: Litestar) -> None:
    """Completes the description in place: doing it again changes nothing."""
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    bodies = _bodies(app)
    described, shared = msgspec.json.schema_components(bodies.values(), ref_template="#/components/schemas/{name}")
    for each in shared.values():
        _without_nul(each)
    schemas.update(shared)
    taken = dict(zip(bodies, described, strict=True))
    components["securitySchemes"] = {
        "signIn": {"type": "apiKey", "in": "cookie", "name": COOKIE},
        "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRFToken"},
    }
    for path, operations in schema.get("paths", {}).items():
        for method, operation in operations.items():
            if not path.startswith("/api/") or not isinstance(operation, dict):
                continue
            operation["responses"].pop("400", None)
            if "204" in operation["responses"]:
                operation["responses"]["204"].pop("content", None)  # there is nothing, and so no kind of it
            operation["responses"]["default"] = _REFUSED
            if "requestBody" in operation:
                operation["requestBody"]["content"] = {"application/json": {"schema": taken[operation["operationId"]]}}
            operation["security"] = _needed(method, path)


def _needed(method: str, path: str) -> list[dict[str, list[str]]]:
    """What a request must bring: its sign-in, unless the path is open, and the token where something may change."""
    sign_in: dict[str, list[str]] = {} if path in PUBLIC and method != "delete" else {"signIn": []}
    token: dict[str, list[str]] = {} if method == "get" else {"csrf": []}
    return [{**sign_in, **token}]


class CompleteJson(JsonRenderPlugin):
    """Serves the completed description as JSON. It needs no script of others, which the content policy would refuse."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        tell_all(openapi_schema, request.app)
        return super().render(request, openapi_schema)
