"""Pages, one file per desk where a person works. Each file has its handlers in a list, and HANDLERS has all of them."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from dispensary.desks import (
    adopting,
    bottles,
    camera,
    caring,
    consulting,
    counter,
    deciding,
    enrolling,
    evaluation,
    exceptional,
    explaining,
    figures,
    guidelines,
    office,
    opening,
    ordering,
    passpage,
    pickups,
    planning,
    reception,
    replaying,
    safe,
    signin,
    site,
    staffing,
    telephone,
)

HANDLERS: list[ControllerRouterHandler] = [
    *signin.HANDLERS,
    *counter.HANDLERS,
    *camera.HANDLERS,
    *exceptional.HANDLERS,
    *bottles.HANDLERS,
    *pickups.HANDLERS,
    *safe.HANDLERS,
    *passpage.HANDLERS,
    *evaluation.HANDLERS,
    *consulting.HANDLERS,
    *caring.HANDLERS,
    *enrolling.HANDLERS,
    *ordering.HANDLERS,
    *planning.HANDLERS,
    *deciding.HANDLERS,
    *explaining.HANDLERS,
    *replaying.HANDLERS,
    *office.HANDLERS,
    *site.HANDLERS,
    *staffing.HANDLERS,
    *opening.HANDLERS,
    *adopting.HANDLERS,
    *figures.HANDLERS,
    *guidelines.HANDLERS,
    *reception.HANDLERS,
    *telephone.HANDLERS,
]
"""Mounted at /. Add the handlers of a new desk here; its link appears once its path in web/places.py has a handler."""
