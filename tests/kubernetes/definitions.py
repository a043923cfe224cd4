"""The makers' own definitions of the custom kinds that addons use, for API servers of tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import miss
from tests.kubernetes.control_plane import Kube

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def definitions(*kinds: str) -> list[dict[str, Any]]:
    """Return the definitions of these kinds, without the marks of the charts that they come from.

    They are the files in the folder that KUBE_DEFINITIONS names, else what ``.ci/kubernetes/definitions`` fetched.
    Skips (fails under CI) when there are none.
    """
    kept = Path(os.environ.get("KUBE_HOME") or Path.home() / ".cache" / "kube-test") / "definitions"
    given = os.environ.get("KUBE_DEFINITIONS")
    if not given and not (kept / "wanted").is_file():
        miss("the definitions of custom kinds are missing: set KUBE_DEFINITIONS, or .ci/kubernetes/definitions")
    folder = Path(given) if given else kept
    found = []
    for path in sorted(folder.glob("*.yaml")):
        every = yaml.load_all(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        found += [
            {**one, "metadata": {"name": one["metadata"]["name"]}}
            for one in every
            if one and one["spec"]["names"]["kind"] in kinds
        ]
    return found


def is_served(kube: Kube, definition: dict[str, Any]) -> bool:
    """Tell whether the server answers for every version of the kind; it takes a moment to prepare a new one."""
    names, group = definition["spec"]["names"], definition["spec"]["group"]
    versions = [one["name"] for one in definition["spec"]["versions"] if one["served"]]
    paths = [f"/apis/{group}/{version}/{names['plural']}" for version in versions]
    return all(kube.call("GET", path).status_code == 200 for path in paths)
