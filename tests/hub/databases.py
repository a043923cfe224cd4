"""Fresh databases for tests: a copy of a migrated SQLite file, or of a migrated PostgreSQL template."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from confighub.hub.store.columns import metadata
from confighub.hub.store.database import Database
from confighub.hub.store.history import APPEND_ONLY
from confighub.hub.store.migrate import SCHEMA, bring_up_to_date

PR_SET_PDEATHSIG = 1
"""Linux: the signal that a child gets when its parent is gone, so that killed tests leave no server behind."""

TEMPLATE = "hub_template"
SHARED = "hub_shared"


CHOICE = "CONFIGHUB_TEST_DATABASE"
"""The environment variable that says which database the hubs of tests use: ``sqlite``, or ``postgresql`` for all."""

_SERVERS: list[PostgreSQL] = []
_URLS: dict[Path, str] = {}


def is_on_postgresql() -> bool:
    """Whether every hub of this run is to use PostgreSQL."""
    return os.environ.get(CHOICE) == "postgresql"


def database_for(folder: Path) -> str:
    """Return the URL of the database for a hub on the folder: one for each folder, or empty for the folder's own."""
    if not is_on_postgresql():
        return ""
    folder = folder.resolve()
    if folder not in _URLS:
        _URLS[folder] = _SERVERS[-1].create()
    return _URLS[folder]


def migrated_file(folder: Path) -> Path:
    """Return an SQLite file with the present schema and nothing else in it."""
    path = folder / "template.sqlite"
    database = Database(f"sqlite:///{path}")
    bring_up_to_date(database)
    with database.writer.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    database.close()
    return path


def find_postgresql() -> Path | None:
    """Return the folder with PostgreSQL's programs, None when the machine has none."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class PostgreSQL:
    """A server of its own, on a socket in a temporary folder; it gives an empty database for each test."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        self._count = 0

    @classmethod
    @contextmanager
    def running(cls, programs: Path) -> Iterator[PostgreSQL]:
        """Start a server with a migrated template; stop it and remove everything at the end."""
        with TemporaryDirectory(prefix="hub-pg-", ignore_cleanup_errors=True) as name:
            server = cls(programs, Path(name))
            # initdb refuses root, so root hands the folder to nobody.
            if (user := _user()) is not None:
                shutil.chown(name, user)
            data = str(server.folder / "data")
            server._run("initdb", "-D", data, "-U", "hub", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N")
            process = server._start(data)
            try:
                server._wait(process)
                server._make_template()
                _SERVERS.append(server)
                yield server
            finally:
                _SERVERS.clear()
                process.send_signal(signal.SIGQUIT)
                process.wait()

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Give the URL of a new database with the present schema; it is gone afterwards."""
        url = self.create()
        yield url
        self._execute(f"DROP DATABASE hub_{url.partition('/hub_')[2].partition('?')[0]} WITH (FORCE)")

    def create(self) -> str:
        """Return the URL of a new database with the present schema, which goes with the server."""
        self._count += 1
        name = f"hub_{self._count}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self._url(name)

    def emptied(self) -> str:
        """Return the URL of the one database that tests share in turn, with the present schema and nothing in it."""
        with psycopg.connect(f"host={self.folder} user=hub dbname=postgres", autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [SHARED])
            exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [SHARED]).fetchone()
        if not exists or not self._was_emptied():
            self._execute(f"DROP DATABASE IF EXISTS {SHARED}")
            self._execute(f"CREATE DATABASE {SHARED} TEMPLATE {TEMPLATE}")
        return self._url(SHARED)

    def _was_emptied(self) -> bool:
        """Empty the shared database; False when a test changed its schema, so that it must be made again."""
        tables = ", ".join(table.name for table in metadata.sorted_tables)
        with psycopg.connect(f"host={self.folder} user=hub dbname={SHARED}", autocommit=True) as connection:
            guards = connection.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%_only_appended'")
            version = connection.execute("SELECT version_num FROM alembic_version")
            if guards.fetchone() != (len(APPEND_ONLY),) or version.fetchone() != (SCHEMA,):
                return False
            # Guards refuse to empty what is only appended to; a replica has none.
            connection.execute("SET session_replication_role = replica")
            connection.execute(f"TRUNCATE {tables} RESTART IDENTITY".encode())
        return True

    def _make_template(self) -> None:
        self._execute(f"CREATE DATABASE {TEMPLATE}")
        database = Database(self._url(TEMPLATE))
        bring_up_to_date(database)
        database.close()

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://hub@/{name}?host={self.folder}"

    def _execute(self, statement: str) -> None:
        with psycopg.connect(f"host={self.folder} user=hub dbname=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _start(self, data: str) -> subprocess.Popen[bytes]:
        options = ["listen_addresses=", f"unix_socket_directories={self.folder}", "fsync=off", "full_page_writes=off"]
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [str(self.programs / "postgres"), "-D", data, *(f"--{option}" for option in options)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=_user(),
                preexec_fn=_die_with_parent,
            )

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            try:
                self._execute("SELECT 1")
                return
            except psycopg.OperationalError:
                assert process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.programs / program), *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            user=_user(),
        )


def _user() -> str | None:
    """Return who the server runs as: initdb refuses root."""
    return "nobody" if os.geteuid() == 0 else None


def _die_with_parent() -> None:
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
