"""Pages, one file per desk where a person works. Each file has its handlers in a list, and HANDLERS has all of them."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from dispensary.desks import counter, passpage, safe, signin

HANDLERS: list[ControllerRouterHandler] = [
    *signin.HANDLERS,
    *counter.HANDLERS,
    *safe.HANDLERS,
    *passpage.HANDLERS,
]
"""Mounted at /. Add the handlers of a new desk here; its link appears once its path in web/places.py has a handler."""
