"""The texts of a second version: what changes, and that the two are told apart."""

from __future__ import annotations

import pytest

from confighub.errors import BadRequest
from confighub.operations.rollout.subject import Subject, canary_ingress, live_weights, objects, selector_of, selects
from tests.operations.rollout.shop import DEPLOYMENT, INGRESS, SERVICE


def subject(deployment: str = DEPLOYMENT, service: str = SERVICE) -> Subject:
    return Subject("shop", "prod", {}, {}, deployment, service)


@pytest.mark.requirement("R-110")
def test_neither_version_is_selected_by_what_selects_the_other() -> None:
    old = subject()

    text = old.second_deployment("shop-green", version="green", image=":v2", env={"DEBUG": "1"})
    service = old.second_service("shop-green", version="green", deployment_text=text)

    (new,) = objects(text)
    pods, before = new["spec"]["template"]["metadata"]["labels"], old.workload["spec"]["template"]["metadata"]["labels"]
    assert not selects(old.selector, pods)
    assert not selects(objects(service)[0]["spec"]["selector"], before)
    assert selects(objects(service)[0]["spec"]["selector"], pods)
    assert not selects(new["spec"]["selector"]["matchLabels"], before)
    assert not selects(old.workload["spec"]["selector"]["matchLabels"], pods)
    assert selector_of(text, version="green") == {"app": "shop-green", "version": "green"}


@pytest.mark.requirement("R-112", "R-113")
def test_only_names_labels_image_and_variables_differ() -> None:
    text = subject().second_deployment("shop-green", version="green", image=":v2", env={"DEBUG": "1"})

    (new,) = objects(text)
    (container,) = new["spec"]["template"]["spec"]["containers"]
    assert new["spec"]["replicas"] == 3
    assert container["image"] == "example/shop:v2"
    assert {"name": "DEBUG", "value": "1"} in container["env"]
    assert "# as many as there are registers" in text


def test_a_service_that_would_select_both_is_refused() -> None:
    service = SERVICE.replace("app: shop", "tier: front")

    with pytest.raises(BadRequest, match="would select the second version too"):
        subject(service=service).second_deployment("shop-green", version="green", image=":v2", env={})


def test_a_deployment_whose_selector_has_no_name_of_its_own_is_refused() -> None:
    deployment = DEPLOYMENT.replace("app: shop", "app: other")

    with pytest.raises(BadRequest, match="cannot be told apart"):
        subject(deployment).second_deployment("shop-green", version="green", image=":v2", env={})


def test_the_whole_text_is_the_same_again_from_the_other_colour() -> None:
    green = subject().second_deployment("shop-green", version="green", image=":v2", env={})
    service = subject().second_service("shop", version="green", deployment_text=green)

    blue = subject(green, service).second_deployment("shop", version="blue", image=":v1", env={})

    assert blue.replace("version: blue", "version: v1") == DEPLOYMENT


@pytest.mark.requirement("R-175", "R-176", "R-177")
def test_the_canarys_ingress_has_the_services_hosts_and_paths_and_nothing_else() -> None:
    text = canary_ingress({"ingress": INGRESS}, service="shop", canary="shop-canary", weight=10)

    (canary,) = objects(text)
    (rule,) = canary["spec"]["rules"]
    assert live_weights([canary]) == [10]
    assert canary["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary"] == "true"
    assert rule["host"] == "shop.example.com"
    assert [path["path"] for path in rule["http"]["paths"]] == ["/api/shop"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "shop-canary", "port": {"number": 8080}}


def test_a_service_that_no_ingress_leads_to_gets_no_canary() -> None:
    with pytest.raises(BadRequest, match="no Ingress leads to till"):
        canary_ingress({"ingress": INGRESS}, service="till", canary="till-canary", weight=10)
