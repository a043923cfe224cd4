"""The project's own hub, runtime and workers: made ready on first use, started again when dead, ended together."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from confighub.client.hub import HubClient
from confighub.client.session import Context, Home, Session, connect
from confighub.client.settings import ClientSettings
from confighub.client.transport import Transport
from confighub.errors import ConfigHubError, Conflict, RetryLater
from confighub.settings import LOOPBACK
from traderx import topology
from traderx.processes import Processes, end_at_once, holder_of, refuse_taken, strays
from traderx.project import Project, read_json, replace_file

Say = Callable[[str], None]

ADMIN = "admin"
HUB, RUNTIME, BACKUP = "hub", "runtime", "backup"
FIRST_PORT = 9090
"""The port that the hub takes when it is free, since that is where clients look without being told."""
_START_TIMEOUT_S = 60.0
_CONNECT_TIMEOUT_S = 15.0


def worker_process(environment: str) -> str:
    """Return the name of an environment's worker among the processes."""
    return f"worker-{environment}"


class Stack:
    """What runs in the background for one project."""

    def __init__(self, project: Project, say: Say) -> None:
        self.project, self.say = project, say
        self.processes = Processes(project.data)

    @property
    def home(self) -> Home:
        """Where our client keeps its login."""
        return Home(self.project.login_folder)

    def client(self) -> HubClient:
        """Return a client of our own hub, which is started, and logged in to, when need be.

        Raises: Conflict when its port is taken, naming the holder; RetryLater when it does not come up.
        """
        port = self._port()
        url = f"http://{LOOPBACK}:{port}"
        is_stranger = not self.home.session().authorization or self.home.context().url != url
        # Users are added beside the hub: the first one before it serves, the token while it starts.
        if not self.processes.is_alive(HUB):
            kept = self.project.data / "ports.json"
            refuse_taken(port, what="the hub", hint=f"end it, or remove {kept} to choose another")
            self.say("hub: starting ..." if not is_stranger else "hub: making its store and its user admin ...")
        password = self._add_admin() if is_stranger else ""
        began = time.monotonic()
        started = self._start_hub(port)
        token = self._make_token() if is_stranger else ""
        self._until(lambda: _answers(url), HUB)
        if started:
            self.say(f"hub: {url} (ready in {time.monotonic() - began:.1f} s)")
        if is_stranger:
            self._keep_login(url, password, token)
        return connect(ClientSettings(url=url, config_dir=self.project.login_folder))

    def start_runtime(self) -> bool:
        """Start the runtime unless it runs; tell whether it was started."""
        return self._start_runtime(RUNTIME, self.project.runtime_folder)

    def ensure_runtime(self) -> None:
        """Return once the runtime is ready; start it when it does not run."""
        self.ensure_runtime_in(RUNTIME, self.project.runtime_folder)

    def ensure_runtime_in(self, name: str, folder: Path) -> None:
        """Return once the runtime of that folder is ready; start it, under that name, when it does not run."""
        self._start_runtime(name, folder)
        self._until((folder / "runtime.json").exists, name)

    def start_extras(self) -> list[str]:
        """Start again the other runtimes and the backups that were begun once, and return what was started."""
        known = self.processes.known()
        extras = [name for name in known if name == BACKUP or name.startswith(f"{RUNTIME}-")]
        for name in extras:
            if name.startswith(f"{RUNTIME}-") and not self.processes.is_alive(name):
                (Path(known[name].command[-1]) / "runtime.json").unlink(missing_ok=True)
        return [name for name in extras if self.processes.start_again(name)]

    def _start_runtime(self, name: str, folder: Path) -> bool:
        if self.processes.is_alive(name):
            return False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "runtime.json").unlink(missing_ok=True)
        return self.processes.start(name, [_program("confighub"), "runtime", "--data", str(folder)])

    def start_worker(self, hub: HubClient, environment: str, arguments: list[str]) -> None:
        """Start the environment's worker unless it runs as asked.

        ``arguments`` say what it works on (``--provider laptop --runtime …``).
        """
        slug, name = topology.worker(self.project.name(), environment), worker_process(environment)
        space = self.project.space(environment)
        command = [_program("cub"), "worker", "run", slug, "--space", space, *arguments]
        known = self.processes.known().get(name)
        if known is not None and known.command != command:
            self.processes.stop_all([name])
        login = {"CONFIGHUB_URL": hub.transport.url, "CONFIGHUB_HOME": str(self.project.login_folder)}
        self.processes.start(name, command, login)

    def ensure_worker(self, hub: HubClient, environment: str, arguments: list[str]) -> None:
        """Return once the environment's worker is connected to the hub; start it when it does not run.

        One that runs and does not find its hub is started again, once.
        """
        self.start_worker(hub, environment, arguments)
        slug, space_id = (
            topology.worker(self.project.name(), environment),
            hub.space_id(self.project.space(environment)),
        )

        def is_connected() -> bool:
            worker = hub.workers.find(slug, space_id=space_id)["BridgeWorker"]
            return bool(worker.get("Condition") == "Ready")

        name = worker_process(environment)
        try:
            self._until(is_connected, name, timeout_s=_CONNECT_TIMEOUT_S)
        except RetryLater:
            if not self.processes.is_alive(name):
                raise
            self.say(f"{name} runs but is not connected; it is started again")
            self.processes.stop_all([name])
            self.start_worker(hub, environment, arguments)
            self._until(is_connected, name)

    def revive(self, environment: str, *, with_hub: bool = True) -> None:
        """Start again whatever died of our hub, our runtime and the environment's worker; quick when nothing did.

        What ``stop`` ended stays ended, also when a deploy runs meanwhile.
        Raises: Conflict when that is the hub, without which nothing can go on.
        """
        known = {name: one for name, one in self.processes.known().items() if one.pid}
        if with_hub and HUB not in known:
            raise Conflict("the hub was ended while this ran", hint="bin/up starts it again")
        for name in (*((HUB,) if with_hub else ()), RUNTIME, worker_process(environment)):
            if name in known and not self.processes.is_alive(name):
                if name == RUNTIME:
                    (self.project.runtime_folder / "runtime.json").unlink(missing_ok=True)
                self.say(f"    {name} has died; it is started again")
                self.processes.start_again(name)

    def stop(self) -> list[str]:
        """End everything, workers first, and return the names of what was running.

        Raises: ConfigHubError when a process survives.
        """
        workers = [name for name in self.processes.known() if name not in (HUB, RUNTIME)]
        running = [name for name in (*workers, RUNTIME, HUB) if self.processes.is_alive(name)]
        # workers first, or they would report that everything went away
        for line in self.processes.stop_all(workers) + self.processes.stop_all([RUNTIME, HUB]):
            self.say(line)
        for stray in strays(self.project.data):
            self.say(f"process {stray.pid} works on {self.project.data} and was not ours to know: killed")
            end_at_once(stray, what=str(self.project.data))
        return running

    def _port(self) -> int:
        file = self.project.data / "ports.json"
        kept = read_json(file).get(HUB)
        if isinstance(kept, int):
            return kept
        port = FIRST_PORT if _claims(FIRST_PORT) and not holder_of(FIRST_PORT) else _free_port()
        replace_file(file, json.dumps({HUB: port}) + "\n")
        return port

    def _start_hub(self, port: int) -> bool:
        if self.processes.is_alive(HUB):
            return False
        folder = str(self.project.data / HUB)
        return self.processes.start(
            HUB, [_program("confighub"), "serve", "--host", LOOPBACK, "--port", str(port), "--data", folder]
        )

    def _add_admin(self) -> str:
        """Make the hub's first user and return the password, which a later login keeps."""
        folder = self.project.data / HUB
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        password = self.home.password_of(ADMIN) or secrets.token_urlsafe(24)
        command = [_program("confighub"), "user", "add", ADMIN, "--password-stdin", "--data", str(folder)]
        _run(command, typed=password)
        return password

    def _make_token(self) -> str:
        command = [_program("confighub"), "token", "create", ADMIN, "--data", str(self.project.data / HUB)]
        return _run(command).strip().splitlines()[-1]

    def _keep_login(self, url: str, password: str, token: str) -> None:
        session = Session(username=ADMIN, access_token=token, auth_type="Bearer")
        me = HubClient(Transport(url, session.authorization)).me()
        organization_id = str(me.get("ExternalOrganizationID") or me.get("OrganizationID") or "")
        session = session._replace(organization_id=organization_id)
        # `cub auth test-login admin` finds the password here, as the public client would
        replace_file(self.project.login_folder / "testusers.csv", f"{ADMIN},{password}\n", mode=0o600)
        self.home.keep_session(session)
        self.home.keep_context(Context(url=url, organization_id=str(me.get("OrganizationID") or "")))

    def _until(self, is_done: Callable[[], bool], name: str, *, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Wait for the condition. Raises: RetryLater with the process's last lines when it ends or is late."""
        deadline = time.monotonic() + timeout_s
        pause_s = 0.02
        while True:
            try:
                if is_done():
                    return
            except (RetryLater, OSError):
                pass
            if not self.processes.is_alive(name) or time.monotonic() > deadline:
                raise RetryLater(
                    f"{name} did not come up",
                    hint=f"see {self.processes.log(name)}",
                    details=self.processes.last_lines(name),
                )
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.25)


def _answers(url: str) -> bool:
    return bool(HubClient(Transport(url, timeout_s=2.0)).info())


_CLAIMS: list[BinaryIO] = []
"""Locks on ports that this process has given to a hub which may not listen yet; they end with the process."""


def _claims(port: int) -> bool:
    """Whether no other project that is being brought up at this moment has chosen the port."""
    path = Path(tempfile.gettempdir()) / f"confighub-port-{port}-{os.getuid()}"
    claim = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        claim.close()
        return False
    _CLAIMS.append(claim)
    return True


def _program(name: str) -> str:
    """Return the path of one of our own programs, from the environment that we run in."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise ConfigHubError(f"{name} is not installed beside {sys.executable}", hint="run bin/up, which installs it")
    return str(path)


def _run(command: list[str], *, typed: str = "") -> str:
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Conflict(
            f"{' '.join(Path(part).name for part in command[:3])} failed: {said[-1] if said else 'no reason'}"
        )
    return done.stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
