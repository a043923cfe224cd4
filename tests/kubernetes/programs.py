"""Where the programs of a Kubernetes control plane are on this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

NEEDED = ("etcd", "kube-apiserver")
MORE = ("kube-controller-manager", "kube-scheduler", "kwok")
"""What an API server alone does not do: controllers, placing pods, and nodes that pretend to run them."""

CACHE = Path.home() / ".cache" / "kube-test" / "bin"

WAYS = (
    "set KUBECONFIG_TEST to a cluster for tests, or KUBEBUILDER_ASSETS to a folder with the programs "
    "(setup-envtest use -p path gives etcd and kube-apiserver), or build them with Go: .ci/kubernetes/build"
)


def program(name: str) -> Path | None:
    """Return where the program is: KUBEBUILDER_ASSETS, then PATH, then the cache; None when it is nowhere."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / name).is_file():
        return Path(assets) / name
    found = shutil.which(name)
    if found:
        return Path(found)
    return CACHE / name if (CACHE / name).is_file() else None


def need(*names: str) -> dict[str, Path]:
    """Return the programs, else skip with the ways to get them; under CI a missing one is a failure."""
    found = {name: program(name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        message = f"{', '.join(missing)} missing: {WAYS}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return {name: path for name, path in found.items() if path}
