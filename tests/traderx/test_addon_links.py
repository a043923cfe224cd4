"""Services are told by their links where the database and the cache are, and follow them (pattern 12)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from confighub.client.collection import quoted
from confighub.operations.promote import preview, promote
from tests.traderx.conftest import Installed, documents
from traderx import topology
from traderx.environments import explain_envs, install_envs
from traderx.install import install_base
from traderx.project import find_project

ADDONS = ("postgresql", "cache")


@pytest.fixture(scope="module")
def extended(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A second project on the same hub, with the addons that are there only when asked for."""
    project, said = find_project(str(tmp_path_factory.mktemp("extended")), environ={}), list[str]()
    install_base(installed.hub, project, said.append)
    install_envs(installed.hub, project, said.append, wanted=ADDONS)
    return Installed(project, installed.hub, said)


def variables(installed: Installed, stage: str, service: str) -> dict[str, Any]:
    """Return the environment of a service's container, values by name."""
    (found,) = documents(installed.text(stage, f"{service}-deployment"))
    (container,) = found["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value") for one in container["env"]}


def answer_at(installed: Installed, stage: str, slug: str, port: int, *, before: int) -> None:
    """Have the addon's Service answer at another port."""
    text = installed.text(stage, slug)
    assert f"port: {before}\n    targetPort" in text
    data = text.replace(f"port: {before}\n    targetPort", f"port: {port}\n    targetPort")
    change = {"Data": b64encode(data.encode()).decode()}
    installed.hub.units.patch(installed.units(stage)[slug]["UnitID"], change, space_id=installed.space_id(stage))


@pytest.mark.requirement("R-217")
@pytest.mark.parametrize("environment", topology.ENVIRONMENTS)
def test_the_link_says_where_the_addon_answers(extended: Installed, environment: str) -> None:
    for one in topology.SERVICES:
        found = variables(extended, environment, one.name)
        told = {name: value for name, value in found.items() if name.startswith(("PG", "CACHE_"))}

        wanted = {"PGHOST": "postgresql", "PGPORT": "5432"} if one.name in topology.DATABASE_CLIENTS else {}
        wanted |= {"CACHE_HOST": "cache", "CACHE_PORT": "6379"} if one.name == "trade-service" else {}
        assert told == wanted, one.name


@pytest.mark.requirement("R-217")
@pytest.mark.parametrize("environment", topology.ENVIRONMENTS)
def test_the_history_says_that_a_link_of_this_environment_did_it(extended: Installed, environment: str) -> None:
    space_id, units = extended.space_id(environment), extended.units(environment)
    links = {one["Link"]["LinkID"]: one["Link"] for one in extended.hub.links.list(space_id=space_id)}

    records = extended.hub.units.mutations(units["account-service-deployment"]["UnitID"], space_id=space_id)

    made = {
        (links[one["Mutation"]["LinkID"]]["ToUnitID"], one["Mutation"]["ProvidedPath"])
        for one in records
        if one["Mutation"].get("LinkID") in links
    }
    database = units["postgresql"]["UnitID"]
    assert {(database, "metadata.name"), (database, "spec.ports.0.port")} <= made


def test_the_addon_lives_in_the_namespace_and_every_client_is_linked_once(extended: Installed) -> None:
    found = documents(extended.text("staging", "postgresql"))
    unit = extended.units("staging")["postgresql"]
    links = [one["Link"] for one in extended.hub.links.list(space_id=extended.space_id("staging"))]

    assert {one["metadata"]["namespace"] for one in found} == {"traderx-staging"}
    assert unit["UnitID"] in {one["FromUnitID"] for one in links}
    assert [one["ToUnitID"] for one in links].count(unit["UnitID"]) == len(topology.DATABASE_CLIENTS)


def test_nothing_secret_and_no_gate_came_along(extended: Installed) -> None:
    for unit in extended.units("staging").values():
        assert not unit["ApplyGates"], unit["Slug"]

    text = extended.text("staging", "trade-service-deployment")

    assert "DATABASE_URL" not in variables(extended, "staging", "trade-service")
    assert "traderx_user" not in text


def test_made_again_nothing_changes(extended: Installed) -> None:
    before = {slug: unit["HeadRevisionNum"] for slug, unit in extended.units("prod").items()}

    install_envs(extended.hub, extended.project, print, wanted=ADDONS)

    assert {slug: unit["HeadRevisionNum"] for slug, unit in extended.units("prod").items()} == before


@pytest.mark.requirement("R-217")
def test_a_port_that_changes_is_followed_in_its_own_environment_alone(extended: Installed) -> None:
    answer_at(extended, "staging", "postgresql", 5433, before=5432)

    ports = {
        (stage, name): variables(extended, stage, name)["PGPORT"]
        for stage in topology.ENVIRONMENTS
        for name in topology.DATABASE_CLIENTS
    }
    answer_at(extended, "staging", "postgresql", 5432, before=5433)
    assert ports == {(stage, name): "5433" if stage == "staging" else "5432" for stage, name in ports}
    assert variables(extended, "staging", "trade-service")["PGPORT"] == "5432"


def test_a_promotion_leaves_each_environment_its_own_address(extended: Installed) -> None:
    answer_at(extended, "dev", "cache", 6380, before=6379)
    assert variables(extended, "dev", "trade-service")["CACHE_PORT"] == "6380"

    promotion = preview(extended.hub, source=extended.project.space("dev"), target=extended.project.space("staging"))
    promote(extended.hub, promotion)

    found = variables(extended, "staging", "trade-service")["CACHE_PORT"]
    answer_at(extended, "dev", "cache", 6379, before=6380)
    assert promotion.changes
    assert found == "6379"


def test_an_addon_that_was_away_is_linked_anew(extended: Installed) -> None:
    take_out(extended, "cache", "prod")
    install_envs(extended.hub, extended.project, print, wanted=ADDONS)

    answer_at(extended, "prod", "cache", 6381, before=6379)

    assert variables(extended, "prod", "trade-service")["CACHE_PORT"] == "6381"
    answer_at(extended, "prod", "cache", 6379, before=6381)


def test_an_addon_whose_installation_was_interrupted_is_finished_by_the_next(extended: Installed) -> None:
    base, dev = extended.space_id("base"), extended.space_id("dev")
    take_out(extended, "cache", "dev")
    extended.hub.units.create_all(
        {"Labels": {"environment": "dev"}},
        where=f"Slug = 'cache' AND SpaceID = {quoted(base)}",
        where_space=f"SpaceID = {quoted(dev)}",
    )

    install_envs(extended.hub, extended.project, print)

    found = documents(extended.text("dev", "cache"))
    assert {one["metadata"]["namespace"] for one in found} == {"traderx-dev"}
    assert variables(extended, "dev", "trade-service")["CACHE_HOST"] == "cache"


def test_where_no_addon_was_asked_for_nothing_is_told(installed: Installed) -> None:
    for name in topology.DATABASE_CLIENTS:
        assert "PGHOST" not in variables(installed, "dev", name)


def test_what_links_will_tell_is_said_beforehand(extended: Installed) -> None:
    lines = explain_envs(extended.name, ["postgresql"])

    assert "  account-service-deployment: PGHOST and PGPORT by its link to postgresql" in lines


def take_out(installed: Installed, slug: str, environment: str) -> None:
    """Remove the unit and the links to it from an environment."""
    space_id, unit_id = installed.space_id(environment), installed.units(environment)[slug]["UnitID"]
    for one in installed.hub.links.list(space_id=space_id):
        if unit_id in (one["Link"]["FromUnitID"], one["Link"]["ToUnitID"]):
            installed.hub.links.delete(one["Link"]["LinkID"], space_id=space_id)
    installed.hub.units.delete(unit_id, space_id=space_id)
