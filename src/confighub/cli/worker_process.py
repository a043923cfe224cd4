"""``cub worker run``: hands a worker's identity and its options to the worker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confighub.client.session import hub_url
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire
    from confighub.worker.settings import WorkerSettings


def run_worker(call: Call) -> None:
    """Run the worker in this process until it is interrupted.

    Who it is comes from CONFIGHUB_WORKER_ID and CONFIGHUB_WORKER_SECRET when both are set, else from the
    hub in the name of whoever is logged in; a worker that the hub does not know yet is created. CONFIGHUB_NAMESPACES
    lists the namespaces that it may look into, with commas, for an account that may not look into all.
    Raises: BadRequest for options that do not fit.
    """
    from confighub.worker.main import run

    run(_settings(call))


def _settings(call: Call) -> WorkerSettings:
    from confighub.worker.durations import seconds
    from confighub.worker.settings import WorkerSettings

    worker_id, secret = os.environ.get("CONFIGHUB_WORKER_ID", ""), os.environ.get("CONFIGHUB_WORKER_SECRET", "")
    url, slug, poll_interval = hub_url(call.settings), call.arg("name"), ""
    if not (worker_id and secret):
        worker = _worker(call)
        worker_id, secret, slug = worker["BridgeWorkerID"], worker["Secret"], worker["Slug"]
        url, poll_interval = call.hub.transport.url, worker.get("PollInterval") or ""
    runtime = _folder(call, "runtime")
    if call.text("provider") == "laptop" and runtime is None:
        raise BadRequest("the laptop worker needs the runtime's folder", hint="add --runtime .traderx/runtime")
    try:
        scale = float(call.text("probe-delay-scale") or 1.0)
    except ValueError as error:
        raise BadRequest(f"--probe-delay-scale is not a number: {call.text('probe-delay-scale')}") from error
    return WorkerSettings(
        url=url,
        worker_id=worker_id,
        secret=secret,
        slug=slug or worker_id,
        state_dir=runtime or call.settings.config_dir,
        provider=call.text("provider"),
        runtime_dir=runtime,
        catalogue=_folder(call, "catalogue"),
        secrets_dir=_folder(call, "secrets"),
        environment=call.text("environment"),
        probe_delay_scale=scale,
        **_clusters(call),
        namespaces=tuple(os.environ.get("CONFIGHUB_NAMESPACES", "").replace(",", " ").split()),
        wait_timeout=call.text("wait-timeout"),
        poll_interval_s=seconds(poll_interval) if poll_interval else WorkerSettings.poll_interval_s,
    )


def _clusters(call: Call) -> dict[str, Any]:
    """Which clusters the worker reaches: the files of --kubeconfig or KUBECONFIG, else the one that it runs in."""
    from confighub.worker.kubernetes.target import kubeconfigs

    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    files = call.text("kubeconfig") or os.environ.get("KUBECONFIG", "")
    if host and not files:
        host = f"[{host}]" if ":" in host else host
        name = os.environ.get("IN_CLUSTER_TARGET_NAME", "")
        return {"in_cluster": f"https://{host}:{port}", "target_name": name}
    return {"kubeconfigs": kubeconfigs(files, Path.home()), "context": call.text("context")}


def _worker(call: Call) -> Wire:
    """The worker's record, made when there is none."""
    name = call.arg("name")
    if not name:
        raise BadRequest("which worker?", hint="cub worker run NAME, or set CONFIGHUB_WORKER_ID and _SECRET")
    try:
        found: Wire = call.hub.workers.find(name, space_id=call.space_id)["BridgeWorker"]
    except NotFound:
        return call.hub.workers.create({"Slug": name}, space_id=call.space_id)
    return found


def _folder(call: Call, option: str) -> Path | None:
    text = call.text(option)
    return Path(text).resolve() if text else None
