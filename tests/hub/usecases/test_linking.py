"""Links bring values along: needs are filled, follow the provider, and say where they come from."""

from __future__ import annotations

import pytest

from confighub.hub.kinds import LINK
from confighub.hub.usecases import entities, history
from confighub.records.units import Mutation, Unit
from tests.hub.scene import WEB, Scene

NEEDY = WEB.replace("namespace: shop", "namespace: confighubplaceholder # from the namespace unit")


def namespace(name: str) -> str:
    return f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n"


def config_maps(*names: str) -> str:
    each = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n  namespace: shop\ndata:\n  a: b\n"
    return "---\n".join(each.format(name) for name in names)


WITH_CONFIG = WEB.replace(
    "          image: example/web:v1.0.0\n",
    "          image: example/web:v1.0.0\n"
    "          envFrom:\n            - configMapRef:\n                name: confighubplaceholder\n",
)


@pytest.fixture
def space(scene: Scene) -> str:
    return scene.space("dev")


def link(scene: Scene, space: str, needing: Unit, provider: Unit) -> str:
    slug = f"{needing.slug}-needs-{provider.slug}"
    made = scene.make("Link", space, slug=slug, from_unit_id=needing.unit_id, to_unit_id=provider.unit_id)
    return str(made.link_id)


def mutations(scene: Scene, unit: Unit) -> list[Mutation]:
    found = history.list_mutations(scene.hub, scene.caller, unit.unit_id or "")
    return [one.mutation for one in found if one.mutation is not None]


def test_a_new_link_fills_what_the_unit_needs(scene: Scene, space: str) -> None:
    web, home = scene.unit(space, "web", NEEDY), scene.unit(space, "ns", namespace("shop-dev"))

    link_id = link(scene, space, web, home)

    assert scene.text(web) == NEEDY.replace("confighubplaceholder", "shop-dev")
    assert scene.get(web).apply_gates == {}
    made = mutations(scene, web)[-1]
    assert (made.link_id, made.provided_path) == (link_id, "metadata.name")
    assert made.provided_resource.resource_type == "v1/Namespace"
    assert made.provided_resource.resource_name_without_scope == "shop-dev"
    assert scene.revisions(web)[-1].source == "Link"


def test_a_provider_that_changes_is_followed(scene: Scene, space: str) -> None:
    web, home = scene.unit(space, "web", NEEDY), scene.unit(space, "ns", namespace("shop-dev"))
    link(scene, space, web, home)

    scene.edit(home, "shop-dev", "shop-test")

    assert scene.text(web) == NEEDY.replace("confighubplaceholder", "shop-test")
    assert [one.source for one in scene.revisions(web)] == ["Create", "Link", "Link"]


def test_a_provider_that_had_nothing_to_give_is_followed_when_it_has(scene: Scene, space: str) -> None:
    web, home = scene.unit(space, "web", NEEDY), scene.unit(space, "ns", namespace("confighubplaceholder"))
    link(scene, space, web, home)
    assert scene.text(web) == NEEDY

    scene.edit(home, "confighubplaceholder", "shop-dev")

    assert scene.text(web) == NEEDY.replace("confighubplaceholder", "shop-dev")


def test_what_was_set_by_hand_since_is_left_alone(scene: Scene, space: str) -> None:
    web, home = scene.unit(space, "web", NEEDY), scene.unit(space, "ns", namespace("shop-dev"))
    link(scene, space, web, home)
    scene.edit(web, "namespace: shop-dev", "namespace: own")

    scene.edit(home, "shop-dev", "shop-test")

    assert "namespace: own" in scene.text(web)


def test_a_text_with_new_needs_is_filled_in_the_same_revision(scene: Scene, space: str) -> None:
    web, maps = scene.unit(space, "web"), scene.unit(space, "maps", config_maps("settings"))
    link(scene, space, web, maps)

    scene.edit(web, "image: example/web:v1.0.0\n", WITH_CONFIG.partition("- name: web\n          ")[2])

    assert "name: settings" in scene.text(web)
    assert [one.source for one in scene.revisions(web)] == ["Create", "Update"]


def test_a_need_that_several_would_fit_stays_open(scene: Scene, space: str) -> None:
    web, maps = scene.unit(space, "web", WITH_CONFIG), scene.unit(space, "maps", config_maps("one", "two"))

    link(scene, space, web, maps)

    assert scene.text(web) == WITH_CONFIG


def test_a_link_that_leads_elsewhere_now_fills_what_is_still_open(scene: Scene, space: str) -> None:
    web = scene.unit(space, "web", NEEDY)
    wrong, right = scene.unit(space, "maps", config_maps("one")), scene.unit(space, "ns", namespace("shop-dev"))
    link_id = link(scene, space, web, wrong)

    entities.patch_entity(scene.hub, scene.caller, LINK, link_id, {"ToUnitID": right.unit_id})

    assert "namespace: shop-dev" in scene.text(web)


def database(port: int, *, name: str = "database", more: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: shop\n  annotations:\n"
        "    confighub.com/host-for: PGHOST\n    confighub.com/port-for: PGPORT\n"
        f"spec:\n  ports:\n    - name: sql\n      port: {port}\n{more}"
    )


ASKING = WEB.replace(
    "          image: example/web:v1.0.0\n",
    "          image: example/web:v1.0.0\n          env:\n"
    "            - name: PGHOST\n              value: confighubplaceholder # told by the link\n"
    "            - name: PGPORT\n              value: confighubplaceholder\n",
)


def told(text: str) -> list[str]:
    """Return the values of PGHOST and PGPORT as they are written."""
    return [text.partition(f"name: {name}\n              value: ")[2].split()[0] for name in ("PGHOST", "PGPORT")]


@pytest.mark.requirement("R-217")
def test_a_service_says_its_host_and_port_to_the_variables_that_it_names(scene: Scene, space: str) -> None:
    web, provider = scene.unit(space, "web", ASKING), scene.unit(space, "database", database(5432))
    assert scene.get(web).apply_gates

    link_id = link(scene, space, web, provider)

    assert told(scene.text(web)) == ["database", '"5432"']
    assert "# told by the link" in scene.text(web)
    assert scene.get(web).apply_gates == {}
    found = {(one.link_id, one.provided_path) for one in mutations(scene, web)[-2:]}
    assert found == {(link_id, "metadata.name"), (link_id, "spec.ports.0.port")}


@pytest.mark.requirement("R-217")
def test_a_service_that_moves_is_followed(scene: Scene, space: str) -> None:
    web, provider = scene.unit(space, "web", ASKING), scene.unit(space, "database", database(5432))
    link(scene, space, web, provider)

    scene.edit(provider, "port: 5432", "port: 5433")
    scene.edit(provider, "name: database", "name: ledger")

    assert told(scene.text(web)) == ["ledger", '"5433"']


def test_a_port_set_by_hand_is_left_alone(scene: Scene, space: str) -> None:
    web, provider = scene.unit(space, "web", ASKING), scene.unit(space, "database", database(5432))
    link(scene, space, web, provider)
    scene.edit(web, '"5432"', '"6432"')

    scene.edit(provider, "port: 5432", "port: 5433")

    assert told(scene.text(web)) == ["database", '"6432"']


def test_several_ports_leave_the_port_open(scene: Scene, space: str) -> None:
    web = scene.unit(space, "web", ASKING)
    provider = scene.unit(space, "database", database(5432, more="    - name: admin\n      port: 8080\n"))

    link(scene, space, web, provider)

    assert told(scene.text(web)) == ["database", "confighubplaceholder"]


def test_a_second_port_in_front_is_not_taken_for_the_first(scene: Scene, space: str) -> None:
    web = scene.unit(space, "web", ASKING)
    provider = scene.unit(space, "database", database(5432))
    link(scene, space, web, provider)

    text = scene.text(provider)
    scene.edit(provider, "  ports:\n", "  ports:\n    - name: metrics\n      port: 9187\n")

    assert "9187" in scene.text(provider) != text
    assert told(scene.text(web)) == ["database", '"5432"']


def test_variables_that_nobody_names_stay_open(scene: Scene, space: str) -> None:
    web, provider = scene.unit(space, "web", ASKING), scene.unit(space, "cache", database(5432).replace("PG", "CACHE_"))

    link(scene, space, web, provider)

    assert scene.text(web) == ASKING
