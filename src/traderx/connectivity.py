"""The two tests of who reaches whom, by pods that ask: one that belongs to TraderX, and one that does not.

They say something only where pods run and the network plugin enforces policies; elsewhere they are skipped, and the
reason names what does not. A stranger that times out proves nothing while nobody gets an answer, so a third pod asks
the same as one that may.
Source: the seed, 4.3; requirements R-172, R-173, C-20.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from confighub.errors import ConfigHubError, NotFound
from traderx import topology
from traderx.clusters import ClusterApi
from traderx.secrets import PART_OF

State = Literal["passed", "failed", "skipped"]
Object = dict[str, Any]

ALLOWED = "a pod of TraderX reaches reference-data"
REFUSED = "a pod that is not of TraderX does not reach trade-service"

ENFORCING: Mapping[str, str] = {
    "anetd": "GKE Dataplane V2",
    "antrea-agent": "Antrea",
    "azure-npm": "Azure Network Policy Manager",
    "calico-node": "Calico",
    "canal": "Canal",
    "cilium": "Cilium",
    "kube-router": "kube-router",
    "ovnkube-node": "OVN-Kubernetes",
    "weave-net": "Weave Net",
}
"""The plugins that enforce policies, by the DaemonSet that each brings."""

NOT_ENFORCING: Mapping[str, str] = {"kube-flannel-ds": "flannel", "kube-flannel": "flannel"}

ANSWERED, TIMED_OUT = 0, 28
"""How the asking program ends, as curl does: 0 for 200, 28 for no answer in time, else something else."""

_ASK = """
import sys, urllib.error, urllib.request
url, timeout_s = sys.argv[1], float(sys.argv[2])
try:
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:
        print(f"answered {answer.status}")
        sys.exit(0 if answer.status == 200 else 22)
except urllib.error.HTTPError as error:
    print(f"answered {error.code}")
    sys.exit(22)
except OSError as error:
    reason = getattr(error, "reason", error)
    print(reason)
    sys.exit(28 if isinstance(reason, TimeoutError) else 7)
"""
_ASK_S = 5
_PAUSE_S = 0.2
_FAKE_NODE = "kwok.x-k8s.io/node"


@dataclass(frozen=True)
class Trial:
    """One test: how it ended, and how that is known."""

    test: str
    state: State
    evidence: str

    def as_json(self) -> dict[str, str]:
        """Return the trial as the command prints it."""
        return {"test": self.test, "state": self.state, "evidence": self.evidence}


@dataclass(frozen=True)
class Ended:
    """How an asking pod ended; without a code it never did, and ``said`` tells why."""

    code: int | None
    said: str


def skipped(reason: str) -> list[Trial]:
    """Return both tests as skipped."""
    return [Trial(test, "skipped", reason) for test in (ALLOWED, REFUSED)]


def check_connectivity(api: ClusterApi, place: str, *, timeout_s: float, is_certain: bool = False) -> list[Trial]:
    """Run the tests in the namespace and return how they ended; the pods are gone afterwards.

    ``is_certain``: somebody knows that policies are enforced, whatever the plugin is. Raises: NotFound when what is
    tested is not there; Forbidden, RetryLater.
    """
    if reason := why_not(api, is_certain=is_certain):
        return skipped(reason)
    image, at = _image(api, place), _cluster_ip(api, place, "trade-service")
    if api.get(f"/apis/networking.k8s.io/v1/namespaces/{place}/networkpolicies/default-deny-all") is None:
        raise NotFound(
            f"{place} on {api.cluster.context} has no NetworkPolicy default-deny-all",
            hint="apply the addon network-policies",
        )
    trade = _url(place, "trade-service")
    mine, stranger = {PART_OF: "traderx"}, dict[str, str]()
    asked = {
        "allowed": _pod("allowed", place, image, _url(place, "reference-data"), mine),
        "control": _pod("control", place, image, trade, mine),
        # by address: that names do not resolve for it either must not pass for the policy of trade-service
        "stranger": _pod("stranger", place, image, trade, stranger, at=at),
    }
    ended = _run(api, place, asked, timeout_s=timeout_s)
    return verdicts(ended["allowed"], ended["control"], ended["stranger"])


def verdicts(allowed: Ended, control: Ended, stranger: Ended) -> list[Trial]:
    """Return both tests by how the pods ended; ``control`` asked what the stranger asked, and may."""
    first = Trial(ALLOWED, "passed" if allowed.code == ANSWERED else "failed", allowed.said)
    if control.code != ANSWERED:
        why = f"trade-service answers nobody, so it shows nothing: {control.said}"
        return [first, Trial(REFUSED, "failed", why)]
    if stranger.code == ANSWERED:
        return [first, Trial(REFUSED, "failed", f"it {stranger.said}: the policies do not hold")]
    state: State = "passed" if stranger.code == TIMED_OUT else "failed"
    return [first, Trial(REFUSED, state, stranger.said)]


def why_not(api: ClusterApi, *, is_certain: bool = False) -> str:
    """Return why the tests would say nothing on this cluster; empty when they do."""
    name = api.cluster.context
    try:
        nodes = (api.get("/api/v1/nodes") or {}).get("items") or []
        sets = (api.get("/apis/apps/v1/daemonsets") or {}).get("items") or []
    except ConfigHubError as error:
        return f"nodes and network plugin of {name} cannot be seen: {error.message}"
    ready = [one for one in nodes if _is_ready(one)]
    if not [one for one in ready if _FAKE_NODE not in (one["metadata"].get("annotations") or {})]:
        return f"no node of {name} runs pods: {'kwok pretends them' if ready else 'none is ready'}"
    found = {one["metadata"]["name"] for one in sets}
    if is_certain or found & set(ENFORCING):
        return ""
    for known, plugin in NOT_ENFORCING.items():
        if known in found:
            return f"{plugin}, the network plugin of {name}, does not enforce policies"
    known = ", ".join(ENFORCING.values())
    return f"no network plugin known to enforce policies runs on {name}; known are {known}"


def _is_ready(node: Object) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _url(place: str, service: str) -> str:
    return f"http://{service}.{place}.svc.cluster.local:{topology.BY_NAME[service].port}/health"


def _image(api: ClusterApi, place: str) -> str:
    """Return an image that is on the nodes already and has what the pods need."""
    found = api.get(f"/apis/apps/v1/namespaces/{place}/deployments/reference-data")
    if found is None:
        raise NotFound(f"reference-data is not in {place} on {api.cluster.context}", hint="deploy: bin/ordered-apply")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def _cluster_ip(api: ClusterApi, place: str, service: str) -> str:
    found = api.get(f"/api/v1/namespaces/{place}/services/{service}")
    if found is None:
        raise NotFound(f"Service {service} is not in {place}", hint="deploy: bin/ordered-apply")
    return str(found["spec"]["clusterIP"])


def _pod(who: str, place: str, image: str, url: str, labels: dict[str, str], *, at: str = "") -> Object:
    """Return a pod that asks once and ends; ``at`` spares it the search for the address."""
    host = url.split("/")[2].split(":")[0]
    container = {
        "name": "ask",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", _ASK, url, str(_ASK_S)],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec: Object = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000},
        "containers": [container],
    }
    if at:
        spec["hostAliases"] = [{"ip": at, "hostnames": [host]}]
    name = f"connectivity-{who}-{secrets.token_hex(3)}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": place, "labels": {"connectivity-test": who, **labels}},
        "spec": spec,
    }


def _run(api: ClusterApi, place: str, pods: Mapping[str, Object], *, timeout_s: float) -> dict[str, Ended]:
    """Run the pods side by side and return how each ended."""
    path = f"/api/v1/namespaces/{place}/pods"
    names = {who: str(pod["metadata"]["name"]) for who, pod in pods.items()}
    ended: dict[str, Ended] = {}
    deadline = time.monotonic() + timeout_s
    try:
        for pod in pods.values():
            api.create(path, pod)
        while len(ended) < len(names):
            found = {who: _ending(api.get(f"{path}/{name}") or {}) for who, name in names.items() if who not in ended}
            is_late = time.monotonic() >= deadline
            for who, (code, said) in found.items():
                if code is not None or is_late:
                    ended[who] = Ended(code, said if code is not None else f"no end within {timeout_s:g} s: {said}")
            if len(ended) < len(names):
                time.sleep(_PAUSE_S)
    finally:
        for name in names.values():
            api.call("DELETE", f"{path}/{name}?gracePeriodSeconds=0")
    return ended


def _ending(pod: Object) -> tuple[int | None, str]:
    """Return the exit code of a pod's container with its last words; None and what it waits for until then."""
    status = pod.get("status") or {}
    for one in status.get("containerStatuses") or []:
        state = one.get("state") or {}
        if "terminated" in state:
            code = int(state["terminated"].get("exitCode") or 0)
            said = str(state["terminated"].get("message") or "").strip()
            return code, said or ("answered 200" if code == ANSWERED else f"ended with {code}")
        if "waiting" in state:
            return None, str(state["waiting"].get("message") or state["waiting"].get("reason") or "waiting")
    waits = [str(one.get("message")) for one in status.get("conditions") or [] if one.get("status") == "False"]
    return None, waits[0] if waits else str(status.get("phase") or "it is gone")
