"""What the program writes down about its own running: JSON lines in production, readable lines in the demo.

No line holds a name, a number, a path with an id in it, a query string, a body, or the text of a database error (which
quotes rows). A request is logged by its route's template, its status, its duration and the account's id.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from dispensary.database import broken_constraint

_STAMP = structlog.processors.TimeStamper(fmt="iso", utc=True)


def configure_logs(*, production: bool) -> None:
    """Sets up the log of this process, on standard error. Libraries are heard from `warning` on."""
    shared: list[Any] = [structlog.processors.add_log_level, _STAMP]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if production
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=28)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, _STAMP],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for ours in ("dispensary", "scheduling", "notifications"):
        logging.getLogger(ours).setLevel(logging.INFO)


def failure(reason: BaseException, *, production: bool) -> dict[str, object]:
    """What a log line says of an exception: its kind and where, and in production nothing that it quotes."""
    chain = reason.orig if isinstance(reason, DBAPIError) and reason.orig is not None else reason
    fields: dict[str, object] = {
        "failure": type(chain).__name__,
        "where": [
            f"{'/'.join(Path(frame.filename).parts[-3:])}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(reason.__traceback__)[-8:]
        ],
    }
    if isinstance(reason, DBAPIError):
        fields["sqlstate"] = getattr(reason.orig, "sqlstate", None)
        fields["constraint"] = broken_constraint(reason)
    elif not production:
        fields["says"] = str(reason)
    return fields
