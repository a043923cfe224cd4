"""The regions of prod: data about each, and spaces cloned one from the other in one hub."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from confighub.errors import BadRequest
from confighub.operations.deploy import read_units
from confighub.operations.retarget import retarget
from tests.traderx.conftest import Installed
from traderx import maps, regions, up
from traderx.environments import install_envs
from traderx.git_backup import commit_backup
from traderx.install import install_base
from traderx.project import find_project
from traderx.site import Site
from traderx.stack import Stack, worker_process
from traderx.workers import ensure_extra_laptop_target, ensure_worker

EAST, WEST, CENTRAL = regions.REGIONS


@pytest.fixture(scope="module")
def site(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A second project in the same hub, that these tests may add to."""
    project = find_project(str(tmp_path_factory.mktemp("regions")), environ={})
    said: list[str] = []
    install_base(installed.hub, project, said.append)
    install_envs(installed.hub, project, said.append)
    return Site(project, installed.hub, Stack(project, said.append), False, said.append)


def test_nothing_is_claimed_of_regions_that_nobody_made(site: Site) -> None:
    central = regions.look(site)[-1].as_json()

    assert (central["there"], central["units"], central["answerMs"]) == (False, 0, None)
    assert "not made" in list(regions.lines(regions.look(site)))[-1]


@pytest.mark.requirement("R-303", "R-304", "R-305")
def test_a_region_says_its_role_workers_target_and_expected_latency() -> None:
    described = yaml.safe_load(maps.topology_text())["regions"]

    assert [(one["name"], one["role"], one["expectedLatencyMs"], one["workers"]) for one in described] == [
        ("us-east-1", "primary", 0, 3),
        ("us-west-2", "secondary", 50, 3),
        ("eu-central-1", "tertiary", 100, 3),
    ]
    assert [one["target"] for one in described] == [
        "traderx-prod-us-east-1",
        "traderx-prod-us-west-2",
        "traderx-prod-eu-central-1",
    ]


@pytest.mark.requirement("R-302", "R-308", "R-309")
def test_each_region_is_cloned_from_the_one_before(site: Site) -> None:
    ids = [regions.ensure_region(site, one) for one in (EAST, WEST)]

    hub = site.hub
    prod, east, west = (
        {one["Unit"]["Slug"]: one["Unit"] for one in hub.units.list(space_id=space_id)}
        for space_id in (site.space_id("prod"), *ids)
    )
    assert set(prod) == set(east) == set(west)
    assert {slug: unit["UpstreamUnitID"] for slug, unit in east.items()} == {
        slug: unit["UnitID"] for slug, unit in prod.items()
    }
    assert {slug: unit["UpstreamUnitID"] for slug, unit in west.items()} == {
        slug: unit["UnitID"] for slug, unit in east.items()
    }
    assert {unit["Labels"]["region"] for unit in west.values()} == {"us-west-2"}
    assert {unit["Data"] for unit in west.values()} == {unit["Data"] for unit in prod.values()}
    inside = {unit["UnitID"] for unit in west.values()}
    links = [one["Link"] for one in hub.links.list(space_id=ids[1])]
    assert links
    assert {one["ToUnitID"] for one in links} <= inside
    assert regions.ensure_region(site, WEST) == ids[1]


def test_a_unit_that_was_cloned_later_goes_where_the_others_are(site: Site, tmp_path: Path) -> None:
    space_id = regions.ensure_region(site, EAST)
    worker = ensure_worker(site.hub, site.project, EAST.environment, site.say)
    target_id = ensure_extra_laptop_target(
        site.hub,
        site.project,
        EAST.environment,
        worker,
        site.say,
        slug=EAST.target,
        runtime=tmp_path,
        secrets=tmp_path,
    )
    space = site.project.space(EAST.environment)
    retarget(site.hub, space=space, space_id=space_id, target=EAST.target, say=site.say)
    late = site.hub.unit("web-gui-deployment", space_id=space_id)["Unit"]["UnitID"]
    site.hub.units.patch(late, {"TargetID": None}, space_id=space_id)
    assert {unit.target_id for unit in read_units(site.hub, space_id)} == {"", target_id}

    regions._ensure_place(site, EAST, space_id)

    assert {unit.target_id for unit in read_units(site.hub, space_id)} == {target_id}


@pytest.mark.parametrize(("first", "last"), [(WEST, EAST), (CENTRAL, WEST)])
def test_regions_go_one_way(first: regions.Region, last: regions.Region) -> None:
    with pytest.raises(BadRequest, match="comes before"):
        regions.between(first, last)


def test_up_starts_the_worker_of_a_region_again(site: Site) -> None:
    name = worker_process(EAST.environment)
    regions.ensure_region(site, EAST)
    ensure_worker(site.hub, site.project, EAST.environment, site.say)
    said: list[str] = []
    try:
        site.stack.processes.start(name, [sys.executable, "-c", "it has ended", "--space", "a-space"])
        up._restart_others(Site(site.project, site.hub, site.stack, False, said.append))
    finally:
        site.stack.processes.stop_all([name])
        site.stack.processes.forget(name)

    # nobody is logged in here, so it was started, and ended
    (line,) = said
    assert line.startswith(f"{EAST.environment}: {name} did not come up")


@pytest.mark.requirement("R-287")
def test_a_backup_in_git_reads_as_the_history_of_the_units(site: Site, tmp_path: Path) -> None:
    repository, upstream = tmp_path / "history", tmp_path / "upstream.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(upstream)], check=True)
    first = commit_backup(site, repository, push=False, say=lambda _: None)
    git(repository, "remote", "add", "origin", str(upstream))
    (repository / "notes.txt").write_text("a person's own")
    git(repository, "add", "notes.txt")
    unit = site.hub.unit("web-gui-deployment", space_id=site.space_id("dev"))["Unit"]
    site.hub.units.patch_data(unit["UnitID"], {"spec": {"replicas": 7}}, space_id=unit["SpaceID"], change_desc="busy")

    again = commit_backup(site, repository, push=True, say=lambda _: None)

    assert first.files > 60
    assert again.files == 1
    shown = git(repository, "log", "-p", "-1", "main")
    assert "    ConfigHub backup 20" in shown
    assert "alice@example.com: update dev/web-gui-deployment (busy)" in shown
    assert "+  replicas: 7" in shown
    assert git(upstream, "rev-parse", "main").strip() == again.commit
    assert git(repository, "status", "--porcelain") == "A  notes.txt\n"
    assert commit_backup(site, repository, push=False, say=lambda _: None).commit == ""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout
