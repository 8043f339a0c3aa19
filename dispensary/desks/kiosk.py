"""The kiosk: whoever comes scans a pass or types their code, and is given a number. It shows nothing of anybody."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.phone.arrivals import Arrived, arrive_by_themselves, please_ask
from dispensary.refusals import Refused
from dispensary.web.devices import device_of, requires_device
from dispensary.web.forms import Form, one
from dispensary.web.given import TheClock, TheDatabase
from dispensary.web.guessing import Guesses
from dispensary.web.templating import page

IS_KIOSK = requires_device("kiosk")
MOST_WRONG = 20
"""So many wrong ones at one kiosk within ten minutes, and for the rest of them it sends everybody to the desk."""


@get("/kiosk", sync_to_thread=True, guards=[IS_KIOSK])
def kiosk(request: Request[Any, Any, Any]) -> Template:
    """The empty page, as it stands for whoever comes next."""
    return page("kiosk/kiosk.html", arrived=None, asks=False)


@post("/kiosk/arrive", sync_to_thread=True, guards=[IS_KIOSK], status_code=200)
def arrive(data: Form, request: Request[Any, Any, Any], database: TheDatabase, clock: TheClock) -> Response[Any]:
    """Gives a number, or sends to the desk in the same words whatever was wrong."""
    device, now = device_of(request), clock()
    guesses: Guesses = request.app.state.kiosk_guesses
    arrived: Arrived | None = None
    try:
        if guesses.too_many(str(device.id), now):
            raise please_ask()
        arrived = database.write(
            lambda session: arrive_by_themselves(session, device=device, text=one(data, "code"), at=now)
        )
    except Refused:
        guesses.wrong(str(device.id), now)
    return page("kiosk/kiosk.html", arrived=arrived, asks=arrived is None)


HANDLERS: list[ControllerRouterHandler] = [kiosk, arrive]
