"""A body that drips keeps a place for a while and not for ever; a stream that is open is not hurried."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dispensary.web.patience import TooSlow, in_time


def _dripping(*messages: dict[str, Any], every: float) -> Any:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(every)
        return left.pop(0)

    return receive


def _runs(work: Coroutine[Any, Any, Any]) -> Any:
    """In a thread of its own: a browser that a worker keeps open has its loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def test_a_body_in_many_small_parts_has_one_time_for_all_of_them() -> None:
    part = {"type": "http.request", "body": b"x", "more_body": True}

    async def reads() -> int:
        receive = in_time(_dripping(*[part] * 50, every=0.02), seconds=0.2)
        try:
            for read in range(50):  # noqa: B007 - it is how many were read
                await receive()
        except TooSlow:
            return read
        return 50

    assert 1 <= _runs(reads()) < 50


def test_what_comes_after_the_body_may_take_for_ever() -> None:
    whole = {"type": "http.request", "body": b"x", "more_body": False}
    gone = {"type": "http.disconnect"}

    async def reads() -> list[str]:
        receive = in_time(_dripping(whole, gone, every=0.15), seconds=0.2)
        return [(await receive())["type"], (await receive())["type"]]

    assert _runs(reads()) == ["http.request", "http.disconnect"]
