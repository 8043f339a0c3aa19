"""What a page's form asks for, done; or, refused, the page again with every reason and all that was typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from litestar.response import Redirect, Response, Template

from dispensary.database import Database, WriteSession
from dispensary.refusals import NotThere, Refused

Done = TypeVar("Done")


def done_or_again(
    database: Database,
    act: Callable[[WriteSession], Done],
    *,
    then: Callable[[Done], str],
    else_again: Callable[[Refused], Template],
) -> Response[Any]:
    """Does one act in a unit of work of its own and goes on to where `then` says.

    Refused, nothing of it is kept, and the page comes again by `else_again`. What is not there at all has no page to
    come again, and is told by the house's own.
    """
    try:
        done = database.write(act)
    except NotThere:
        raise
    except Refused as refused:
        return else_again(refused)
    return Redirect(then(done), status_code=303)
