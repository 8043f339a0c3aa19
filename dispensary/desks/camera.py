"""The camera of the counter, and of a carrier: a frame is read here, where the browser cannot read it itself."""

from __future__ import annotations

import threading
from typing import Any

from litestar import Request, post
from litestar.concurrency import sync_to_thread
from litestar.types import ControllerRouterHandler

from dispensary.supplies.printing.camera import LARGEST_FRAME, text_in
from dispensary.web.guards import requires_carrier, requires_dispenser

MAY_LOOK = {"permissions-policy": "camera=(self), geolocation=(), microphone=()"}
"""For the pages that have the camera's button; every other page is refused the camera."""
_reading = threading.BoundedSemaphore(2)
"""So many frames are read at once, and another is passed over: the next follows soon, and doses come first."""


@post(
    "/counter/camera",
    guards=[requires_dispenser],
    request_max_body_size=LARGEST_FRAME,
    status_code=200,
)
async def read(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The text of the code in the posted picture, or nothing. The picture is not kept."""
    return await _text_in(request)


@post("/carrying/camera", guards=[requires_carrier], request_max_body_size=LARGEST_FRAME, status_code=200)
async def read_at_home(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The same, for a carrier's phone at a client's home."""
    return await _text_in(request)


async def _text_in(request: Request[Any, Any, Any]) -> dict[str, str]:
    frame = await request.body()
    if not _reading.acquire(blocking=False):
        return {"text": ""}
    try:
        return {"text": await sync_to_thread(text_in, frame)}
    finally:
        _reading.release()


HANDLERS: list[ControllerRouterHandler] = [read, read_at_home]
