"""The waiting room's screen: the numbers that were called and their windows, then those who come next. Nothing else."""

from __future__ import annotations

from typing import Any

from litestar import Request, get
from litestar.response import ServerSentEvent, Template
from litestar.types import ControllerRouterHandler

from dispensary.web.board import Board
from dispensary.web.devices import device_of, requires_device
from dispensary.web.templating import page

IS_SCREEN = requires_device("screen")


@get("/screen", sync_to_thread=True, guards=[IS_SCREEN])
def screen() -> Template:
    """The empty screen, which fills itself."""
    return page("screen/screen.html")


@get("/screen/events", guards=[IS_SCREEN])
async def events(request: Request[Any, Any, Any]) -> ServerSentEvent:
    """The state at once, and each change of it, for as long as the screen listens."""
    board: Board = request.app.state.board
    return ServerSentEvent(board.watch(device_of(request)))


HANDLERS: list[ControllerRouterHandler] = [screen, events]
