"""A Kubernetes bridge at work on a real API server, driven from a test as the loop drives it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import uuid
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from confighub.records.work import ImportRequest
from confighub.worker.bridge import LiveChange, Operation, Outcome
from confighub.worker.kubernetes.bridge import KubernetesBridge
from confighub.worker.settings import WorkerSettings
from tests.kubernetes.control_plane import Kube, Plane
from tests.runtime.running import until
from tests.worker.kubernetes.proxy import until_closed

Object = dict[str, Any]
_Found = TypeVar("_Found")
SPACE = "7c0f4f0e-2222-4a57-9f0b-0d7f6f5f8a01"


class Stage:
    """One bridge in a thread of its own, and a namespace for one test."""

    def __init__(self, plane: Plane, folder: Path) -> None:
        self.kube: Kube = plane.kube
        self.plane, self.folder = plane, folder
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.namespace = ""
        self.told: list[LiveChange] = []
        self.start()

    def start(self, kubeconfig: Path | None = None, namespaces: tuple[str, ...] = ()) -> None:
        """Make the bridge, as a worker that starts does."""
        self.settings = WorkerSettings(
            url="http://nowhere",
            worker_id="5d2f2a0e-7f5b-4a57-9f0b-0d7f6f5f8a01",
            secret="",
            slug="w1",
            state_dir=self.folder,
            provider="kubernetes",
            kubeconfigs=(kubeconfig or self.plane.kubeconfig,),
            wait_timeout="20s",
            namespaces=namespaces,
        )
        self.bridge = KubernetesBridge(self.settings)

        async def keep(change: LiveChange) -> None:
            self.told.append(change)

        async def begin() -> asyncio.Task[None]:
            return asyncio.create_task(self.bridge.watch(keep))

        self.watching = self.wait(begin())

    def stop(self) -> None:
        """End the bridge."""

        async def end() -> None:
            self.watching.cancel()
            await asyncio.gather(self.watching, return_exceptions=True)
            await self.bridge.close()

        self.wait(end())

    def kill(self, running: Future[Outcome]) -> None:
        """End the bridge in the midst of an apply."""

        async def others() -> None:
            running.cancel()
            mine = asyncio.current_task()
            await asyncio.gather(*(one for one in _applies() if one is not mine), return_exceptions=True)

        def _applies() -> list[asyncio.Task[Any]]:
            return [one for one in asyncio.all_tasks() if "KubernetesBridge.apply" in repr(one.get_coro())]

        self.wait(others())
        self.stop()

    def end(self) -> None:
        """End the bridge and its thread."""
        self.stop()
        self.wait(until_closed())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
        self.loop.close()

    def wait(self, work: Coroutine[Any, Any, _Found]) -> _Found:
        """Return what the bridge answers."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def new_namespace(self) -> str:
        """Make a namespace of its own."""
        self.namespace = f"t-{uuid.uuid4().hex[:8]}"
        self.kube.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        return self.namespace

    def here(self, document: Object) -> Object:
        """Return the document in the test's namespace, unless it says where it is."""
        metadata = document["metadata"]
        if "namespace" in metadata or document["kind"] in ("Namespace", "CustomResourceDefinition", "ClusterRole"):
            return document
        return {**document, "metadata": {**metadata, "namespace": self.namespace}}

    def operation(self, *documents: Object, unit: str, revision: int = 1, **parameters: object) -> Operation:
        return Operation(
            operation_id=str(uuid.uuid4()),
            unit_id=unit,
            unit_slug=f"unit-{unit[:4]}",
            space_id=SPACE,
            revision_num=revision,
            text=yaml.safe_dump_all([self.here(one) for one in documents]),
            live_state=b"",
            parameters=json.dumps({"StableTime": "0s", **parameters}).encode(),
            request=ImportRequest(),
        )

    def apply(self, *documents: Object, unit: str, revision: int = 1, **parameters: object) -> Outcome:
        """Apply the documents as one unit."""
        operation = self.operation(*documents, unit=unit, revision=revision, **parameters)
        return self.wait(self.bridge.apply(operation, _silently))

    def begin(self, operation: Operation) -> Future[Outcome]:
        """Begin to apply, and return at once."""
        return asyncio.run_coroutine_threadsafe(self.bridge.apply(operation, _silently), self.loop)

    def apply_text(self, text: str, *, unit: str) -> Outcome:
        """Apply text as it stands."""
        operation = dataclasses.replace(self.operation(unit=unit), text=text)
        return self.wait(self.bridge.apply(operation, _silently))

    def refresh(self, *documents: Object, unit: str, revision: int = 1, **parameters: object) -> Outcome:
        return self.wait(
            self.bridge.refresh(self.operation(*documents, unit=unit, revision=revision, **parameters), _silently)
        )

    def destroy(self, *documents: Object, unit: str, revision: int = 1, **parameters: object) -> Outcome:
        return self.wait(
            self.bridge.destroy(self.operation(*documents, unit=unit, revision=revision, **parameters), _silently)
        )

    def bring_in(self, request: Object) -> Outcome:
        """Import what the request asks for."""
        made = self.operation(unit=new_unit())
        asked = msgspec.convert(request, ImportRequest)
        return self.wait(self.bridge.import_objects(dataclasses.replace(made, request=asked), _silently))

    def path(self, plural: str, name: str = "", group: str = "") -> str:
        root = f"/apis/{group}" if group else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def get(self, plural: str, name: str, group: str = "") -> Object:
        """Return an object of the test's namespace, empty when it is not there."""
        return self.kube.get(self.path(plural, name, group))

    def live(self, unit: str) -> list[Object]:
        """Return the unit's live objects as they were last told; empty when nothing was."""
        found = [change for change in self.told if change.unit_id == unit]
        return json.loads(found[-1].live_state) if found else []

    def until_live(self, unit: str, is_so: Any) -> None:
        """Wait until the live state that is told fits."""
        until(lambda: is_so(self.live(unit)), because=lambda: self.live(unit))


async def _silently(message: str) -> None:
    return None


def new_unit() -> str:
    return str(uuid.uuid4())


def account_of(plane: Plane, namespace: str, folder: Path, *resources: str) -> Path:
    """Return the kubeconfig of an account that may change these resources in the namespace, and no more."""
    rbac = "rbac.authorization.k8s.io"
    where = {"name": "worker", "namespace": namespace}
    verbs = ["get", "list", "watch", "create", "patch", "delete"]
    rules = [{"apiGroups": [""], "resources": list(resources), "verbs": verbs}]
    core, roles = f"/api/v1/namespaces/{namespace}", f"/apis/{rbac}/v1/namespaces/{namespace}"
    plane.kube.create(f"{core}/serviceaccounts", {"metadata": where})
    plane.kube.create(f"{roles}/roles", {"metadata": where, "rules": rules})
    binding = {
        "metadata": where,
        "subjects": [{"kind": "ServiceAccount", **where}],
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "worker"},
    }
    plane.kube.create(f"{roles}/rolebindings", binding)
    token = plane.kube.create(f"{core}/serviceaccounts/worker/token", {"spec": {}})["status"]["token"]
    content = yaml.safe_load(plane.kubeconfig.read_text())
    content["users"][0]["user"] = {"token": token}
    file = folder / "account.kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return file


def config_map(name: str = "settings", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(
    name: str = "web", image: str = "registry.local/web:v1", replicas: int | None = 1, **more: Any
) -> Object:
    labels = {"app": name}
    container: Object = {"name": name, "image": image, **more}
    spec: Object = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    spec |= {} if replicas is None else {"replicas": replicas}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def service(name: str = "web", port: int = 8080) -> Object:
    ports = [{"name": "http", "port": port, "targetPort": port}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports},
    }
