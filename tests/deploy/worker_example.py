"""The committed example of a worker's manifest: what ``cub worker install`` prints for TraderX's prod.

``python -m tests.deploy.worker_example`` writes it; a test keeps the committed file equal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from confighub.cli.output import as_yaml
from confighub.cli.worker_manifest import Installation, default_image, manifest
from traderx import topology

PROJECT = Path(__file__).resolve().parents[2]
FILE = PROJECT / "deploy" / "kubernetes" / "worker.yaml"
_HEADER = """\
# The worker of TraderX's prod with its rights, as `cub worker install` prints it: worker's name, id and hub are
# examples. Its Secret is made beside it (`--include-secret`). Written by `python -m tests.deploy.worker_example`.
"""


def documents() -> list[Any]:
    """Return what prod is made of, in its namespace."""
    files = [PROJECT / "confighub" / "base" / f"{row.slug}.yaml" for row in topology.units()]
    files += [PROJECT / "confighub" / "addons" / f"{one.slug}.yaml" for one in topology.addons("prod")]
    place = topology.namespace("prod")
    texts = [path.read_text(encoding="utf-8").replace(topology.PLACEHOLDER, place) for path in files]
    return [one for text in texts for one in yaml.safe_load_all(text)]


def text() -> str:
    """Return the manifest's text."""
    wanted = Installation(
        name="traderx-worker-prod",
        namespace="confighub",
        worker="traderx-worker-prod",
        worker_id="00000000-0000-4000-8000-000000000000",
        url="http://hub.confighub:9090",
        image=default_image(),
    )
    return _HEADER + "---\n".join(as_yaml(one) for one in manifest(wanted, documents()))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
