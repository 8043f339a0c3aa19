"""A browser says which page a request comes from; one that comes from a page of somebody else changes nothing here.

The token of a form stands against other sites. This stands against a neighbour of the clinic's own domain as well, who
could plant a cookie of theirs, and so a token that fits it. Whatever sends neither header is no browser's page.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.exceptions import PermissionDeniedException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from dispensary.settings import Settings

_LOOKS = ("GET", "HEAD", "OPTIONS")


class OwnPagesMiddleware(ASGIMiddleware):
    """Refuses what would change something and comes from a page of another origin, before anybody reads it."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope.get("method") not in _LOOKS and not self._ours(dict(scope["headers"])):
            raise PermissionDeniedException("another origin")
        await next_app(scope, receive, send)

    def _ours(self, headers: dict[bytes, bytes]) -> bool:
        site = headers.get(b"sec-fetch-site", b"").decode("latin-1")
        if site:
            return site in ("same-origin", "none")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not origin:
            return True
        own = {headers.get(b"host", b"").decode("latin-1"), urlsplit(self._settings.public_base_url).netloc}
        try:
            return urlsplit(origin).netloc in own - {""}
        except ValueError:
            return False
