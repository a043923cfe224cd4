"""A second place on this machine for an environment: another runtime, with its own addresses, secrets and database.

To the hub it is one more target of the environment's worker, so moving there is what moving to another cluster is.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from confighub.client.collection import quoted
from traderx.project import Project, replace_file
from traderx.secrets import DATABASE_SECRET, database_secret
from traderx.site import Site
from traderx.workers import ensure_extra_laptop_target, ensure_worker


@dataclass(frozen=True)
class Place:
    """One such place: the slug of its target, and its folder in the project's state."""

    project: Project
    slug: str
    environment: str

    @property
    def folder(self) -> Path:
        """Where everything of the place is."""
        return self.project.data / "places" / self.slug

    @property
    def runtime_folder(self) -> Path:
        """The folder of the place's runtime."""
        return self.folder / "runtime"

    @property
    def secrets_folder(self) -> Path:
        """The folder with the secrets that the place's services get."""
        return self.folder / "secrets"

    @property
    def process(self) -> str:
        """The name of the runtime among the project's processes."""
        return f"runtime-{self.slug}"

    @property
    def database_url(self) -> str:
        """The database of the place, an SQLite file."""
        return f"sqlite:///{self.folder / 'database.sqlite'}"


def set_up(site: Site, place: Place, *, database_url: str = "") -> str:
    """Run the place's runtime and make its target, and return the target's slug.

    Nothing is pointed at it. ``database_url`` is for services whose database is elsewhere.
    """
    if not (place.secrets_folder / f"{DATABASE_SECRET}.json").exists():
        place.secrets_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = database_secret(database_url or place.database_url)
        replace_file(place.secrets_folder / f"{DATABASE_SECRET}.json", json.dumps(content, indent=2) + "\n", mode=0o600)
    site.stack.ensure_runtime_in(place.process, place.runtime_folder)
    worker = ensure_worker(site.hub, site.project, place.environment, site.say)
    ensure_extra_laptop_target(
        site.hub,
        site.project,
        place.environment,
        worker,
        site.say,
        slug=place.slug,
        runtime=place.runtime_folder,
        secrets=place.secrets_folder,
    )
    return place.slug


def tear_down(site: Site, place: Place) -> None:
    """End the place's runtime with all that runs in it, and take its target and its folder away.

    Nothing may point at the target any more.
    """
    site.stack.processes.stop_all([place.process])
    site.stack.processes.forget(place.process)
    space_id = site.space_id(place.environment)
    for one in site.hub.targets.list(where=f"Slug = {quoted(place.slug)}", space_id=space_id):
        site.hub.targets.delete(one["Target"]["TargetID"], space_id=space_id)
    shutil.rmtree(place.folder, ignore_errors=True)
