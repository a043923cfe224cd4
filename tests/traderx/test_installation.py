"""The five spaces as they are installed: units, labels, clones, differences, links, filters, sets."""

from __future__ import annotations

import pytest

from confighub.client.collection import quoted
from confighub.client.functions import call
from confighub.errors import NotFound
from tests.traderx.conftest import Installed, documents
from traderx import topology
from traderx.environments import install_envs
from traderx.install import install_base

STAGES = topology.STAGES


@pytest.mark.requirement("R-014", "R-015", "R-016", "R-017", "R-018", "R-019", "R-048", "R-038")
def test_five_spaces_belong_to_one_organization(installed: Installed) -> None:
    found = installed.hub.spaces.list(where=f"Labels.project = {quoted(installed.name)}")

    assert sorted(one["Space"]["Slug"] for one in found) == sorted(
        f"{installed.name}-{suffix}" for suffix in ("base", "dev", "filters", "prod", "staging")
    )
    assert len({one["Space"]["OrganizationID"] for one in found}) == 1


@pytest.mark.requirement("R-040", "R-041", "R-042", "R-043", "R-044")
@pytest.mark.requirement("R-031", "R-032", "R-033", "R-034", "R-035", "R-036", "R-037")
@pytest.mark.parametrize(
    ("stage", "labels"),
    [
        ("base", {"environment": "base"}),
        ("filters", {"type": "filters"}),
        ("dev", {"environment": "dev", "env": "dev", "targetable": "true"}),
        ("staging", {"environment": "staging", "env": "staging", "targetable": "true"}),
        ("prod", {"environment": "prod", "env": "prod", "targetable": "true", "critical": "true"}),
    ],
)
def test_spaces_carry_their_labels(installed: Installed, stage: str, labels: dict[str, str]) -> None:
    space = installed.hub.space(installed.project.space(stage))

    assert space["Labels"] == {"project": installed.name, **labels}


@pytest.mark.requirement("R-024", "R-045", "R-046", "R-047", "R-049")
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_seventeen_units_beside_its_addons(installed: Installed, stage: str) -> None:
    ordered = installed.units(stage, "Labels.order IS NOT NULL")
    extra = installed.units(stage, "Labels.type = 'addon'")

    assert set(ordered) == {row.slug for row in topology.units()}
    assert set(extra) == {one.slug for one in topology.addons(stage)}
    assert len(installed.units(stage)) == len(ordered) + len(extra)


@pytest.mark.requirement("R-004", "R-028", "R-207", "R-209", "R-220")
@pytest.mark.parametrize(("stage", "before"), [("dev", "base"), ("staging", "dev"), ("prod", "staging")])
def test_units_know_the_stage_they_come_from(installed: Installed, stage: str, before: str) -> None:
    upstream = installed.units(before)
    for row in topology.units():
        unit = installed.units(stage, f"Slug = {quoted(row.slug)}")[row.slug]

        assert unit["UpstreamUnitID"] == upstream[row.slug]["UnitID"]


@pytest.mark.requirement("R-027", "R-083", "R-084", "R-085", "R-086", "R-087", "R-088", "R-089")
@pytest.mark.parametrize("stage", STAGES)
def test_units_carry_the_labels_of_the_table(installed: Installed, stage: str) -> None:
    found = installed.units(stage)
    for row in topology.units():
        wanted = row.labels(project=installed.name, environment=stage)
        labels = found[row.slug]["Labels"]

        assert labels == wanted | ({} if stage == "base" else {"targetable": "true"}), row.slug


@pytest.mark.requirement("R-323", "R-345")
def test_base_units_are_the_files_byte_for_byte(installed: Installed) -> None:
    for row in topology.units():
        path = installed.project.base_folder / f"{row.slug}.yaml"

        assert installed.text("base", row.slug) == path.read_text(encoding="utf-8")


@pytest.mark.requirement("R-324", "R-345")
@pytest.mark.parametrize("environment", topology.ENVIRONMENTS)
def test_everything_of_an_environment_is_in_its_namespace(installed: Installed, environment: str) -> None:
    elsewhere = {one.slug for one in topology.ADDONS if not one.is_inside}
    for slug in installed.units(environment):
        for one in documents(installed.text(environment, slug)) if slug not in elsewhere else []:
            named = one["metadata"]["name"] if one["kind"] == "Namespace" else one["metadata"]["namespace"]

            assert named == f"traderx-{environment}", slug


@pytest.mark.parametrize("environment", topology.ENVIRONMENTS)
def test_no_gate_is_closed_but_the_approval_of_prod(installed: Installed, environment: str) -> None:
    closed = {gate for unit in installed.units(environment).values() for gate in unit["ApplyGates"]}

    assert closed == ({"approval/is-approved"} if environment == "prod" else set())


def test_base_units_cannot_be_applied_as_they_are(installed: Installed) -> None:
    closed = installed.units("base")["trade-service-deployment"]["ApplyGates"]

    assert "placeholders/no-placeholders" in closed


@pytest.mark.requirement("R-326", "R-342", "R-343", "R-335")
@pytest.mark.parametrize(
    ("environment", "replicas", "requests", "limits"),
    [
        ("dev", 1, {"cpu": "250m", "memory": "256Mi"}, {"cpu": 0.5, "memory": 512}),
        ("staging", 1, {"cpu": "250m", "memory": "256Mi"}, {"cpu": 0.5, "memory": 512}),
        ("prod", 3, {"cpu": "500m", "memory": "512Mi"}, {"cpu": 1.0, "memory": 1024}),
    ],
)
def test_trade_service_has_the_size_that_the_seed_says(
    installed: Installed, environment: str, replicas: int, requests: dict[str, str], limits: dict[str, float]
) -> None:
    (found,) = documents(installed.text(environment, "trade-service-deployment"))
    (container,) = found["spec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one["value"] for one in container["env"]}

    assert found["spec"]["replicas"] == replicas
    assert container["resources"]["requests"] == requests
    assert {
        "cpu": cores(str(container["resources"]["limits"]["cpu"])),
        "memory": mebibytes(container["resources"]["limits"]["memory"]),
    } == limits
    assert variables["ASPNETCORE_ENVIRONMENT"] == environment.capitalize()


def cores(quantity: str) -> float:
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def mebibytes(quantity: str) -> float:
    factor = {"Mi": 1, "Gi": 1024}[quantity[-2:]]
    return float(quantity[:-2]) * factor


@pytest.mark.parametrize("environment", topology.ENVIRONMENTS)
def test_comments_and_everything_else_stay_as_in_the_base(installed: Installed, environment: str) -> None:
    base = installed.text("base", "trade-service-deployment").splitlines()
    here = installed.text(environment, "trade-service-deployment").splitlines()

    changed = [line for line, was in zip(here, base, strict=True) if line != was]

    assert len(changed) == (2 if environment != "prod" else 7)


@pytest.mark.requirement("R-249")
def test_differences_are_function_calls_in_the_history(installed: Installed) -> None:
    unit = installed.units("prod")["trade-service-deployment"]
    history = installed.hub.units.mutations(unit["UnitID"], space_id=installed.space_id("prod"))
    functions = [one["Mutation"]["FunctionInvocation"]["FunctionName"] for one in history]

    assert [name for name in reversed(functions) if name] == [
        "set-namespace",
        "set-env-var",
        "set-replicas",
        "set-container-resources",
    ]


@pytest.mark.requirement("R-162")
def test_each_environment_answers_at_its_own_host(installed: Installed) -> None:
    for environment in topology.ENVIRONMENTS:
        for one in documents(installed.text(environment, "ingress")):
            host = topology.INGRESS_HOSTS[environment]

            assert one["spec"]["rules"][0]["host"] == host
            assert one["spec"]["tls"][0]["hosts"] == [host]


@pytest.mark.requirement("R-217")
@pytest.mark.parametrize("stage", STAGES)
def test_links_stay_inside_their_space(installed: Installed, stage: str) -> None:
    slugs = {unit["UnitID"]: slug for slug, unit in installed.units(stage).items()}
    links = [one["Link"] for one in installed.hub.links.list(space_id=installed.space_id(stage))]

    assert {(slugs.get(one["FromUnitID"]), slugs.get(one["ToUnitID"])) for one in links} == set(topology.links(stage))
    assert len(links) == len(topology.links(stage))


@pytest.mark.requirement("R-025", "R-050", "R-183", "R-184", "R-185", "R-186", "R-187", "R-188", "R-189", "R-190")
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("frontend", 2),
        ("backend", 7),
        ("data", 6),
        ("core-services", 6),
        ("trading-services", 5),
        ("ordered", 17),
        ("all", 25),
    ],
)
def test_filters_select_units_of_an_environment(installed: Installed, name: str, count: int) -> None:
    """Service units carry the labels of their service, so they are selected with it."""
    selection = installed.hub.filter(f"{installed.name}/{name}")

    found = installed.hub.units.list(space_id=installed.space_id("dev"), **selection.query)

    assert len(found) == count
    assert len(installed.hub.filters.list(space_id=installed.space_id("filters"))) == 7


@pytest.mark.requirement("R-026", "R-051", "R-194", "R-195", "R-197", "R-198", "R-200")
@pytest.mark.parametrize("row", topology.SETS, ids=lambda row: row.slug)
def test_sets_have_labels_and_follow_an_expression(installed: Installed, row: topology.SetRow) -> None:
    found = installed.hub.set(row.slug, space=installed.project.space("base"))["Set"]
    members = installed.hub.units.list(space_id=installed.space_id("prod"), where=found["Where"])

    assert found["Labels"] == dict(row.labels)
    assert {one["Unit"]["Labels"]["service"] for one in members} == set(row.services)
    assert len(installed.hub.sets.list(space_id=installed.space_id("filters"))) == 2


def test_a_second_run_says_and_changes_nothing(installed: Installed) -> None:
    before = {stage: {slug: unit["Version"] for slug, unit in installed.units(stage).items()} for stage in STAGES}
    said: list[str] = []

    install_base(installed.hub, installed.project, said.append)
    install_envs(installed.hub, installed.project, said.append)

    assert said == []
    assert before == {
        stage: {slug: unit["Version"] for slug, unit in installed.units(stage).items()} for stage in STAGES
    }


def test_a_second_run_does_not_set_back_what_a_person_changed(installed: Installed) -> None:
    where = "Slug = 'people-service-deployment'"
    installed.hub.functions.invoke([call("set-replicas", 4)], space_id=installed.space_id("prod"), where=where)

    install_envs(installed.hub, installed.project, print)

    (found,) = documents(installed.text("prod", "people-service-deployment"))
    assert found["spec"]["replicas"] == 4


def test_a_deleted_clone_is_made_again_with_its_differences(installed: Installed) -> None:
    space_id = installed.space_id("prod")
    lost = installed.units("prod")["position-service-service"]
    installed.hub.units.delete(lost["UnitID"], space_id=space_id)

    install_envs(installed.hub, installed.project, print)

    (found,) = documents(installed.text("prod", "position-service-service"))
    assert found["metadata"]["namespace"] == "traderx-prod"


def test_updating_brings_the_base_back_to_its_files(installed: Installed) -> None:
    unit = installed.units("base")["web-gui-service"]
    change = {"metadata": {"labels": {"colour": "green"}}}
    installed.hub.units.patch_data(unit["UnitID"], change, space_id=installed.space_id("base"))
    said: list[str] = []

    install_base(installed.hub, installed.project, said.append, update=True)

    path = installed.project.base_folder / "web-gui-service.yaml"
    assert installed.text("base", "web-gui-service") == path.read_text(encoding="utf-8")
    assert said == [f"  1 unit of {installed.name}-base brought up to date"]


@pytest.mark.requirement("R-288")
def test_only_prod_is_backed_up_and_its_schedule_names_its_namespace(installed: Installed) -> None:
    (found,) = documents(installed.text("prod", "backup-schedule"))

    assert found["metadata"]["namespace"] == "velero"
    assert found["spec"]["template"]["includedNamespaces"] == ["traderx-prod"]
    assert "backup-schedule" not in installed.units("staging")


def test_an_addon_that_nobody_knows_is_refused_with_those_there_are(installed: Installed) -> None:
    with pytest.raises(NotFound, match=r"no such addon: mysql .there is postgresql, cache, ingress-load-balancer"):
        install_envs(installed.hub, installed.project, print, wanted=["mysql"])


@pytest.mark.requirement("R-226")
def test_a_change_set_collects_the_trading_services(installed: Installed) -> None:
    hub, prod = installed.hub, installed.space_id("prod")
    chosen = hub.filters.find("trading-services", space_id=installed.space_id("filters"))["Filter"]
    made = hub.change_sets.create(
        {"Slug": "release-v2.0", "SpaceID": prod, "FilterID": chosen["FilterID"]}, space_id=prod
    )

    to = f"Before:ChangeSet:{made['ChangeSetID']}"
    rehearsed = hub.units.roll_back(where=f"SpaceID = {quoted(prod)}", to=to, reason="looked at", dry_run=True)
    hub.change_sets.delete(made["ChangeSetID"], space_id=prod)

    collected = {str(unit["Slug"]) for unit in rehearsed["Units"] if unit["ToRevisionNum"]}
    trading = {"trade-service", "trade-processor", "trade-feed"}
    assert collected == {
        slug for slug, unit in installed.units("prod").items() if unit["Labels"].get("service") in trading
    }
    assert collected >= {f"{name}-deployment" for name in trading}
