"""What a page's form sends: text, and nothing but text, until a rule has looked at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias
from uuid import UUID

from litestar.params import URLEncodedBody

from dispensary.refusals import BadInput, Refusal

Form: TypeAlias = URLEncodedBody[dict[str, Any]]
"""The type of a page handler's `data`. Read it with `one`, `several` and `key_of`: a missing field is empty text."""


def one(form: Mapping[str, Any], name: str) -> str:
    """The text of a field without the blanks around it; empty when it was not sent, its first when sent repeatedly."""
    value = form.get(name, "")
    if isinstance(value, list):
        value = value[0] if value else ""
    return value.strip() if isinstance(value, str) else ""


def secret(form: Mapping[str, Any], name: str) -> str:
    """A password or PIN exactly as it was typed, blanks and all."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def named(form: Mapping[str, Any], name: str) -> UUID | None:
    """The identifier in a field of the form; nothing when the field is empty or is no identifier."""
    try:
        return UUID(one(form, name))
    except ValueError:
        return None


def several(form: Mapping[str, Any], name: str) -> list[str]:
    """All texts of a field that may be sent more than once, such as ticked boxes."""
    value = form.get(name, [])
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def key_of(form: Mapping[str, Any]) -> UUID:
    """The idempotency key that parts.html put into the form. Raises BadInput: a form without one could act twice."""
    try:
        return UUID(one(form, "key"))
    except ValueError:
        raise BadInput(
            Refusal("no-key", "This form has lost its number.", "Open the page again and repeat what you did.")
        ) from None
