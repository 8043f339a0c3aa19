"""The way past SQLAlchemy, straight to psycopg, for the few statements that a queue at the counter waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection

Rows: TypeAlias = psycopg.Cursor[tuple[Any, ...]]


class Straight:
    """The way past SQLAlchemy, for what a queue waits for: a short statement costs half as much without it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        self._driver = driver

    @property
    def failed(self) -> bool:
        """Whether a statement failed in this transaction, after which PostgreSQL keeps nothing of it."""
        return self._driver.info.transaction_status == TransactionStatus.INERROR

    def run(self, statement: LiteralString, values: Mapping[str, Any]) -> Rows:
        """Executes one statement with named values (`%(site)s`) and gives plain rows.

        What fails is raised, and a lost server remembered, as if SQLAlchemy had executed it.
        """
        try:
            return self._driver.execute(statement, values)
        except psycopg.Error as reason:
            self.connection._handle_dbapi_exception(reason, statement, values, None, None)

    def run_each(self, statement: LiteralString, rows: Sequence[Mapping[str, Any]]) -> None:
        """Executes one statement with each of these rows of values, all of them in one exchange with the server."""
        if len(rows) == 1:
            self.run(statement, rows[0])
            return
        try:
            self._driver.cursor().executemany(statement, rows)
        except psycopg.Error as reason:
            self.connection._handle_dbapi_exception(reason, statement, rows, None, None)
