"""Serving the application: one process that answers requests, runs the jobs it is given, and stops cleanly.

Granian's embedded server runs inside this process: its Rust side reads and writes HTTP, one asyncio loop and forty
threads run the application. One process means that killing it kills everything that could still write.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import fasteners
import psutil  # type: ignore[import-untyped]
import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from litestar import Litestar

from dispensary.app import create_app
from dispensary.database import Database, kept_running, open_database
from dispensary.key_sources import vault_of
from dispensary.logs import configure_logs
from dispensary.resealing.prints import must_fit
from dispensary.schema import met
from dispensary.settings import CannotServe, Settings

log = structlog.get_logger("dispensary.serving")

STOP_WITHIN = 20
"""Seconds that requests under way have to end after the program is told to stop."""
LET_GO_WITHIN = 5
"""Seconds that the server's own threads then have to let go of what they hold; they need a few thousandths of one."""
HEAD_WITHIN = 10
"""Seconds from a connection's first byte, or from its last answer, to the end of the next request's head."""
MOST_HEAD = 64 * 1024
"""Bytes of a request's head; a larger one is answered by 431."""
MOST_CONNECTIONS = 4096
"""Connections at once, so that some hundred that say nothing keep nobody out until their time is over."""


@contextmanager
def only_program_on(data: Path) -> Iterator[None]:
    """Holds the data folder for this process; the lock goes when the process ends, however it ends. Or CannotServe."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = fasteners.InterProcessLock(data / ".lock")
        held = lock.acquire(blocking=False)
    except OSError as reason:
        raise CannotServe(f"The data folder {data} cannot be used: {reason.strerror}.") from None
    if not held:
        raise CannotServe(f"Another Takehome uses the data folder {data}. Stop it, or set DISPENSARY_DATA to another.")
    try:
        yield
    finally:
        lock.release()


def refuse_taken_port(host: str, port: int) -> None:
    """Raises CannotServe when the port is not free. Granian itself would share it silently with another server."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except PermissionError:
        raise CannotServe(f"Port {port} is reserved for the system. Set DISPENSARY_PORT to 1024 or more.") from None
    except socket.gaierror:
        raise CannotServe(f"This machine does not know the address {host}. Set DISPENSARY_HOST.") from None
    except OSError as reason:
        raise CannotServe(
            f"Port {port} on {host} cannot be used ({os.strerror(reason.errno or 0)}). "
            "Stop the program that has it, or set DISPENSARY_PORT to another."
        ) from None


@contextmanager
def until_the_threads_let_go() -> Iterator[None]:
    """Waits at its end until every thread that was begun within, and not by Python, has ended.

    Granian says that it has stopped from a thread of its own, which has yet to come back from saying so, and another
    one still lets go of the objects of the application. A thread that comes back while the interpreter is taken down is
    ended by it in the middle of Rust, and Rust then aborts the whole process, however orderly everything was closed.
    """
    before = _threads_of_others()
    try:
        yield
    finally:
        until = time.monotonic() + LET_GO_WITHIN
        while _threads_of_others() > before and time.monotonic() < until:
            time.sleep(0.002)  # they need the interpreter to end


def _threads_of_others() -> int:
    """How many threads run in this process that Python did not start. Those that ran Python once have a dummy in it."""
    own = [each for each in threading.enumerate() if not isinstance(each, threading._DummyThread)]
    every: int = psutil.Process().num_threads()
    return every - len(own)


async def _announce(settings: Settings, ready: Callable[[], None]) -> None:
    """Calls `ready` once the port answers."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(settings.host, settings.port)
            writer.close()
            break
        await asyncio.sleep(0.02)
    ready()


async def _until_told(server: Server) -> None:
    try:
        await server.serve()
    except TimeoutError:
        log.warning("stopped before all requests had ended", seconds=STOP_WITHIN)


async def _run(app: Litestar, settings: Settings, ready: Callable[[], None]) -> None:
    server = Server(
        app,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,  # without lifespan: it is begun and ended here, also when a request hangs
        backlog=1024,
        websockets=False,
        # HTTP/1.1 alone, as the proxy speaks it. A head comes within seconds or its connection ends.
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_WITHIN * 1000, max_buffer_size=MOST_HEAD),
        backpressure=MOST_CONNECTIONS,
        log_enabled=False,
        log_level=LogLevels.error,
    )
    server.workers_kill_timeout = STOP_WITHIN
    told = False

    def stop() -> None:
        nonlocal told
        told = True
        app.state.board.close()  # a screen's stream never ends by itself
        server.stop()  # type: ignore[no-untyped-call]

    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(each, stop)
        except NotImplementedError:  # Windows
            signal.signal(each, lambda *_: loop.call_soon_threadsafe(stop))
    announcing = asyncio.create_task(_announce(settings, ready))
    try:
        async with app.lifespan():
            await _until_told(server)
    finally:
        announcing.cancel()
    if not told:
        raise CannotServe("The server stopped by itself while it was starting or running; the log above says why.")


def serve(
    settings: Settings,
    *,
    ready: Callable[[], None] = lambda: None,
    lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]] = (),
) -> None:
    """Serves until SIGINT or SIGTERM; then ends what is under way and returns.

    `ready` is called when the port answers. `lifespan` runs beside the application: the jobs. Raises, each with one
    clear line, CannotServe, NoDatabase and BadKeys.
    """
    configure_logs(production=settings.production)
    with only_program_on(settings.data):
        refuse_taken_port(settings.host, settings.port)
        database = open_database(settings, vault_of(settings))
        try:
            serve_on(settings, database, ready=ready, lifespan=lifespan)
        finally:
            database.close()


def leave_no_core() -> None:
    """When a fault ends this process, no picture of its memory, with keys and names in it, is left on the disk."""
    if os.name == "posix":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def serve_on(
    settings: Settings,
    database: Database,
    *,
    ready: Callable[[], None] = lambda: None,
    lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]] = (),
) -> None:
    """Serves on a database that is open, and keeps an embedded one running. CannotServe when it needs another program.

    BadKeys when these are not its keys.
    """
    here = met(database)
    if here.needs:
        raise CannotServe(here.needs)
    must_fit(database, at=datetime.now(UTC))
    leave_no_core()
    if loud := database.log_tells():
        log.warning("the database server may write values into its own log: see docs/production.md", settings=loud)
    with kept_running(settings), until_the_threads_let_go():
        asyncio.run(_run(create_app(settings, database, lifespan=lifespan), settings, ready))
    log.info("stopped")
