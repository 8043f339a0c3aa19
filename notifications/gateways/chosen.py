"""Which gateway the environment sets up: each module of this package is asked, and at most one may answer."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module

import notifications.gateways
from notifications.gateways import BadGateway, Gateway

PER_SECOND = "TEXTS_PER_SECOND"


def chosen(environment: Mapping[str, str], *, public_base: str) -> Gateway | None:
    """The gateway that the environment sets up; nothing when there is none. Raises BadGateway.

    `public_base` is the public address of this program: a gateway reports to its /hooks/ and the gateway's name.
    """
    found = []
    for module in pkgutil.iter_modules(notifications.gateways.__path__):
        configured = getattr(import_module(f"{notifications.gateways.__name__}.{module.name}"), "configured", None)
        if configured is not None:
            found.append(
                configured(environment, hooks=f"{public_base}/hooks/{module.name}", per_second=_per_second(environment))
            )
    gateways: list[Gateway] = [gateway for gateway in found if gateway is not None]
    if len(gateways) > 1:
        names = " and ".join(gateway.name for gateway in gateways)
        raise BadGateway(
            f"Texts go by one gateway, and {names} are both set up. Leave out the settings of all but one."
        )
    return gateways[0] if gateways else None


def _per_second(environment: Mapping[str, str]) -> float | None:
    given = environment.get(PER_SECOND, "").strip()
    if not given:
        return None
    try:
        rate = float(given)
    except ValueError:
        rate = 0.0
    if not 0.01 <= rate <= 1000:
        raise BadGateway(f"{PER_SECOND} is “{given}”. Set it to a number from 0.01 to 1000, or leave it out.")
    return rate
