"""The application: every desk and every resource of the API on one database, behind one door."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import cache

from litestar import Litestar, Router
from litestar.concurrency import set_asyncio_executor
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.static_files import create_static_files_router

from dispensary import __version__, api, desks
from dispensary.api import hooks
from dispensary.database import Database
from dispensary.desks import kiosk
from dispensary.reporting.beside import Exports
from dispensary.settings import Settings
from dispensary.web import health, problem
from dispensary.web.alarm import glass_alarm
from dispensary.web.apart import apart_of
from dispensary.web.asking_why import asks_why
from dispensary.web.backed_up import backed_up
from dispensary.web.board import Board
from dispensary.web.devices import DeviceMiddleware
from dispensary.web.forgery import FormsMiddleware
from dispensary.web.given import given
from dispensary.web.guessing import Guesses
from dispensary.web.icon import icon
from dispensary.web.looked import writes_down
from dispensary.web.openapi import CompleteJson
from dispensary.web.origin import OwnPagesMiddleware
from dispensary.web.places import DESKS
from dispensary.web.shell import in_shell
from dispensary.web.signed_in import SignedInMiddleware
from dispensary.web.strictly import StrictRequest
from dispensary.web.templating import STATIC, templates

LARGEST_BODY = 2 * 1024 * 1024
THREADS = 20
"""Handlers at once, as many as the pool has connections: one more would wait for one, and slow those that have one."""


def now() -> datetime:
    """The clock of a running program. Tests pass their own."""
    return datetime.now(UTC)


@cache
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="desk")


def create_app(
    settings: Settings,
    database: Database,
    clock: Callable[[], datetime] = now,
    *,
    lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]] = (),
) -> Litestar:
    """The application on this database. It opens and closes nothing itself: who opened the database closes it."""
    set_asyncio_executor(_executor())
    exports = Exports(settings, database, clock)
    why, looked = asks_why(database, clock), writes_down(database, clock)
    pages = Router(
        "/", route_handlers=desks.HANDLERS, include_in_schema=False, before_request=why, after_request=looked
    )
    paths = {path for handler in desks.HANDLERS if isinstance(handler, BaseRouteHandler) for path in handler.paths}
    app = Litestar(
        route_handlers=[
            pages,
            Router("/api", route_handlers=api.HANDLERS, before_request=why, after_request=looked),
            Router("/hooks", route_handlers=hooks.HANDLERS, include_in_schema=False),
            health.live,
            health.ready,
            icon,
            create_static_files_router("/static", [STATIC], include_in_schema=False),
        ],
        dependencies=given(database, settings, clock),
        middleware=[
            OwnPagesMiddleware(settings),
            SignedInMiddleware(database, clock),
            DeviceMiddleware(database),
            FormsMiddleware(settings, database),
        ],
        exception_handlers=problem.HANDLERS,
        template_config=templates(
            settings,
            [desk for desk in DESKS if desk.path in paths],
            backed_up(settings, database, clock),
            glass_alarm(settings, database),
            apart_of(database, clock),
        ),
        request_class=StrictRequest,
        request_max_body_size=LARGEST_BODY,
        debug=False,  # else an environment variable of the framework's own would decide
        openapi_config=OpenAPIConfig(
            title="Takehome",
            version=__version__,
            description="The programme's API. Amounts are decimal strings in mg or mL; days are the site's dose days. "
            "A program signs in at /api/session, or sends a token: `Authorization: Bearer`, and no cookie with it.",
            render_plugins=[CompleteJson()],
            use_handler_docstrings=True,
        ),
        state=State(
            {
                "settings": settings,
                "guesses": Guesses(),
                "hook_paces": hooks.Paces(),
                "kiosk_guesses": Guesses(kiosk.MOST_WRONG),
                "board": Board(database, clock),
                "exports": exports,
            }
        ),
        on_shutdown=[exports.close],
        lifespan=list(lifespan),
        logging_config=None,
    )
    app.asgi_handler = in_shell(app.asgi_handler, settings)
    return app
