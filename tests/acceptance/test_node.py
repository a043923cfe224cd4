"""TraderX on a real node: kubelet and containerd run its images, probe them, and Services lead to them.

It needs a cluster with a node, which `.ci/run` does not make: too much for a machine that runs tests. Without one the
tests are skipped. `.ci/kubernetes/node/up` makes one on a machine without Docker; docs/kubernetes-node.md has more.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.clusters import DEPLOYMENTS
from tests.acceptance.nodes import PATIENCE, Node, PodTraffic, on_node
from tests.acceptance.system import call, eventually
from tests.acceptance.trading import position, settled
from tests.acceptance.traffic import booked_once
from traderx import topology

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

ACCOUNT, SYMBOL = 22214, "IBM"


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """Dev on a real node, set up with the project's own commands, with a database of its own."""
    with on_node("dev") as found:
        found.system.must("install-base")
        found.system.must("install-envs", "--with", "postgresql")
        found.deploy()
        yield found


def test_every_pod_runs_as_nobody_special_on_files_that_it_cannot_change(node: Node) -> None:
    for one in topology.SERVICES:
        (pod,) = node.pods(one.name)
        (container,) = pod["status"]["containerStatuses"]
        assert container["ready"], pod["status"]
        assert container["restartCount"] == 0
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        assert pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["image"].endswith(f"finos/traderx-{one.name}:v1.0.0")
    assert node.system.status()["ready"]


def test_a_trade_is_booked_through_services_and_moves_the_position(node: Node) -> None:
    before = position(node.gui, ACCOUNT, SYMBOL)

    order = {"symbol": SYMBOL, "qty": 7, "side": "BUY", "accountId": ACCOUNT}
    trade = settled(node.gui, call(f"{node.gui}/api/trades/new", order)["id"])

    assert trade["quantity"] == 7
    assert position(node.gui, ACCOUNT, SYMBOL) == before + 7
    assert position(node.address("position-service"), ACCOUNT, SYMBOL) == before + 7


def test_a_rolling_update_under_load_loses_no_request_and_no_trade(node: Node) -> None:
    before = position(node.gui, ACCOUNT, SYMBOL)
    gui = PodTraffic(node.gui, ACCOUNT, SYMBOL, readers=2, pause_s=0.03)
    # through the Service itself, on connections that are kept
    direct = PodTraffic(node.address("trade-service"), ACCOUNT, SYMBOL, readers=2, pause_s=0.03)

    with gui, direct:
        node.set_image("trade-service", ":v1.1.0")
        eventually("v1.1.0 is live", lambda: node.is_live("trade-service-deployment"), timeout_s=180)
        eventually("the old pod is gone", lambda: node.count("trade-service") == 1, timeout_s=60)
        seen = gui.requests
        eventually("the new one serves for a while", lambda: gui.requests > seen + 50)

    (pod,) = node.pods("trade-service")
    assert pod["status"]["containerStatuses"][0]["image"].endswith(":v1.1.0")
    print(f"rolling update: {gui.requests + direct.requests} requests, {len(gui.failed + direct.failed)} failed")
    assert gui.failed + direct.failed == []
    gui.accepted += direct.accepted
    booked_once(gui, before)
    node.set_image("trade-service", ":v1.0.0")
    node.system.must("ordered-apply", "dev", *PATIENCE)


def test_an_unknown_tag_is_told_in_the_kubelets_words_and_the_old_pod_serves(node: Node) -> None:
    node.set_image("people-service", ":v9.9.9")

    stopped = node.system.run("ordered-apply", "dev")

    assert stopped.code == 1
    assert "ImagePull" in stopped.text
    assert "finos/traderx-people-service:v9.9.9" in stopped.text
    assert call(f"{node.gui}/api/people?limit=1") is not None
    node.set_image("people-service", ":v1.0.0")
    node.system.must("ordered-apply", "dev", *PATIENCE)


def test_a_failing_readiness_probe_is_told_in_its_own_words(node: Node) -> None:
    path = "spec.template.spec.containers.?name=reference-data.readinessProbe.httpGet.path"
    unit = "reference-data-deployment"
    node.change("set-string-path", "apps/v1/Deployment", path, "/health/nothing", unit=unit)

    stopped = node.system.run("ordered-apply", "dev")

    assert stopped.code == 1
    assert "Readiness probe failed: HTTP probe failed with statuscode: 404" in stopped.text
    assert call(f"{node.gui}/api/securities")
    node.change("set-string-path", "apps/v1/Deployment", path, "/health/ready", unit=unit)
    node.system.must("ordered-apply", "dev", *PATIENCE)


def test_what_somebody_scaled_by_hand_is_corrected(node: Node) -> None:
    path = f"{DEPLOYMENTS.format(node.namespace)}/position-service"
    node.kube.merge(path, {"spec": {"replicas": 3}})

    def found() -> list[dict[str, Any]] | None:
        ran = node.system.run("drift-detector", "--space", "dev", "--once", "--json")
        return [one for one in json.loads(ran.out)["drift"] if one["unit"] == "position-service-deployment"] or None

    (fixed,) = eventually("corrected", found)

    assert (fixed["action"], fixed["risk"]) == ("corrected", "LOW")
    eventually("one pod is left", lambda: len(node.pods("position-service")) == 1)
    assert node.deployment("position-service")["spec"]["replicas"] == 1


def test_the_password_of_the_database_is_in_the_cluster_only(node: Node) -> None:
    secret = node.kube.get(f"/api/v1/namespaces/{node.namespace}/secrets/traderx-db-credentials")
    password = base64.b64decode(secret["data"]["password"])

    logs = b"".join(path.read_bytes() for path in (node.system.data / "logs").iterdir() if path.is_file())

    assert password not in logs
