"""The two published descriptions of TraderX, written from the one table.

``python -m traderx.maps`` writes them into the current folder; a test keeps the committed files equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from traderx import topology
from traderx.regions import REGIONS, Region

TOPOLOGY_FILE = "confighub-topology.yaml"
DEPENDENCY_FILE = "service-dependency-map.json"
SEED_UNIT_TOTAL = 85
"""What the seed counts by putting 17 units into the filters space, where none belongs."""

_PROJECT = "${prefix}-traderx"
_HEADER = "# Generated from src/traderx/topology.py by `python -m traderx.maps`; change it there.\n"


def topology_text() -> str:
    """Return the text of ``confighub-topology.yaml``: spaces, units, addons, filters, sets, workers, environments."""
    document = {
        "baseline": topology.BASELINE,
        "project": _PROJECT,
        "totals": _totals(),
        "spaces": [_space(row) for row in topology.SPACES],
        "units": [_unit(row) for row in topology.units()],
        "addons": [
            {
                "slug": one.slug,
                "about": one.about,
                "environments": list(one.environments),
                **({} if one.is_wanted else {"onlyWhenAskedFor": True}),
            }
            for one in topology.ADDONS
        ],
        "links": [{"from": source, "to": target} for source, target in topology.deployment_links()],
        "filters": [
            {"slug": one.slug, "from": "Unit", "where": one.where.format(project=_PROJECT), "use": one.use}
            for one in topology.FILTERS
        ],
        "sets": [
            {"slug": one.slug, "purpose": one.purpose, "members": list(one.services), "labels": dict(one.labels)}
            for one in topology.SETS
        ],
        "workers": [_worker(environment) for environment in topology.ENVIRONMENTS],
        "regions": [_region(one) for one in REGIONS],
        "environments": {environment: _environment(environment) for environment in topology.ENVIRONMENTS},
    }
    return _HEADER + yaml.safe_dump(document, sort_keys=False, width=110, allow_unicode=True)


def dependency_text() -> str:
    """Return the text of ``service-dependency-map.json``: who needs whom, in deployment order."""
    document = {
        "baseline": topology.BASELINE,
        "services": [_service(one) for one in topology.SERVICES] + [_ingress()],
        "deploymentOrder": ["namespace", *(one.name for one in topology.SERVICES), "ingress"],
        "criticalPath": [one.name for one in topology.SERVICES if one.critical],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> None:
    """Write both files into the folder."""
    (folder / TOPOLOGY_FILE).write_text(topology_text(), encoding="utf-8")
    (folder / DEPENDENCY_FILE).write_text(dependency_text(), encoding="utf-8")


def _totals() -> dict[str, int]:
    per_stage = len(topology.units())
    return {
        "spaces": len(topology.SPACES),
        "unitsPerEnvironment": per_stage,
        "units": per_stage * len(topology.STAGES),
        "unitsAsTheSeedCounts": SEED_UNIT_TOTAL,
        "addonsInBase": len(topology.addons("base")),
        "addonsPerEnvironment": len(topology.addons("dev")),
        "filters": len(topology.FILTERS),
        "sets": len(topology.SETS),
        "workers": len(topology.ENVIRONMENTS),
    }


def _space(row: topology.SpaceRow) -> dict[str, Any]:
    stage = row.suffix
    upstream = {"dev": "base", "staging": "dev", "prod": "staging"}.get(stage)
    holds = {"filters": len(topology.FILTERS), "sets": len(topology.SETS)}
    return {
        "slug": row.slug(_PROJECT),
        "purpose": row.purpose,
        **({"upstream": topology_slug(upstream)} if upstream else {}),
        **(holds if stage == "filters" else {"units": len(topology.units())}),
        "labels": row.labels(_PROJECT),
    }


def topology_slug(stage: str) -> str:
    """Return the space of a stage with the prefix left open."""
    return f"{_PROJECT}-{stage}"


def _unit(row: topology.UnitRow) -> dict[str, Any]:
    labels = row.labels(project=_PROJECT, environment="base")
    return {"slug": row.slug, "kind": row.kind, "file": f"confighub/base/{row.slug}.yaml", "labels": labels}


def _worker(environment: topology.Environment) -> dict[str, Any]:
    return {
        "slug": topology.worker(_PROJECT, environment),
        "space": topology_slug(environment),
        "pollInterval": topology.POLL_INTERVAL,
        "autoApply": topology.AUTO_APPLY[environment],
    }


def _region(one: Region) -> dict[str, Any]:
    return {
        "name": one.name,
        "role": one.role,
        "space": topology_slug(one.environment),
        "target": one.target,
        "worker": topology.worker(_PROJECT, one.environment),
        "workers": one.workers,
        "expectedLatencyMs": one.latency_ms,
    }


def _environment(environment: topology.Environment) -> dict[str, Any]:
    sizes = {}
    for one in topology.SERVICES:
        size = one.size(environment)
        sizes[one.name] = {"replicas": size.replicas, "cpu": size.cpu, "memory": size.memory}
    return {
        "namespace": topology.namespace(environment),
        "host": topology.INGRESS_HOSTS[environment],
        "services": sizes,
    }


def _service(one: topology.Service) -> dict[str, Any]:
    return {
        "name": one.name,
        "order": one.order,
        "port": one.port,
        "technology": one.tech,
        "layer": one.layer,
        "critical": one.critical,
        "criticalPath": one.importance,
        "protocol": one.protocol,
        "dependsOn": list(one.needs),
        "dependedBy": list(topology.dependents(one.name)),
        "units": [f"{one.name}-deployment", *([f"{one.name}-service"] if one.port else [])],
    }


def _ingress() -> dict[str, Any]:
    return {
        "name": "ingress",
        "order": topology.INGRESS_ORDER,
        "port": 443,
        "technology": "nginx",
        "layer": "infra",
        "critical": False,
        "criticalPath": "HIGH",
        "protocol": "HTTP/HTTPS",
        "dependsOn": list(topology.INGRESS_NEEDS),
        "dependedBy": ["external users"],
        "units": ["ingress"],
    }


if __name__ == "__main__":
    write(Path.cwd())
