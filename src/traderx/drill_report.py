"""What a drill did and measured, beside what is promised.

Source: the seed, 9.1 (what is promised).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confighub.operations.disaster import Measured, Objective, Row, Runbook
from traderx.project import Project, replace_file

OBJECTIVES = {
    "service": Objective("single service failure", 30, 0, "supervision, and the worker's reapply"),
    "dev": Objective("environment failure (dev)", 5 * 60, 0, "bin/apply-all dev"),
    "prod": Objective("environment failure (prod)", 15 * 60, 0, "the last known good revisions, applied again"),
    "cluster": Objective("complete cluster failure", 60 * 60, 5 * 60, "bin/apply-all ENV --cluster NAME"),
    "hub": Objective("hub unavailable", 4 * 60 * 60, 0, "restore from backup and journal"),
    "data": Objective("data corruption", 4 * 60 * 60, 15 * 60, "database restored from its newest copy"),
}
"""What is promised, by our name for it. Source: the seed, 9.1."""


@dataclass
class Report:
    """What a drill did and measured."""

    environment: str
    target: str
    runbook: Runbook
    measured: dict[str, Measured] = field(default_factory=dict)
    error: str = ""

    @property
    def rows(self) -> list[Row]:
        """The table of what is promised, with what was measured beside it."""
        return [Row(one, self.measured.get(name, Measured())) for name, one in OBJECTIVES.items()]

    @property
    def is_well(self) -> bool:
        """Whether no step failed and no promise was missed."""
        has_failed = any(step.state == "failed" for step in self.runbook.steps)
        return not self.error and not has_failed and all(row.verdict != "missed" for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "environment": self.environment,
            "target": self.target,
            "ok": self.is_well,
            "error": self.error or None,
            "seconds": round(self.runbook.seconds, 2),
            "steps": [step.as_json() for step in self.runbook.steps],
            "table": [row.as_json() for row in self.rows],
        }


def keep_report(project: Project, report: Report) -> Path:
    """Write the report where the drills are, and return the file."""
    file = project.data / "drills" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{report.environment}.json"
    replace_file(file, json.dumps(report.as_json(), indent=2) + "\n")
    return file
