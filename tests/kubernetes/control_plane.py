"""A real control plane for tests: etcd and kube-apiserver, with controllers, scheduler and pretended nodes when
these programs are there. It takes free ports and a folder of its own, and ends with the process that started it.

    with ControlPlane(folder) as plane:
        plane.kubeconfig        # an administrator's
        plane.kube.get("/api/v1/namespaces")
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2
import pytest
import yaml

from tests.kubernetes import programs
from tests.kubernetes.identities import Identities

Object = dict[str, Any]

_START_S = 60.0
_END_S = 90.0
"""A pod on a real node has 30 s for its end, and the namespace goes after all of them."""

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
NODES = 2
IDLE_NODE = "idle"
"""A node on which nobody runs what is put there by name; the scheduler puts nothing there."""


class Kube:
    """Calls to an API server as an administrator, independent of the code under test."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        self.server = str(content["clusters"][0]["cluster"]["server"])
        from confighub.client.kubeconfig import from_kubeconfig

        access = from_kubeconfig([kubeconfig])
        token = access.token.now()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        tls = access.tls or ssl.create_default_context()
        self._http = httpx2.Client(base_url=self.server, verify=tls, trust_env=False, timeout=30, headers=headers)

    def call(self, method: str, path: str, body: object = None, *, content: str = "", **query: str) -> httpx2.Response:
        headers = {"Content-Type": content} if content else {}
        return self._http.request(method, path, json=body, headers=headers, params=query)

    def get(self, path: str, **query: str) -> Object:
        """Return what is at the path; an empty object when nothing is."""
        answer = self.call("GET", path, **query)
        if answer.status_code == 404:
            return {}
        assert answer.status_code == 200, answer.text
        found: Object = answer.json()
        return found

    def create(self, path: str, body: Object) -> Object:
        answer = self.call("POST", path, body, fieldManager="tester")
        assert answer.status_code < 300, answer.text
        found: Object = answer.json()
        return found

    def merge(self, path: str, patch: Object, manager: str = "kubectl-edit") -> Object:
        """Change an object as a person with an editor would."""
        content = "application/strategic-merge-patch+json"
        answer = self.call("PATCH", path, patch, content=content, fieldManager=manager)
        assert answer.status_code < 300, answer.text
        found: Object = answer.json()
        return found

    def apply(self, path: str, body: Object, manager: str, *, force: bool = True) -> Object:
        """Apply an object as another deployer would."""
        content = "application/apply-patch+yaml"
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        answer = self.call("PATCH", path, body, content=content, **query)
        assert answer.status_code < 300, answer.text
        found: Object = answer.json()
        return found

    def delete(self, path: str) -> None:
        answer = self.call("DELETE", path)
        assert answer.status_code < 300 or answer.status_code == 404, answer.text

    def delete_namespace(self, name: str, *, with_grace: bool) -> None:
        """Begin to delete a namespace; without grace, pods that are only pretended do not hold it up.

        The namespace's controller comes back for pods that have 30 s to end only after half of that time.
        """
        if not with_grace:
            for plural in ("deployments", "replicasets"):
                self.delete(f"/apis/apps/v1/namespaces/{name}/{plural}")
            self.call("DELETE", f"/api/v1/namespaces/{name}/pods", gracePeriodSeconds="0")
        self.delete(f"/api/v1/namespaces/{name}")

    def close(self) -> None:
        self._http.close()


class ControlPlane:
    """The programs of one control plane; ``has_controllers`` tells whether workloads come up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs = programs.need(*programs.NEEDED)
        more = {name: programs.program(name) for name in programs.MORE}
        self.has_controllers = all(more.values())
        self._programs |= {name: path for name, path in more.items() if path}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ports = dict(
            zip(("client", "peer", "api", "controllers", "scheduler", "kwok"), free_ports(6), strict=True)
        )
        self.server = f"https://127.0.0.1:{self._ports['api']}"
        self.identities = Identities(folder)
        certificate, key = self.identities.issue("kube-apiserver", is_server=True)
        (folder / "server.crt").write_bytes(certificate)
        (folder / "server.key").write_bytes(key)
        self.kubeconfig = self.identities.kubeconfig("admin.kubeconfig", self.server, "admin", group="system:masters")
        self.kube = Kube(self.kubeconfig)

    def __enter__(self) -> ControlPlane:
        self._start_etcd()
        self.start_api_server()
        if self.has_controllers:
            self._start_controllers()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kube.close()
        for name in reversed(list(self._running)):
            self.stop(name)

    def start_api_server(self) -> None:
        """Start the API server and wait until it is ready. It ends with the thread that started it."""
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._ports['client']}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['api']}",
            "--advertise-address=10.199.0.1",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--client-ca-file={self.folder / 'ca.crt'}",
            f"--tls-cert-file={self.folder / 'server.crt'}",
            f"--tls-private-key-file={self.folder / 'server.key'}",
            "--authorization-mode=Node,RBAC",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={self.folder / 'accounts.pub'}",
            f"--service-account-signing-key-file={self.folder / 'accounts.key'}",
            "--allow-privileged=true",
            "--profiling=false",
        )
        self._wait("kube-apiserver", lambda: self.kube.call("GET", "/readyz").text == "ok")

    def stop(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End one program; nothing of it is kept but etcd's data."""
        process = self._running.pop(name)
        process.send_signal(number)
        process.wait(_START_S)

    def log(self, name: str) -> str:
        """Return the end of a program's log."""
        return (self.folder / f"{name}.log").read_text()[-4000:]

    def _start_etcd(self) -> None:
        client, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("client", "peer"))
        self._run(
            "etcd",
            "--name=default",
            f"--data-dir={self.folder / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
        )

    def _start_controllers(self) -> None:
        users = {"kube-controller-manager": "controllers", "kube-scheduler": "scheduler"}
        configs = {
            name: self.identities.kubeconfig(f"{name}.kubeconfig", self.server, f"system:{name}") for name in users
        }
        fast = ["--kube-api-qps=500", "--kube-api-burst=1000", "--leader-elect=false", "--profiling=false"]
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={configs['kube-controller-manager']}",
            *fast,
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['controllers']}",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={self.folder / 'accounts.key'}",
            f"--root-ca-file={self.folder / 'ca.crt'}",
            "--allocate-node-cidrs=false",
            "--service-cluster-ip-range=10.96.0.0/16",
        )
        scheduler = configs["kube-scheduler"]
        self._run(
            "kube-scheduler",
            f"--kubeconfig={scheduler}",
            f"--authentication-kubeconfig={scheduler}",
            f"--authorization-kubeconfig={scheduler}",
            *fast,
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['scheduler']}",
        )
        self._run(
            "kwok",
            f"--kubeconfig={self.kubeconfig}",
            "--manage-all-nodes=false",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--node-lease-duration-seconds=40",
            "--cidr=10.0.0.1/24",
            "--node-ip=10.0.0.1",
            f"--server-address=127.0.0.1:{self._ports['kwok']}",
        )
        for number in range(NODES):
            self.kube.create("/api/v1/nodes", _node(f"node-{number}"))
        idle = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": IDLE_NODE}, "spec": {"unschedulable": True}}
        self.kube.create("/api/v1/nodes", idle)
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._wait("kube-controller-manager", lambda: bool(self.kube.get(account)))

    def _run(self, name: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [str(self._programs[name]), *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "GOMAXPROCS": "2"},
            )

    def _wait(self, name: str, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                if is_there():
                    return
            except httpx2.HTTPError:
                pass
            for one, process in self._running.items():
                assert process.poll() is None, f"{one} ended:\n{self.log(one)}"
            assert time.monotonic() < deadline, f"{name} does not come up:\n{self.log(name)}"
            time.sleep(0.05)


class GivenPlane:
    """A cluster that the machine's owner gives to tests, by KUBECONFIG_TEST."""

    has_controllers = True

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig, self.kube = kubeconfig, Kube(kubeconfig)


Plane = ControlPlane | GivenPlane


def need_pretended_nodes(plane: Plane) -> None:
    """Skip the test on a cluster of KUBECONFIG_TEST: nobody knows whether its nodes are kwok's."""
    if isinstance(plane, GivenPlane):
        pytest.skip("pretended nodes are needed, and KUBECONFIG_TEST names a cluster whose nodes may be real")


@contextmanager
def to_itself(plane: Plane, *namespaces: str) -> Iterator[None]:
    """Take these namespaces: they are not there before and after, and no other process of tests has them meanwhile.

    Skips when the cluster of KUBECONFIG_TEST has one already, since nobody knows whose it is. On a control plane of our
    own nobody waits at the end: the next to take them does, and there may be none.
    """

    def there() -> list[str]:
        return [name for name in namespaces if plane.kube.get(f"/api/v1/namespaces/{name}")]

    def wait() -> None:
        deadline = time.monotonic() + _END_S
        while found := there():
            assert time.monotonic() < deadline, f"these namespaces stay: {', '.join(found)}"
            time.sleep(0.1)

    with (Path(tempfile.gettempdir()) / "traderx-tests-cluster.lock").open("w") as lock:
        if isinstance(plane, GivenPlane):
            fcntl.flock(lock, fcntl.LOCK_EX)
            if found := there():
                pytest.skip(f"the cluster of KUBECONFIG_TEST has these namespaces already: {', '.join(found)}")
        wait()
        try:
            yield
        finally:
            is_given = isinstance(plane, GivenPlane)
            for name in namespaces:
                plane.kube.delete_namespace(name, with_grace=is_given)
            if is_given:
                wait()


@contextmanager
def opened(folder: Path) -> Iterator[Plane]:
    """Yield the cluster that KUBECONFIG_TEST names, else a control plane of our own.

    Skips (fails under CI) when there is neither.
    """
    if given := os.environ.get("KUBECONFIG_TEST"):
        plane = GivenPlane(Path(given))
        yield plane
        plane.kube.close()
        return
    with ControlPlane(folder) as own:
        yield own


def die_with_parent() -> None:
    """End with the process that starts this one."""
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _node(name: str) -> Object:
    room = {"cpu": "1000", "memory": "4096Gi", "pods": "5000"}
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name}
    annotations = {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "status": {"allocatable": room, "capacity": room},
    }
