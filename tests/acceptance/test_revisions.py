"""A bad image: the deploy stops and says why, the old processes serve, the old revision comes back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.acceptance.system import System, eventually
from tests.acceptance.trading import SteadyClient, settled

pytestmark = pytest.mark.acceptance


@pytest.mark.requirement("R-107", "R-130", "R-131", "R-216", "R-221")
def test_an_unknown_image_stops_the_deploy_and_the_old_revision_comes_back(new_system: Callable[[], System]) -> None:
    system = new_system()
    system.must("up")
    space = system.space("dev")
    ingress = system.status()["ingress"]
    good = system.unit("trade-service-deployment")["HeadRevisionNum"]

    with SteadyClient(ingress, 22214, "IBM") as client:
        system.must(
            *("cub", "run", "set-image-reference", "--container-name", "trade-service"),
            *("--image-reference", ":v9.9.9", "--space", space, "--unit", "trade-service-deployment"),
        )
        stopped = system.run("ordered-apply", "dev")

        assert stopped.code == 1
        assert "trade-service-deployment" in stopped.text
        assert "ErrImagePull" in stopped.text
        assert "v9.9.9" in stopped.text
        assert not re.search(r"order 6", stopped.text)

        system.must("cub", "unit", "apply", "trade-service", "--space", space, "--revision=N-1")
        back = system.unit("trade-service-deployment")
        assert back["LiveRevisionNum"] == good
        assert back["HeadRevisionNum"] == good + 1

        system.must("cub", "unit", "apply", "trade-service", "--space", space, f"--revision={good}")

    assert client.refused == []
    assert len(client.accepted) > 5
    for order_id in client.accepted:
        settled(ingress, order_id)
    assert eventually("ready", lambda: system.status()["ready"])
