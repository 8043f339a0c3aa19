"""The picture of the house, where browsers ask for it unasked: beside a PDF, and when a page was put in place."""

from __future__ import annotations

from litestar import get
from litestar.response import File

from dispensary.web.templating import STATIC


@get("/favicon.ico", include_in_schema=False)
async def icon() -> File:
    """The same picture as pages name; it is no secret, and needs no sign-in."""
    return File(STATIC / "house.svg", media_type="image/svg+xml", content_disposition_type="inline")
