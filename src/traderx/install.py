"""The master definitions: the base space with its units, and the filters space with filters and sets.

Everything is made once; what is there is left as it is, so an interrupted installation is simply run again.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from confighub.client.collection import quoted
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.errors import NotFound
from traderx import topology
from traderx.project import SUFFIX, Project
from traderx.wording import counted

Say = Callable[[str], None]


def install_base(hub: HubClient, project: Project, say: Say, *, update: bool = False) -> str:
    """Make the project's base and filters spaces with all they hold, and return the project's name.

    ``update`` also brings units up to date whose files have changed since. Raises: NotFound when a unit's
    file is missing; whatever the hub refuses is raised before anything further is made.
    """
    name = _name(hub, project, say)
    base = ensure_space(hub, topology.SPACES[0], name, say)
    filters = ensure_space(hub, topology.SPACES[1], name, say)
    _ensure_units(hub, project, name, base, say, update=update)
    ensure_links(hub, base, "base", say)
    _ensure_filters(hub, name, filters, say)
    _ensure_sets(hub, name, filters, say)
    return name


def explain_base(project: Project) -> list[str]:
    """Return the lines that say what ``install_base`` makes."""
    try:
        name = project.name()
    except NotFound:
        name = f"<new prefix>{SUFFIX}"
    rows = topology.units()
    lines = [f"project {name}"]
    lines.append(f"space {name}-base: {len(rows)} units + {len(topology.addons('base'))} addons")
    lines += [f"  {row.slug} (order {row.order}) from confighub/base/{row.slug}.yaml" for row in rows]
    lines += [f"  {one.slug} (addon) from confighub/addons/{one.slug}.yaml" for one in topology.addons("base")]
    lines.append(f"space {name}-filters: {len(topology.FILTERS)} filters, {len(topology.SETS)} sets")
    lines += [f"  filter {one.slug}: {one.where.format(project=name)}" for one in topology.FILTERS]
    lines += [f"  set {one.slug}: {one.where(name)}" for one in topology.SETS]
    return lines


def ensure_space(hub: HubClient, row: topology.SpaceRow, project: str, say: Say) -> str:
    """Return the id of the space, making it when it is missing."""
    slug = row.slug(project)
    found = hub.spaces.list(where=f"Slug = {quoted(slug)}")
    if found:
        return str(found[0]["Space"]["SpaceID"])
    made = hub.spaces.create({"Slug": slug, "Labels": row.labels(project)})
    say(f"space {slug}: {row.purpose}")
    return str(made["SpaceID"])


def ensure_links(hub: HubClient, space_id: str, stage: str, say: Say, *, wanted: Collection[str] = ()) -> None:
    """Make the links that the stage lacks, each inside its own space.

    A clone whose upstream lives two stages back brings a link that leads there; it is made anew.
    """
    ids = unit_ids(hub, space_id)
    present = {one["Link"]["Slug"]: one["Link"] for one in hub.links.list(space_id=space_id, include="")}
    inside = {(one.get("FromUnitID"), one.get("ToUnitID")) for one in present.values()}
    made = 0
    for source, target in topology.links(stage, wanted):
        if (ids[source], ids[target]) in inside:
            continue
        slug = link_slug(source, target)
        if slug in present:
            hub.links.delete(present[slug]["LinkID"], space_id=space_id)
        link = {"Slug": slug, "FromUnitID": ids[source], "ToUnitID": ids[target], "ToSpaceID": space_id}
        hub.links.create({**link, "SpaceID": space_id}, space_id=space_id)
        made += 1
    if made:
        say(f"  {counted(made, 'link')}")


def link_slug(source: str, target: str) -> str:
    """Return the slug of the link from one unit to another."""
    return f"{source}-needs-{target}"


def unit_ids(hub: HubClient, space_id: str) -> dict[str, str]:
    """Return the ids of the space's units by slug."""
    records = hub.units.list(space_id=space_id, include="", select="UnitID,Slug")
    return {one["Unit"]["Slug"]: one["Unit"]["UnitID"] for one in records}


def _name(hub: HubClient, project: Project, say: Say) -> str:
    try:
        name = project.name()
    except NotFound:
        name = hub.new_prefix() + SUFFIX
        project.keep_name(name)
        say(f"project {name}: a new name, kept in {project.name_file.name}")
    return name


def _files(project: Project) -> dict[str, tuple[Path, Mapping[str, str]]]:
    """Return file and labels of every base unit, by slug, in the order of the table."""
    name = project.name()
    files: dict[str, tuple[Path, Mapping[str, str]]] = {}
    for row in topology.units():
        labels = row.labels(project=name, environment="base")
        files[row.slug] = (project.base_folder / f"{row.slug}.yaml", labels)
    for one in topology.addons("base"):
        labels = one.labels(project=name, environment="base")
        files[one.slug] = (project.addons_folder / f"{one.slug}.yaml", labels)
    missing = [str(path) for path, _ in files.values() if not path.is_file()]
    if missing:
        raise NotFound(f"unit files are missing: {', '.join(missing)}")
    return files


def _ensure_units(hub: HubClient, project: Project, name: str, space_id: str, say: Say, *, update: bool) -> None:
    present = {one["Unit"]["Slug"]: one["Unit"] for one in hub.units.list(space_id=space_id, include="")}
    made, changed = 0, 0
    for slug, (path, labels) in _files(project).items():
        data = b64encode(path.read_bytes()).decode()
        unit: Wire | None = present.get(slug)
        if unit is None:
            body = {"Slug": slug, "SpaceID": space_id, "ToolchainType": "Kubernetes/YAML", "Labels": dict(labels)}
            hub.units.create({**body, "Data": data}, space_id=space_id)
            made += 1
        elif update and unit.get("Data") != data:
            change = {"Data": data, "LastChangeDescription": f"the text of {path.name}"}
            hub.units.patch(unit["UnitID"], change, space_id=space_id)
            changed += 1
    if made:
        say(f"  {counted(made, 'unit')} made in {name}-base")
    if changed:
        say(f"  {counted(changed, 'unit')} of {name}-base brought up to date")


def _ensure_filters(hub: HubClient, name: str, space_id: str, say: Say) -> None:
    present = {one["Filter"]["Slug"] for one in hub.filters.list(space_id=space_id)}
    for one in topology.FILTERS:
        if one.slug not in present:
            body = {"Slug": one.slug, "SpaceID": space_id, "From": "Unit", "Where": one.where.format(project=name)}
            hub.filters.create({**body, "DisplayName": one.slug}, space_id=space_id)
            say(f"  filter {one.slug}: {one.use}")


def _ensure_sets(hub: HubClient, name: str, space_id: str, say: Say) -> None:
    present = {one["Set"]["Slug"] for one in hub.sets.list(space_id=space_id)}
    for one in topology.SETS:
        if one.slug not in present:
            body = {"Slug": one.slug, "SpaceID": space_id, "Where": one.where(name), "Labels": dict(one.labels)}
            hub.sets.create({**body, "DisplayName": one.slug}, space_id=space_id)
            say(f"  set {one.slug}: {one.purpose}")
