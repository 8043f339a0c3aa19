"""What all commands share: the database of the settings, one clear line for a mistake, a progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
import psycopg
from sqlalchemy.exc import DBAPIError
from tqdm import tqdm

from dispensary.backups.files import BadBackup
from dispensary.database import Database, open_database
from dispensary.embedded import NoDatabase
from dispensary.key_sources import vault_of
from dispensary.keys import BadKeys
from dispensary.refusals import Refused
from dispensary.resealing.prints import must_fit
from dispensary.schema import met, migrate
from dispensary.settings import BadSettings, CannotServe, Settings

MISTAKE = 2
DAY = click.DateTime(["%Y-%m-%d"])


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def one_clear_line() -> Iterator[None]:
    """Turns what a person can mend into one line on standard error and exit code 2."""
    try:
        yield
    except Refused as refused:
        for refusal in refused.refusals[:20]:
            click.echo(f"{refusal.sentence} {refusal.remedy}".strip(), err=True)
        if len(refused.refusals) > 20:
            click.echo(f"and {len(refused.refusals) - 20} more.", err=True)
        sys.exit(MISTAKE)
    except (BadSettings, NoDatabase, BadKeys, CannotServe, BadBackup) as mistake:
        click.echo(str(mistake), err=True)
        sys.exit(MISTAKE)
    except (DBAPIError, psycopg.Error) as reason:
        said = reason.orig if isinstance(reason, DBAPIError) else reason
        lines = [line for line in str(said).splitlines() if line.strip()]
        click.echo(f"The database refused: {lines[0] if lines else type(said).__name__}", err=True)
        sys.exit(MISTAKE)
    except OSError as reason:
        click.echo(f"{reason.filename or 'A file'}: {reason.strerror or reason}.", err=True)
        sys.exit(MISTAKE)


@contextmanager
def database_of(settings: Settings, *, ready: bool = True) -> Iterator[Database]:
    """The database of these settings, open for one command. With `ready` it works with this program and these keys."""
    database = open_database(settings, vault_of(settings))
    try:
        if ready:
            if needs := met(database).needs:
                raise NoDatabase(needs)
            must_fit(database, at=now())
        yield database
    finally:
        database.close()


def forget(database: Database) -> None:
    """Empties a demonstration's own database, for a new one."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS parts CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    migrate(database)


SAID_EVERY = 30.0
"""Seconds between two lines of progress where no terminal draws a bar."""


def bar(about: str, unit: str = "") -> Callable[..., None]:
    """A progress bar that is told how much is done of how much, and in what the work is just now.

    Where there is no terminal, such as in a log, long work says a line each half minute, and short work nothing.
    """
    shown: tqdm[Any] | None = None
    said = time.monotonic()

    def tell(done: int, total: int, within: str = "") -> None:
        nonlocal shown, said
        if shown is None:
            shown = tqdm(
                total=total, desc=about, unit=unit, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False
            )
        shown.total = total
        shown.update(done - shown.n)
        if within:
            shown.set_postfix_str(within)
        if shown.disable and time.monotonic() - said >= SAID_EVERY:
            said = time.monotonic()
            click.echo(f"{about}: {done:,} of {total:,}{f' ({within})' if within else ''}", err=True)
        if done >= total:
            shown.close()

    return tell
