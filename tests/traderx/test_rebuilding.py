"""What must be so before an environment is removed, since afterwards it is too late."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from confighub.errors import BadRequest, Conflict, Gated
from confighub.operations.rollout.record import KEY
from tests.api.conftest import hub_process, shared_hub  # noqa: F401 - fixtures
from tests.api.running import HubProcess
from tests.operations.playing import PlayedWorker, make_stage
from tests.operations.rollout.shop import obey
from tests.traderx.conftest import Installed
from traderx import rebuilding
from traderx.environments import install_envs
from traderx.install import install_base
from traderx.project import find_project
from traderx.site import Site
from traderx.stack import Stack

SERVICE = "web-gui-service"


@pytest.fixture(scope="module")
def site(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A second project in the same hub, that these tests may change."""
    project = find_project(str(tmp_path_factory.mktemp("rebuilding")), environ={})
    said: list[str] = []
    install_base(installed.hub, project, said.append)
    install_envs(installed.hub, project, said.append)
    return Site(project, installed.hub, Stack(project, said.append), False, said.append)


@contextmanager
def rolled_out(site: Site) -> Iterator[None]:
    """Write down a canary in dev until the block ends."""
    unit = site.hub.unit(SERVICE, space_id=site.space_id("dev"))["Unit"]
    text = json.dumps({"kind": "canary", "service": "web-gui"})
    site.hub.units.patch(unit["UnitID"], {"Annotations": {KEY: text}}, space_id=unit["SpaceID"])
    yield
    site.hub.units.patch(unit["UnitID"], {"Annotations": {KEY: None}}, space_id=unit["SpaceID"])


def test_nothing_is_removed_while_a_rollout_is_under_way(site: Site) -> None:
    with rolled_out(site), pytest.raises(Conflict, match="a canary of web-gui is under way in dev"):
        rebuilding.refuse_destruction(site, "dev", lose_data=True)

    rebuilding.refuse_destruction(site, "dev", lose_data=False)


def test_prod_is_rebuilt_with_an_approval_only(site: Site) -> None:
    with pytest.raises(Gated, match="takes approved revisions only"):
        rebuilding.refuse_rebuilding(site, "prod", approve=False)
    with pytest.raises(BadRequest, match="base has no stage before it"):
        rebuilding.refuse_rebuilding(site, "base", approve=True)

    rebuilding.refuse_rebuilding(site, "prod", approve=True)


def test_what_a_gate_would_refuse_is_told_before_anything_is_removed(site: Site) -> None:
    before = site.hub.unit("web-gui-deployment", space_id=site.space_id("dev"))["Unit"]
    upstream = site.hub.unit("web-gui-deployment", space_id=site.space_id("base"))["Unit"]
    image = {"spec": {"template": {"metadata": {"annotations": {"note": "confighubplaceholder"}}}}}
    site.hub.units.patch_data(upstream["UnitID"], image, space_id=upstream["SpaceID"], change_desc="not yet said")

    with pytest.raises(Gated, match="gates would be closed"):
        rebuilding.refuse_rebuilding(site, "dev", approve=True)

    after = site.hub.unit("web-gui-deployment", space_id=site.space_id("dev"))["Unit"]
    assert after["HeadRevisionNum"] == before["HeadRevisionNum"]


def test_a_database_of_a_cluster_is_known_by_its_volumes(site: Site) -> None:
    texts = {name: (site.project.addons_folder / f"{name}.yaml").read_text() for name in ("postgresql", "cache")}

    assert {name: rebuilding.has_volumes(text) for name, text in texts.items()} == {"postgresql": True, "cache": False}


def test_what_stands_beside_a_version_is_removed_too(shared_hub: HubProcess, tmp_path: Path) -> None:  # noqa: F811
    stage = make_stage(shared_hub, "odd-badger-traderx-dev", environment="dev")
    project = find_project(str(tmp_path), environ={})
    project.keep_name("odd-badger-traderx")
    site = Site(project, stage.hub, Stack(project, lambda _: None), False, lambda _: None)
    with PlayedWorker(stage.worker, decide=obey):
        for slug, labels in (("shop", {"order": "5"}), ("shop-green", {"active": "false"})):
            unit = stage.unit(slug, None, Labels={"service": "shop", **labels})
            stage.hub.units.wait(stage.hub.units.apply(unit, space_id=stage.space_id))

        number = rebuilding.destroy(site, "dev", timeout_s=30)

    assert number == 2
    live = stage.hub.units.list(where="LiveRevisionNum > 0", space_id=stage.space_id, include="")
    assert live == []
