"""The JSON API, one file per resource. Each file has its handlers in a list, and HANDLERS has all of them."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from dispensary.api import (
    alerts,
    bookings,
    calls,
    checks,
    clients,
    decisions,
    exceptions,
    flags,
    guests,
    lots,
    mishaps,
    orders,
    plans,
    queue,
    refills,
    results,
    returns,
    safe,
    seen_again,
    session,
    supplies,
    transfers,
    treatments,
    voids,
    waits,
    weekly,
)

HANDLERS: list[ControllerRouterHandler] = [
    *session.HANDLERS,
    *supplies.HANDLERS,
    *voids.HANDLERS,
    *exceptions.HANDLERS,
    *mishaps.HANDLERS,
    *calls.HANDLERS,
    *seen_again.HANDLERS,
    *returns.HANDLERS,
    *flags.HANDLERS,
    *clients.HANDLERS,
    *guests.HANDLERS,
    *orders.HANDLERS,
    *plans.HANDLERS,
    *decisions.HANDLERS,
    *lots.HANDLERS,
    *safe.HANDLERS,
    *transfers.HANDLERS,
    *bookings.HANDLERS,
    *weekly.HANDLERS,
    *waits.HANDLERS,
    *queue.HANDLERS,
    *results.HANDLERS,
    *treatments.HANDLERS,
    *refills.HANDLERS,
    *alerts.HANDLERS,
    *checks.HANDLERS,
]
"""Mounted at /api. Add the handlers of a new resource here."""
