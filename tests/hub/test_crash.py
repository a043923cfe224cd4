from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.usecases import audit, people
from confighub.settings import HubSettings
from tests.hub.crash_writer import text_at
from tests.hub.scene import Scene


def run_and_kill(project: Path, settings: HubSettings, name: str, answers: int) -> list[tuple[str, int]]:
    """Let a writer give so many answers, kill it while it goes on, and return every answer it gave."""
    command = [sys.executable, "-m", "tests.hub.crash_writer", str(settings.data_dir), name]
    command.append(settings.database_url)
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(answers)]
        writer.kill()
        # What it said between the last line read and its end counts too; a cut line was not said.
        lines += writer.stdout.readlines()
    whole = [line for line in lines if line.endswith("\n")]
    return [(slug, int(revision)) for slug, revision in (line.split() for line in whole)]


def test_what_was_answered_survives_kill_9_and_nothing_is_half_done(project: Path, settings: HubSettings) -> None:
    answered: dict[str, int] = {}
    for round_, answers in enumerate((1, 5, 11)):
        answered |= dict(run_and_kill(project, settings, f"round{round_}", answers))

    hub = Hub(settings)
    organization = people.found(hub)
    scene = Scene(hub, Caller("", "reader", organization.organization_id or "", frozenset({"admin"})))
    units = {slug: scene.by_slug(slug) for slug in scene.slugs("Unit")}
    assert set(answered) <= set(units)
    for slug, unit in units.items():
        revisions = scene.revisions(unit)
        assert [one.revision_num for one in revisions] == list(range(1, unit.head_revision_num + 1))
        assert [one.data.decode() for one in revisions] == [text_at(one.revision_num) for one in revisions]
        assert unit.head_mutation_num == unit.head_revision_num >= answered.get(slug, 0)
    audit.sequence(hub)
    assert audit.verify(hub).is_intact
    hub.close()
