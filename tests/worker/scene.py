"""A hub, a runtime and a worker as processes, for tests of the worker."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2

from tests.runtime.running import PATIENCE_S, Running, until
from tests.worker.wire_hub import SECRET

PROJECT = Path(__file__).resolve().parents[2]
WORKER_ID = "5d2f2a0e-7f5b-4a57-9f0b-0d7f6f5f8a01"


class Scene:
    """The three together; each can be killed and started again."""

    def __init__(self, folder: Path, runtime: Running) -> None:
        self.folder, self.runtime = folder, runtime
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.hub: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None

    def start_hub(self) -> None:
        options = ["--interface", "asgi", "--http", "auto", "--workers", "1", "--workers-kill-timeout", "1"]
        self.hub = self._run(
            "hub.log", "-m", "granian", *options, "--port", str(self.port), "tests.worker.wire_hub:app"
        )
        until(lambda: self.said())

    def start_worker(self, secret: str = SECRET) -> None:
        code = (
            "from pathlib import Path; from confighub.worker.main import run; "
            "from confighub.worker.settings import WorkerSettings; "
            f"run(WorkerSettings(url={self.url!r}, worker_id={WORKER_ID!r}, secret={secret!r}, slug='w1', "
            f"state_dir=Path({str(self.folder)!r}), runtime_dir=Path({str(self.runtime.data_dir)!r}), "
            f"catalogue=Path({str(self.runtime.catalogue)!r}), secrets_dir=Path({str(self.runtime.secrets_dir)!r}), "
            "environment='dev', probe_delay_scale=0.01, wait_timeout='3s', poll_interval_s=0.5, "
            "offers_functions=False))"
        )
        self.worker = self._run("worker.log", "-c", code)

    def ready(self) -> None:
        """Start what is not up, and forget what there was: a scene serves many tests."""
        if not is_up(self.runtime.process):
            self.runtime.start()
        if not is_up(self.hub):
            self.start_hub()
        if not is_up(self.worker):
            self.start_worker()
        httpx2.post(f"{self.url}/test/refuse/0", trust_env=False)
        self.wait_connected()
        self.runtime.clear()
        httpx2.post(f"{self.url}/test/forget", trust_env=False)

    def stop(self) -> None:
        for process in (self.worker, self.hub):
            end(process)

    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx2.get(f"{self.url}/test/said", trust_env=False).json()
        return found

    def results(self, operation: str) -> list[dict[str, Any]]:
        return [result for result in self.said()["Results"] if result["QueuedOperationID"] == operation]

    def wait_connected(self) -> None:
        """Wait until a heartbeat is answered: a stream alone may be that of a worker that was killed."""
        beat = {"Event": "WorkerEvent", "Data": {"Action": "Heartbeat", "Payload": {"Timestamp": 1}}}
        before = self._beats()

        def answers() -> bool:
            httpx2.post(f"{self.url}/test/queue", json=beat, trust_env=False)
            return self._beats() > before

        until(answers, because=lambda: (self.folder / "worker.log").read_text())

    def _beats(self) -> int:
        return len([item for item in self.said()["Results"] if item["Action"] == "Heartbeat"])

    def send(self, event: object) -> None:
        assert httpx2.post(f"{self.url}/test/queue", json=event, trust_env=False).json()["Sent"]

    def act(
        self,
        action: str,
        text: str = "",
        *,
        operation: str = "",
        unit: str = "",
        revision: int = 1,
        **parameters: object,
    ) -> str:
        """Hand the worker an operation; return its id."""
        operation = operation or str(uuid.uuid4())
        target = {
            "RuntimeDir": str(self.runtime.data_dir),
            "Environment": "dev",
            "Catalogue": str(self.runtime.catalogue),
            "SecretsDir": str(self.runtime.secrets_dir),
            "ProbeDelayScale": 0.01,
            "WaitTimeout": "20s",
            **parameters,
        }
        payload = {
            "QueuedOperationID": operation,
            "ToolchainType": "Kubernetes/YAML",
            "ProviderType": "Laptop",
            "UnitSlug": "web",
            "UnitID": unit or "7c0f4f0e-1111-4a57-9f0b-0d7f6f5f8a01",
            "SpaceID": "7c0f4f0e-2222-4a57-9f0b-0d7f6f5f8a01",
            "Data": base64.b64encode(text.encode()).decode(),
            "LiveState": "",
            "TargetParams": base64.b64encode(json.dumps(target).encode()).decode(),
            "ExtraParams": "",
            "RevisionNum": revision,
        }
        self.send({"Event": "BridgeWorkerEvent", "Data": {"Action": action, "Payload": payload}})
        return operation

    def call_functions(self, text: str, *invocations: Mapping[str, object]) -> str:
        """Hand the worker function calls; return the operation's id."""
        operation = str(uuid.uuid4())
        request = {
            "ToolchainType": "Kubernetes/YAML",
            "UnitSlug": "web",
            "UnitID": "7c0f4f0e-1111-4a57-9f0b-0d7f6f5f8a01",
            "SpaceID": "7c0f4f0e-2222-4a57-9f0b-0d7f6f5f8a01",
            "RevisionNum": 3,
            "ConfigData": base64.b64encode(text.encode()).decode(),
            "CastStringArgsToScalars": True,
            "FunctionInvocations": list(invocations),
        }
        payload = {"QueuedOperationID": operation, "InvocationRequest": request}
        self.send({"Event": "FunctionWorkerEvent", "Data": {"Action": "InvokeFunctions", "Payload": payload}})
        return operation

    def final(self, operation: str) -> dict[str, Any]:
        """Wait for the operation's end and return it."""

        def ended() -> dict[str, Any] | None:
            found = [item for item in self.results(operation) if item["Status"] not in ("Progressing", "Pending")]
            return found[0] if found else None

        found = until(ended, because=lambda: (self.folder / "worker.log").read_text())
        assert found is not None
        return found

    def _run(self, log: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *arguments], cwd=PROJECT, stdout=output, stderr=output, start_new_session=True
            )


def is_up(process: subprocess.Popen[bytes] | None) -> bool:
    """True while the process runs."""
    return process is not None and process.poll() is None


def end(process: subprocess.Popen[bytes] | None, number: signal.Signals = signal.SIGTERM) -> None:
    """End a process of the scene and what it started: a server's own workers would go on serving."""
    if process and process.poll() is None:
        os.killpg(process.pid, number)
        process.wait(PATIENCE_S)


def live(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the live objects of a result or a push."""
    found: list[dict[str, Any]] = json.loads(base64.b64decode(result["LiveState"]))
    return found
