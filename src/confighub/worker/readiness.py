"""What ready means, by kind, read from live objects in Kubernetes shape.

A Namespace is Active; a Deployment has seen its newest generation and has exactly the wanted replicas,
all updated and available; a Service answers, and has an endpoint when replicas are meant to be behind it;
an Ingress is accepted, which where no controller serves its class the API server alone does; a Job is complete, a
definition of a kind is established. Other kinds are ready when they exist and do not themselves say otherwise.
What is reported as not supported where it was applied is as ready as it will be there.
Source: requirement C-04; kubectl's rollout status for workloads; kstatus for kinds of others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from confighub.worker.documents import Manifest, describe

HOPELESS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "CrashLoopBackOff",
        "ErrImageNeverPull",
        "PortInUse",
        "RunContainerError",
        "ProgressDeadlineExceeded",
    }
)
"""Reasons that do not go away by waiting."""

NO_CONTROLLER = "NoController"
"""The reason of an Ingress's condition Accepted on a cluster that has no controller of its class."""


@dataclass(frozen=True)
class Readiness:
    """Whether objects are ready, and if not, why and whether waiting can help."""

    is_ready: bool
    is_hopeless: bool = False
    message: str = ""


NOT_SUPPORTED = "NotSupportedHere"
"""The reason of the condition Supported on an object that has no effect where it was applied."""

READY = Readiness(is_ready=True)


def of_objects(objects: list[Manifest]) -> Readiness:
    """Return the least of all objects: a hopeless one first, then one that is not ready; ready when all are.

    The message of what is ready names what is not supported there, and is empty else.
    """
    found = [of_object(item) for item in objects]
    for state in found:
        if state.is_hopeless:
            return state
    waiting = [state for state in found if not state.is_ready]
    said = dict.fromkeys(state.message for state in waiting or found if state.message)
    return Readiness(is_ready=not waiting, message="; ".join(said))


def of_object(item: Manifest) -> Readiness:
    """Return one object's readiness."""
    unsupported = _condition(item, "Supported")
    if unsupported.get("status") == "False" and unsupported.get("reason") == NOT_SUPPORTED:
        return Readiness(is_ready=True, message=str(unsupported.get("message") or ""))
    rule = _RULES.get(str(item.get("kind")))
    return rule(item) if rule else _other(item)


def _namespace(item: Manifest) -> Readiness:
    phase = _status(item).get("phase", "")
    return READY if phase == "Active" else _not_yet(item, f"is {phase or 'not there'} and not Active")


def _deployment(item: Manifest) -> Readiness:
    status, wanted = _status(item), item.get("spec", {}).get("replicas", 1)
    progressing = _condition(item, "Progressing")
    if progressing.get("reason") in HOPELESS:
        return Readiness(is_ready=False, is_hopeless=True, message=_said(item, progressing))
    pods = _condition(item, "Pods")
    if pods.get("reason") in HOPELESS:
        return Readiness(is_ready=False, is_hopeless=True, message=_said(item, pods))
    if _is_unseen(item):
        return _not_yet(item, "has not been looked at yet")
    counts = [status.get(name, 0) for name in ("updatedReplicas", "availableReplicas", "replicas")]
    if counts == [wanted, wanted, wanted]:
        return READY
    why = progressing.get("message") or f"{counts[1]} of {wanted} replicas available"
    if pods:
        why = f"{counts[1]} of {wanted} replicas available: {pods.get('reason', '')}: {pods.get('message', '')}"
    if counts[0] == counts[1] == wanted:
        why = f"{counts[2] - wanted} old replicas are still there"
    return _not_yet(item, f"is not ready: {why}")


def _service(item: Manifest) -> Readiness:
    listening = _condition(item, "Listening")
    if listening.get("reason") in HOPELESS:
        return Readiness(is_ready=False, is_hopeless=True, message=_said(item, listening))
    if listening.get("status") == "False":
        return _not_yet(item, "does not answer yet")
    endpoints = _condition(item, "Endpoints")
    if endpoints.get("status") == "False":
        return _not_yet(item, f"has no endpoint: {endpoints.get('message', '')}")
    return READY


def _ingress(item: Manifest) -> Readiness:
    accepted = _condition(item, "Accepted")
    if accepted.get("reason") in HOPELESS:
        return Readiness(is_ready=False, is_hopeless=True, message=_said(item, accepted))
    if accepted.get("status") == "False":
        return _not_yet(item, "is not accepted yet")
    if accepted.get("reason") == NO_CONTROLLER:
        return READY
    if not _status(item).get("loadBalancer", {}).get("ingress"):
        return _not_yet(item, "has no address yet")
    return READY


def _daemon_set(item: Manifest) -> Readiness:
    pods = _condition(item, "Pods")
    if pods.get("reason") in HOPELESS:
        return Readiness(is_ready=False, is_hopeless=True, message=_said(item, pods))
    if _is_unseen(item):
        return _not_yet(item, "has not been looked at yet")
    status = _status(item)
    wanted = status.get("desiredNumberScheduled", 0)
    there = min(status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0))
    if there >= wanted:
        return READY
    why = f": {pods.get('reason', '')}: {pods.get('message', '')}" if pods else ""
    return _not_yet(item, f"is not ready: {there} of {wanted} nodes have it{why}")


def _job(item: Manifest) -> Readiness:
    failed = _condition(item, "Failed")
    if failed.get("status") == "True":
        return Readiness(is_ready=False, is_hopeless=True, message=_said(item, failed))
    if _condition(item, "Complete").get("status") == "True" or item.get("spec", {}).get("suspend"):
        return READY
    return _not_yet(item, "is not complete yet")


def _pod(item: Manifest) -> Readiness:
    phase = _status(item).get("phase", "")
    if phase == "Failed":
        message = f"{describe(item)} failed: {_status(item).get('message', '')}"
        return Readiness(is_ready=False, is_hopeless=True, message=message)
    if phase == "Succeeded" or _condition(item, "Ready").get("status") == "True":
        return READY
    return _not_yet(item, f"is {phase or 'Pending'} and not ready")


def _definition(item: Manifest) -> Readiness:
    refused = _condition(item, "NamesAccepted")
    if refused.get("status") == "False":
        return Readiness(is_ready=False, is_hopeless=True, message=_said(item, refused))
    is_established = _condition(item, "Established").get("status") == "True"
    return READY if is_established else _not_yet(item, "is not established yet")


def _claim(item: Manifest) -> Readiness:
    # A pending one may wait for its first pod, which comes in a later unit.
    return _not_yet(item, "has lost its volume") if _status(item).get("phase") == "Lost" else READY


def _other(item: Manifest) -> Readiness:
    """Read the conditions that controllers of any kind agree on."""
    if "observedGeneration" in _status(item) and _is_unseen(item):
        return _not_yet(item, "has not been looked at yet")
    ready = _condition(item, "Ready")
    if ready.get("status", "True") != "True":
        return _not_yet(item, f"is not ready: {ready.get('reason', '')}: {ready.get('message', '')}")
    return READY


def _is_unseen(item: Manifest) -> bool:
    seen: int = _status(item).get("observedGeneration", 0)
    newest: int = item.get("metadata", {}).get("generation", 0)
    return seen < newest


def _not_yet(item: Manifest, why: str) -> Readiness:
    return Readiness(is_ready=False, message=f"{describe(item)} {why}")


def _said(item: Manifest, condition: Manifest) -> str:
    return f"{describe(item)}: {condition.get('reason', '')}: {condition.get('message', '')}"


def _status(item: Manifest) -> Manifest:
    status = item.get("status")
    return status if isinstance(status, dict) else {}


def _condition(item: Manifest, kind: str) -> Manifest:
    found = (one for one in _status(item).get("conditions") or [] if one.get("type") == kind)
    return next(found, {})


_RULES: dict[str, Callable[[Manifest], Readiness]] = {
    "Namespace": _namespace,
    "Deployment": _deployment,
    "StatefulSet": _deployment,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "Pod": _pod,
    "Service": _service,
    "Ingress": _ingress,
    "PersistentVolumeClaim": _claim,
    "CustomResourceDefinition": _definition,
}
