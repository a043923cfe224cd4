"""A target: its parameters, and how contexts of kubeconfigs become targets."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec


class Parameters(msgspec.Struct, rename="pascal", kw_only=True):
    """A target's parameters; the first two are those of the public worker.

    ``kube_context`` names a context of the worker's kubeconfig, by default its current one. An apply waits
    ``wait_timeout`` at most, and what was not ready at once has to stay so for ``stable_time``. With
    ``force_conflicts``, fields are taken from other field managers also where the object was not the unit's. With
    ``keep_additions``, what others add to the unit's objects stays.
    """

    kube_context: str = ""
    wait_timeout: str = ""
    stable_time: str = "500ms"
    force_conflicts: bool = False
    keep_additions: bool = False


def slug(name: str) -> str:
    """Return a context's name as the slug of its target."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def kubeconfigs(text: str, home: Path) -> tuple[Path, ...]:
    """Return the files that KUBECONFIG lists, by default the one in the home folder."""
    return tuple(Path(one) for one in text.split(":") if one) or (home / ".kube" / "config",)
