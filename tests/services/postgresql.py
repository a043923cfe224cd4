"""A PostgreSQL server of the machine's own programs, on a socket in a temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest


def find_programs() -> Path:
    """Return the folder with PostgreSQL's programs, else skip by name; under CI that is a failure."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if on_path := shutil.which("initdb"):
        return Path(on_path).parent
    if found:
        return found[-1].parent
    message = "PostgreSQL is missing: apt-get install postgresql"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


class PostgresqlServer:
    """A running server that gives empty databases."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._given = 0

    @classmethod
    @contextmanager
    def running(cls, programs: Path) -> Iterator[PostgresqlServer]:
        with TemporaryDirectory(prefix="traderx-pg-", ignore_cleanup_errors=True) as name:
            server = cls(programs, Path(name))
            if os.geteuid() == 0:
                # initdb refuses root, so root hands the folder to nobody.
                shutil.chown(name, "nobody")
            data = f"{name}/data"
            server._run("initdb", "-D", data, "-U", "traderx", "-A", "trust", "-E", "UTF8", "-N")
            options = f"-c listen_addresses='' -c unix_socket_directories={name} -c fsync=off"
            server._run("pg_ctl", "-D", data, "-o", options, "-l", f"{name}/log", "-w", "start")
            try:
                yield server
            finally:
                server._run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")

    def fresh_url(self) -> str:
        self._given += 1
        name = f"traderx_{self._given}"
        self._execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://traderx@/{name}?host={self._folder}"

    def cut_connections(self) -> None:
        """End everybody's connections, as a restart of the server does."""
        self._execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(f"host={self._folder} user=traderx dbname=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            user="nobody" if os.geteuid() == 0 else None,
        )
