"""What is made for clusters is as ready on this machine as it will be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from confighub.hub.domain.live_view import live_status
from confighub.worker import readiness
from tests.runtime.running import Running, until


def test_the_database_for_clusters_is_reported_and_not_waited_for(daemon: Running, project: Path) -> None:
    text = (project / "confighub" / "addons" / "postgresql.yaml").read_text(encoding="utf-8")
    daemon.apply(*yaml.safe_load_all(text))

    def live() -> list[dict[str, Any]]:
        return list(daemon.call("GET", "/environments/dev/objects").json())

    until(lambda: readiness.of_objects(live()).is_ready, because=lambda: readiness.of_objects(live()).message)

    assert {one["kind"] for one in live()} == {"Service", "NetworkPolicy", "StatefulSet"}
    assert "not supported here: StatefulSet" in readiness.of_objects(live()).message
    assert live_status(json.dumps(live()).encode()).status == "Running"
