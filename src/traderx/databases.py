"""The database of an environment: copied while it is in use, and put back.

SQLite is copied page by page under its own lock, PostgreSQL by ``pg_dump``; both copies are of one moment. A copy is
a file named for that moment, as in ``data/dev/20261003T101500.123Z.sqlite``.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from confighub.errors import BadRequest, ConfigHubError, NotFound
from traderx.project import Project, read_json
from traderx.secrets import path_of

_STAMP = "%Y%m%dT%H%M%S.%fZ"
_ENDINGS = {"sqlite": ".sqlite", "postgresql": ".pgdump"}
_COUNT_LATER = (
    "SELECT count(*), min(created) FROM trades"
    " WHERE seq > (SELECT coalesce(max(seq), 0) FROM kept.trades) AND created <= ?"
)
_COUNT_MISSING = "SELECT count(*), min(created) FROM trades WHERE id NOT IN (SELECT id FROM kept.trades)"


@dataclass(frozen=True)
class Copy:
    """One copy of a database, and the moment whose state it is."""

    file: Path
    at: datetime


@dataclass(frozen=True)
class Lost:
    """What a database has and its copy has not: trades, and when the first of them was booked; None for none."""

    trades: int
    since: datetime | None


def database_of(project: Project, environment: str) -> str:
    """Return the URL of the environment's database. Raises: NotFound when it has none on this machine."""
    url = str(read_json(path_of(project, environment)).get("DATABASE_URL") or "")
    if not url:
        raise NotFound(f"{environment} has no database that this machine knows", hint="bin/setup-worker makes one")
    return url


def kind_of(url: str) -> str:
    """Return ``sqlite`` or ``postgresql``. Raises: BadRequest for another."""
    kind = urlsplit(url).scheme.partition("+")[0]
    if kind not in _ENDINGS:
        raise BadRequest(f"databases are SQLite or PostgreSQL, not {kind or 'nothing'}")
    return kind


def file_of(url: str) -> Path:
    """Return the file of an SQLite database."""
    return Path(url.removeprefix("sqlite:///").partition("?")[0])


def copy_database(url: str, folder: Path) -> Copy:
    """Copy the database into the folder, whole and durable, and return the copy.

    Raises: NotFound when an SQLite file is missing; ConfigHubError with the reason of pg_dump.
    """
    if is_gone(url):
        raise NotFound(f"no such database: {file_of(url)}")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    at = datetime.now(UTC)
    file = folder / f"{at.strftime(_STAMP)}{_ENDINGS[kind_of(url)]}"
    draft = file.with_name(f".{file.name}")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        if kind_of(url) == "sqlite":
            with _opened(file_of(url)) as source, closing(sqlite3.connect(draft)) as target:
                source.backup(target)
                # a file of its own, without a log beside it
                target.execute("PRAGMA journal_mode = DELETE")
        else:
            _postgresql("pg_dump", url, "--format=custom", f"--file={draft}")
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return Copy(file, at)


def put_back(copy: Path, url: str) -> None:
    """Make the database what the copy is, in one transaction; services that use it go on with it.

    Raises: NotFound when there is no such copy; BadRequest for a copy of another kind; ConfigHubError.
    """
    if not copy.is_file():
        raise NotFound(f"no such copy: {copy}")
    if copy.suffix != _ENDINGS[kind_of(url)]:
        raise BadRequest(f"{copy.name} is no copy of a {kind_of(url)} database")
    if kind_of(url) == "postgresql":
        _postgresql("pg_restore", url, "--clean", "--if-exists", "--no-owner", "--single-transaction", str(copy))
        return
    file = file_of(url)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _opened(copy) as source, closing(sqlite3.connect(file, timeout=30)) as target:
        # as the services open it, or a writer of theirs would find another kind of file
        target.execute("PRAGMA journal_mode = WAL")
        source.backup(target)


def copies(folder: Path) -> list[Copy]:
    """Return the copies in the folder, oldest first."""
    found = []
    for file in folder.glob("*") if folder.is_dir() else ():
        if file.suffix in _ENDINGS.values() and not file.name.startswith("."):
            try:
                at = datetime.strptime(file.name.removesuffix(file.suffix), _STAMP).replace(tzinfo=UTC)
            except ValueError:
                continue
            found.append(Copy(file, at))
    return sorted(found, key=lambda one: one.at)


def newest(folder: Path, *, until: datetime | None = None) -> Copy:
    """Return the newest copy, or the newest that is not later than the moment. Raises: NotFound when there is none."""
    found = [one for one in copies(folder) if until is None or one.at <= until]
    if not found:
        when = f" from {until:%Y-%m-%d %H:%M:%S} or before" if until else ""
        raise NotFound(f"{folder} has no copy{when}", hint="make them: bin/traderx backup FOLDER --every 1h")
    return found[-1]


def lost_since(copy: Path, url: str, *, until: datetime) -> Lost | None:
    """Return what the database had at that moment and the copy has not; None where that cannot be told: not SQLite."""
    if kind_of(url) != "sqlite" or copy.suffix != ".sqlite":
        return None
    with _opened(file_of(url)) as connection:
        connection.execute("ATTACH DATABASE ? AS kept", (_uri(copy),))
        return _lost(connection.execute(_COUNT_LATER, (int(until.timestamp() * 1000),)).fetchone())


def missing_in(other: Path, file: Path) -> Lost:
    """Return which trades of the one SQLite file the other one lacks, however the two went on beside each other."""
    with _opened(file) as connection:
        connection.execute("ATTACH DATABASE ? AS kept", (_uri(other),))
        return _lost(connection.execute(_COUNT_MISSING).fetchone())


def _lost(row: tuple[int, int | None]) -> Lost:
    trades, first = row
    return Lost(int(trades), datetime.fromtimestamp(first / 1000, UTC) if first else None)


def is_gone(url: str) -> bool:
    """Tell whether it is an SQLite database whose file is not there."""
    return kind_of(url) == "sqlite" and not file_of(url).is_file()


def stamp_of_change(url: str) -> object:
    """Return a value that changes with the database; always a new one where only the database could tell."""
    if kind_of(url) != "sqlite":
        return object()
    file = file_of(url)
    return tuple(_change(path) for path in (file, file.with_name(f"{file.name}-wal")))


def _change(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """Open the file for reading. Raises: NotFound when there is none, which SQLite would make."""
    if not file.is_file():
        raise NotFound(f"no such database: {file}")
    try:
        with closing(sqlite3.connect(_uri(file), uri=True, timeout=30)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise ConfigHubError(f"{file} cannot be read: {error}") from error


def _uri(file: Path) -> str:
    """Return the file's address for reading; a question mark or a hash in its name stays part of it."""
    return f"{file.absolute().as_uri()}?mode=ro"


def _postgresql(program: str, url: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs on the database; no list of processes shows the password."""
    at = urlsplit(url)
    plain = urlunsplit(("postgresql", at.netloc.replace(f":{at.password}@", "@"), at.path, at.query, ""))
    named = [f"--dbname={plain}"]
    env = {**os.environ, **({"PGPASSWORD": unquote(at.password)} if at.password else {})}
    try:
        done = subprocess.run([program, *named, *arguments], capture_output=True, text=True, env=env, check=False)
    except FileNotFoundError as error:
        raise NotFound(f"{program} is not installed here", hint="it comes with the client of PostgreSQL") from error
    if done.returncode:
        raise ConfigHubError(f"{program} failed: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
