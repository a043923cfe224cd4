"""Bring the database to the present schema; nothing heavy is imported when it is there already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from confighub.errors import ConfigHubError, RetryLater
from confighub.hub.store.database import Database

SCHEMA = "0003"
"""The newest revision in ``migrations/versions``; a test keeps the two equal."""

_LOCK = 0x636F6E66  # any number, the same in every hub process on one PostgreSQL


def bring_up_to_date(database: Database) -> None:
    """Run the migrations that are missing; two processes that start at once do it one after the other.

    Raises: ConfigHubError, when the database was made by a newer version of this program; RetryLater, when a server
    does not answer or does not let us in.
    """
    with _answering(database) as connection:
        if _version(connection) == SCHEMA:
            return
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        version = _version(connection)
        if version != SCHEMA:
            upgrade(connection, version)


@contextmanager
def _answering(database: Database) -> Iterator[Connection]:
    try:
        with database.read() as connection:
            yield connection
    except OperationalError as error:
        if database.is_sqlite:
            raise
        # the driver tells host and port, and never the password
        said = " ".join(str(error.orig).split())
        raise RetryLater(
            f"the database does not let the hub in: {said}",
            hint="start it, or correct --database (or CONFIGHUB_DATABASE_URL)",
        ) from error


def upgrade(connection: Connection, version: str, *, to: str = SCHEMA) -> None:
    """Run the migrations from the version that the database has up to another.

    Raises: ConfigHubError, when the version is unknown here.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, to)
    except CommandError as error:
        raise ConfigHubError(
            f"the database has schema {version!r}, which this version does not know",
            hint="use the version of the hub that wrote it, or a newer one",
        ) from error


def _version(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
