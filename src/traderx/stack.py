"""The project's own hub, runtime and workers: made ready on first use, started again when dead, ended together."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from confighub.client.hub import HubClient
from confighub.client.session import Context, Home, Session, connect
from confighub.client.transport import Transport
from confighub.errors import ConfigHubError, Conflict, RetryLater
from confighub.settings import LOOPBACK, ClientSettings
from traderx import topology
from traderx.processes import Processes, end_at_once, holder_of, refuse_taken, strays
from traderx.project import Project, read_json, replace_file

Say = Callable[[str], None]

ADMIN = "admin"
HUB, RUNTIME = "hub", "runtime"
FIRST_PORT = 9090
"""The port that the hub takes when it is free, since that is where clients look without being told."""
_START_TIMEOUT_S = 40.0


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
        """Return a client of our own hub, which is started, and logged in to, when need be."""
        url = self.ensure_hub()
        if not self.home.session().authorization or self.home.context().url != url:
            self._log_in(url)
        return connect(ClientSettings(url=url, config_dir=self.project.login_folder))

    def ensure_hub(self) -> str:
        """Return the address of our hub once it answers; start it when it does not run.

        Raises: Conflict when its port is taken, naming the holder; RetryLater when it does not come up.
        """
        port = self._port()
        url = f"http://{LOOPBACK}:{port}"
        if self.processes.is_alive(HUB):
            self._until(lambda: _answers(url), HUB)
            return url
        refuse_taken(port, what="the hub", hint=f"end it, or remove {self.project.data / 'ports.json'} to choose anew")
        folder = self.project.data / HUB
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = [_program("confighub"), "serve", "--host", LOOPBACK, "--port", str(port), "--data", str(folder)]
        began = time.monotonic()
        self.processes.start(HUB, command)
        self._until(lambda: _answers(url), HUB)
        self.say(f"hub: {url} (ready in {time.monotonic() - began:.1f} s)")
        return url

    def ensure_runtime(self) -> Path:
        """Return the runtime's folder once the runtime runs; start it when it does not."""
        folder = self.project.runtime_folder
        if not self.processes.is_alive(RUNTIME):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (folder / "runtime.json").unlink(missing_ok=True)
            self.processes.start(RUNTIME, [_program("confighub"), "runtime", "--data", str(folder)])
            self._until((folder / "runtime.json").exists, RUNTIME)
            self.say("runtime: processes of this machine stand in for pods")
        return folder

    def ensure_worker(self, hub: HubClient, environment: str, arguments: list[str]) -> None:
        """Return once the environment's worker is connected to the hub; start it when it does not run.

        ``arguments`` say what it works on (``--provider laptop --runtime …``).
        """
        space = self.project.space(environment)
        slug = topology.worker(self.project.name(), environment)
        name = worker_process(environment)
        command = [_program("cub"), "worker", "run", slug, "--space", space, *arguments]
        known = self.processes.known().get(name)
        if known is not None and known.command != command:
            self.processes.stop_all([name])
        login = {"CONFIGHUB_URL": hub.transport.url, "CONFIGHUB_HOME": str(self.project.login_folder)}
        started = self.processes.start(name, command, login)
        space_id = hub.space_id(space)

        def is_connected() -> bool:
            worker = hub.workers.find(slug, space_id=space_id)["BridgeWorker"]
            return bool(worker.get("Condition") == "Ready")

        self._until(is_connected, name)
        if started:
            self.say(f"worker: {slug} is connected")

    def revive(self, environment: str, *, with_hub: bool = True) -> None:
        """Start again whatever died of our hub, our runtime and the environment's worker; quick when nothing did."""
        known = self.processes.known()
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
        port = FIRST_PORT if not holder_of(FIRST_PORT) else _free_port()
        replace_file(file, json.dumps({HUB: port}) + "\n")
        return port

    def _log_in(self, url: str) -> None:
        """Make the hub's first user and keep a token for our client."""
        data = str(self.project.data / HUB)
        password = self.home.password_of(ADMIN) or secrets.token_urlsafe(24)
        _run([_program("confighub"), "user", "add", ADMIN, "--password-stdin", "--data", data], typed=password)
        token = _run([_program("confighub"), "token", "create", ADMIN, "--data", data]).strip().splitlines()[-1]
        session = Session(username=ADMIN, access_token=token, auth_type="Bearer")
        client = HubClient(Transport(url, session.authorization))
        me = client.me()
        session.organization_id = str(me.get("ExternalOrganizationID") or me.get("OrganizationID") or "")
        self.home.keep_session(session)
        self.home.keep_context(Context(url=url, organization_id=str(me.get("OrganizationID") or "")))
        # `cub auth test-login admin` finds the password here, as the public client would
        replace_file(self.project.login_folder / "testusers.csv", f"{ADMIN},{password}\n", mode=0o600)

    def _until(self, is_done: Callable[[], bool], name: str) -> None:
        """Wait for the condition. Raises: RetryLater with the process's last lines when it ends or is late."""
        deadline = time.monotonic() + _START_TIMEOUT_S
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
