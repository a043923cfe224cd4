"""A hub as a real process on a free port, spoken to over real sockets."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from confighub.hub.hub import Hub
from confighub.hub.usecases import people
from confighub.settings import HubSettings
from tests.hub.databases import database_for, is_on_postgresql
from tests.kubernetes.control_plane import die_with_parent
from tests.manifests import WEB as WEB

USER, PASSWORD = "alice@example.com", "wonderland"
START_TIMEOUT_S = 60.0


def b64(text: str) -> str:
    """Return the text as it stands in ``Data``."""
    return b64encode(text.encode()).decode()


def basic(username: str = USER, password: str = PASSWORD) -> str:
    """Return the header of a user with a password."""
    return f"Basic {b64(f'{username}:{password}')}"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    all_headers: Sequence[tuple[str, str]] = ()

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


def fresh_store(folder: Path, database_url: str = "") -> None:
    """Make a store with one user, by default on the database that the run is about."""
    hub = Hub(HubSettings(data_dir=folder, database_url=database_url or database_for(folder)))
    people.add_user(hub, USER, PASSWORD)
    hub.close()


@dataclass
class HubProcess:
    """One server process on a folder; it can be killed and started again on the same port."""

    folder: Path
    port: int
    environ: dict[str, str] = field(default_factory=dict)
    database_url: str = ""
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder.parent / f"{self.folder.name}.log"
        self.database_url = self.database_url or database_for(self.folder)

    @classmethod
    def on(cls, template: Path, folder: Path, port: int) -> HubProcess:
        """Return a running hub on a copy of the template store."""
        if is_on_postgresql():
            fresh_store(folder)
        else:
            shutil.copytree(template, folder)
        hub = cls(folder, port)
        hub.start()
        return hub

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return when it answers."""
        command = [
            sys.executable,
            "-m",
            "confighub.server",
            "serve",
            "--port",
            str(self.port),
            "--data",
            str(self.folder),
        ]
        if self.database_url:
            command += ["--database", self.database_url]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env=os.environ | self.environ,
                start_new_session=True,
                # the parent is the thread that starts it: a hub brought back from another one outlives that
                preexec_fn=die_with_parent if threading.current_thread() is threading.main_thread() else None,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                if self.request("GET", "/api/info").status == 200:
                    return
            except OSError:
                pass
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as a user would; return the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def close(self) -> None:
        """End it if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def confighub(self, *arguments: str, typed: str = "") -> str:
        """Run ``confighub`` on the hub's store beside the process; return what it prints."""
        command = [sys.executable, "-m", "confighub.server", *arguments, "--data", str(self.folder)]
        command += ["--database", self.database_url]
        done = subprocess.run(command, input=typed, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        *,
        raw: bytes | None = None,
        content_type: str = "application/json",
        authorization: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request on a connection of its own and return the answer."""
        target = f"{path}?{urlencode(query)}" if query else path
        payload = raw if raw is not None else None if body is None else json.dumps(body).encode()
        sent = {"User-Agent": "cub", "Authorization": basic() if authorization is None else authorization}
        sent |= headers or {}
        if payload is not None:
            sent["Content-Type"] = content_type
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, payload, sent)
            response = connection.getresponse()
            shown = response.getheaders()
            return Answer(response.status, dict(shown), response.read(), shown)
        finally:
            connection.close()

    def ok(self, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        """Return the decoded answer of a request that must work."""
        patch = "application/merge-patch+json" if method == "PATCH" else "application/json"
        answer = self.request(method, path, query, body, content_type=patch)
        assert answer.status == 200, answer.body
        return answer.json

    def space(self, slug: str, **labels: str) -> str:
        """Make a space; return its id."""
        made = self.ok("POST", "/api/space", body={"Slug": slug, "Labels": labels})
        return str(made["SpaceID"])

    def unit(self, space_id: str, slug: str = "web", text: str = WEB, **more: Any) -> str:
        """Make a unit; return its id."""
        body = {"Slug": slug, "Data": b64(text), "ToolchainType": "Kubernetes/YAML", **more}
        return str(self.ok("POST", f"/api/space/{space_id}/unit", body=body)["UnitID"])

    def worker(self, space_id: str, slug: str = "w1", **more: Any) -> tuple[str, str]:
        """Make a worker; return its id and secret."""
        made = self.ok("POST", f"/api/space/{space_id}/bridge_worker", body={"Slug": slug, **more})
        return str(made["BridgeWorkerID"]), str(made["Secret"])

    def target(self, space_id: str, worker_id: str, slug: str = "t1") -> str:
        """Make a target; return its id."""
        body = {
            "Slug": slug,
            "ProviderType": "Kubernetes",
            "ToolchainType": "Kubernetes/YAML",
            "Parameters": "{}",
            "BridgeWorkerID": worker_id,
        }
        return str(self.ok("POST", f"/api/space/{space_id}/target", body=body)["TargetID"])

    def deployable(self, space_id: str, slug: str = "web", text: str = WEB) -> tuple[str, str, str]:
        """Make a worker, its target and a unit that uses it; return the unit's id, the worker's id and secret."""
        worker_id, secret = self.worker(space_id)
        target_id = self.target(space_id, worker_id)
        return self.unit(space_id, slug, text, TargetID=target_id), worker_id, secret
