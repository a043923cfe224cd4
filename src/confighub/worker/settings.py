"""How one worker runs. Nothing in this package reads the environment; its caller does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WorkerSettings:
    """A worker's identity and what it reaches.

    ``url`` is the hub's, ``state_dir`` where finished operations are remembered over restarts.
    With ``environment`` set, the worker offers one target named after itself with the laptop's
    parameters; the folders then go into it as absolute paths.
    A Kubernetes worker offers the contexts of ``kubeconfigs``, or the one ``context``; with ``in_cluster``, the URL of
    the API server, it offers the cluster that it runs in, as ``target_name``. ``namespaces`` are those in which it
    looks for its units' objects where it may not look in all.
    """

    url: str
    worker_id: str
    secret: str
    slug: str
    state_dir: Path
    provider: str = "laptop"
    runtime_dir: Path | None = None
    catalogue: Path | None = None
    secrets_dir: Path | None = None
    environment: str = ""
    probe_delay_scale: float = 1.0
    wait_timeout: str = "60s"
    kubeconfigs: tuple[Path, ...] = ()
    context: str = ""
    in_cluster: str = ""
    target_name: str = ""
    namespaces: tuple[str, ...] = ()
    poll_interval_s: float = 10.0
    offers_functions: bool = True
