"""The whole system as a user has it: the programs in ``bin``, one folder of data, nothing patched."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError

import psutil

from tests.hub.databases import database_for

Seen = TypeVar("Seen")
PROJECT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Ran:
    """What a program printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both outputs, for messages and for searching."""
        return self.out + self.err


@dataclass
class System:
    """One project in its own folder, with an empty HOME."""

    data: Path

    def environment(self) -> dict[str, str]:
        """The environment of every program: no login and no hub of the caller's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONFIGHUB_", "TRADERX_"))}
        home = self.data.parent / "home"
        home.mkdir(exist_ok=True)
        if database := database_for(self.data):
            kept["CONFIGHUB_DATABASE_URL"] = database
        return {**kept, "HOME": str(home), "TRADERX_DATA": str(self.data)}

    def run(self, program: str, *arguments: str, timeout_s: float = 300, stdin: str = "") -> Ran:
        """Run ``bin/PROGRAM`` to its end."""
        done = subprocess.run(
            [str(PROJECT / "bin" / program), *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            input=stdin,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def must(self, program: str, *arguments: str, timeout_s: float = 300, stdin: str = "") -> Ran:
        """Run ``bin/PROGRAM``; anything but exit code 0 fails the test with what it printed."""
        ran = self.run(program, *arguments, timeout_s=timeout_s, stdin=stdin)
        assert ran.code == 0, f"{program} {' '.join(arguments)} ended with {ran.code}:\n{ran.text}"
        return ran

    def start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        """Start ``bin/PROGRAM`` and return at once."""
        return subprocess.Popen(
            [str(PROJECT / "bin" / program), *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def project(self) -> str:
        """The project's name."""
        return self.must("proj").out.strip()

    def space(self, environment: str) -> str:
        """The slug of an environment's space."""
        return f"{self.project}-{environment}"

    def status(self, environment: str = "dev") -> dict[str, Any]:
        """The answer of ``traderx status ENV --json``."""
        status: dict[str, Any] = json.loads(self.must("traderx", "status", environment, "--json").out)
        return status

    def unit(self, slug: str, environment: str = "dev") -> dict[str, Any]:
        """One unit as ``cub unit get --json`` prints it."""
        unit: dict[str, Any] = json.loads(
            self.must("cub", "unit", "get", slug, "--space", self.space(environment), "--json").out
        )
        return unit

    def units(self, environment: str = "dev") -> dict[str, dict[str, Any]]:
        """Every unit of an environment by slug, with all fields."""
        listed = json.loads(
            self.must("cub", "unit", "list", "--space", self.space(environment), "--json", "--select", "*").out
        )
        return {element["Unit"]["Slug"]: element["Unit"] for element in listed}

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this project: its folder is in the command line or the environment."""
        found = []
        for process in psutil.process_iter():
            if process.pid == os.getpid():
                continue
            try:
                belongs = str(self.data) in " ".join(process.cmdline()) or str(self.data) in " ".join(
                    process.environ().values()
                )
            except psutil.Error:
                continue
            if belongs and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found


def call(url: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Any:
    """Send a request, a POST when there is a body, and return the decoded JSON answer; wait when told "too many"."""
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/json", **(headers or {})},
    )
    deadline = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                text = answer.read()
            return json.loads(text) if text else None
        except HTTPError as error:
            # The ingress allows a client 100 requests a second; looking at a thousand orders in a row asks for more.
            if error.code != 429 or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def eventually(what: str, look: Callable[[], Seen | None], *, timeout_s: float = 30) -> Seen:
    """Return the first answer of ``look`` that is neither None nor False."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = look()
        if seen is not None and seen is not False:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not seen within {timeout_s} s: {what}")
        time.sleep(0.1)
