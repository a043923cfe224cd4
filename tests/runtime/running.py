"""A real daemon for a test: started as a process, driven over its control interface, gone at the end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx2

PROGRAM = Path(__file__).parent / "program.py"
TAGS = ["v1", "v2", "v3"]
PATIENCE_S = 60.0  # how long a condition may take before the test fails; it is never what a test measures
_Found = TypeVar("_Found")


def until(condition: Callable[[], _Found], *, because: Callable[[], object] = lambda: "") -> _Found:
    """Return the condition's first true answer; errors of a connection count as not yet."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if found := condition():
                return found
        except (httpx2.HTTPError, OSError):
            pass
        if time.monotonic() > deadline:
            raise AssertionError(f"this never came true: {because()}")
        time.sleep(0.02)


class Running:
    """A daemon on a folder of its own."""

    def __init__(self, folder: Path, *, has_block: bool = True) -> None:
        self.folder = folder
        self.data_dir = folder / "runtime"
        self.catalogue = folder / "catalogue.json"
        self.secrets_dir = folder / "secrets"
        self.secrets_dir.mkdir(exist_ok=True)
        self.catalogue.write_text(
            json.dumps({"images": [{"repository": "test/web", "command": ["python", str(PROGRAM)], "tags": TAGS}]})
        )
        self._has_block = has_block
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.address_file.unlink(missing_ok=True)
        code = (
            "from pathlib import Path; from confighub.runtime.main import serve; "
            f"serve(Path({str(self.data_dir)!r}), has_block={self._has_block})"
        )
        output = (self.folder / "daemon.log").open("ab")
        self.process = subprocess.Popen([sys.executable, "-c", code], stdout=output, stderr=output)
        output.close()
        until(self.address_file.exists, because=lambda: (self.folder / "daemon.log").read_text())

    @property
    def address_file(self) -> Path:
        return self.data_dir / "runtime.json"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE_S)

    def clear(self) -> None:
        """Remove every unit of every environment and wait until their processes are gone."""
        for environment in self.call("GET", "/environments").json():
            for unit in environment["units"]:
                self.call("DELETE", f"/environments/{environment['name']}/units/{unit['unit_id']}")
        for environment in self.call("GET", "/environments").json():
            until(lambda name=environment["name"]: not self.replicas(name))  # type: ignore[misc]

    def call(self, method: str, path: str, body: object = None) -> httpx2.Response:
        address = json.loads(self.address_file.read_text())
        return httpx2.request(
            method,
            address["url"] + path,
            headers={"Authorization": f"Bearer {address['token']}"},
            content=None if body is None else json.dumps(body).encode(),
            trust_env=False,
            timeout=PATIENCE_S,
        )

    def apply(
        self,
        *objects: dict[str, Any],
        unit: str = "u1",
        environment: str = "dev",
        revision: int = 1,
        scale: float = 0.01,
    ) -> httpx2.Response:
        body = {
            "unit": {"unit_id": unit, "slug": unit, "revision": revision},
            "objects": list(objects),
            "settings": {
                "catalogue": str(self.catalogue),
                "secrets_dir": str(self.secrets_dir),
                "probe_delay_scale": scale,
            },
        }
        return self.call("PUT", f"/environments/{environment}/units/{unit}", body)

    def live(self, unit: str = "u1", environment: str = "dev") -> list[dict[str, Any]]:
        answer = self.call("GET", f"/environments/{environment}/units/{unit}").json()
        return list(answer["objects"])

    def object(self, kind: str, name: str, environment: str = "dev") -> dict[str, Any]:
        found = self.call("GET", f"/environments/{environment}/objects").json()
        return next(item for item in found if item["kind"] == kind and item["metadata"]["name"] == name)

    def replicas(self, environment: str = "dev") -> list[dict[str, Any]]:
        return list(self.call("GET", f"/environments/{environment}/replicas").json())

    def pids(self, environment: str = "dev") -> list[int]:
        found = [item["containers"][0]["pid"] for item in self.replicas(environment)]
        return sorted(pid for pid in found if pid)

    def condition(self, name: str = "web", kind: str = "Progressing", environment: str = "dev") -> dict[str, Any]:
        status = self.object("Deployment", name, environment).get("status", {})
        return next(item for item in status["conditions"] if item["type"] == kind)

    def wait_complete(self, name: str = "web", environment: str = "dev") -> dict[str, Any]:
        until(
            lambda: self.condition(name, environment=environment)["reason"] == "NewReplicaSetAvailable",
            because=lambda: self.condition(name, environment=environment),
        )
        return self.object("Deployment", name, environment)

    def wait_reason(self, reason: str, name: str = "web") -> str:
        until(lambda: self.condition(name)["reason"] == reason, because=lambda: self.condition(name))
        return str(self.condition(name)["message"])

    def service_url(self, name: str = "web", environment: str = "dev") -> str:
        place = self.object("Service", name, environment)["status"]["loadBalancer"]["ingress"][0]
        return f"http://{place['ip']}:{place['ports'][0]['port']}"

    def ingress_url(self, scheme: str = "http", environment: str = "dev") -> str:
        ports = self.call("GET", f"/environments/{environment}").json()["ingress"]
        return f"{scheme}://127.0.0.1:{ports[scheme == 'https']}"


def deployment(
    name: str = "web",
    *,
    tag: str = "v1",
    replicas: int = 1,
    env: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    port: int = 18092,
    **spec: object,
) -> dict[str, Any]:
    """A Deployment of the test program with the seed's probes."""
    labels = labels or {"app": name}
    container = {
        "name": name,
        "image": f"test/web:{tag}",
        "ports": [{"name": "http", "containerPort": port}],
        "env": [{"name": key, "value": value} for key, value in (env or {}).items()],
        "readinessProbe": {
            "httpGet": {"path": "/health/ready", "port": "http"},
            "initialDelaySeconds": 10,
            "periodSeconds": 5,
            "timeoutSeconds": 30,
            "failureThreshold": 1,
        },
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec},
    }


def service(
    name: str = "web", *, port: int = 18092, selector: dict[str, str] | None = None, **spec: object
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": selector or {"app": name}, "ports": [{"port": port, "targetPort": "http"}], **spec},
    }


def ingress(
    *paths: tuple[str, str],
    name: str = "ingress",
    host: str | None = None,
    tls: str | None = None,
    path_type: str = "Prefix",
    **annotations: str,
) -> dict[str, Any]:
    """An Ingress of (path, service) pairs; annotations are nginx's, with _ for -."""
    rule: dict[str, Any] = {
        "http": {
            "paths": [
                {
                    "path": path,
                    "pathType": path_type,
                    "backend": {"service": {"name": backend, "port": {"number": 18092}}},
                }
                for path, backend in paths
            ]
        }
    }
    if host:
        rule["host"] = host
    metadata: dict[str, Any] = {"name": name}
    if annotations:
        metadata["annotations"] = {
            f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()
        }
    spec: dict[str, Any] = {"rules": [rule]}
    if tls:
        spec["tls"] = [{"hosts": [tls], "secretName": "tls"}]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec}
