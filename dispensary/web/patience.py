"""How long a sender may take with what it sends: whoever drips a body byte by byte keeps no place for ever."""

from __future__ import annotations

import asyncio

from litestar.exceptions import ClientException
from litestar.types import Receive
from litestar.types.asgi_types import ReceiveMessage

BODY_WITHIN = 60
"""Seconds for a whole body: two megabytes over a telephone line of 300 kbit/s."""


class TooSlow(ClientException):
    """The body did not come in time. Nothing of it was read by anybody."""

    status_code = 408


def in_time(receive: Receive, seconds: float = BODY_WITHIN) -> Receive:
    """`receive` that raises TooSlow when the body is not whole in time; what comes after the body may take for ever."""
    until: float | None = None
    whole = False

    async def hurried() -> ReceiveMessage:
        nonlocal until, whole
        if whole:
            return await receive()  # a screen's stream listens here for the end of its connection
        loop = asyncio.get_running_loop()
        until = until or loop.time() + seconds
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise TooSlow from None
        whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return hurried
