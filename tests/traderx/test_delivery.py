"""A delivery's judgement of what dev has already, and how it tells of what it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from confighub.errors import NotFound
from tests.traderx.conftest import Installed
from traderx import delivery
from traderx.delivery import Delivery, Wanted, runs_image
from traderx.site import Site
from traderx.stack import Stack

TEXT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-gui}
spec:
  template:
    metadata: {annotations: {was: "finos/traderx-web-gui:v1.1.0"}}
    spec: {containers: [{name: web-gui, image: IMAGE}]}
"""


@pytest.mark.parametrize(
    ("image", "is_there"),
    [
        ("finos/traderx-web-gui:v1.1.0", True),
        ("registry.example.com/finos/traderx-web-gui:v1.1.0", True),
        ("finos/traderx-web-gui:v1.1.0-rc1", False),
        ("finos/traderx-web-gui:v1.1.0.1", False),
        ("other-finos/traderx-web-gui:v1.1.0", False),
        ("finos/traderx-web-gui:v1.0.0", False),
    ],
)
def test_another_image_is_not_the_one_that_is_delivered(image: str, is_there: bool) -> None:
    wanted = Wanted("web-gui", "v1.1.0", Path("registry"))

    assert runs_image(TEXT.replace("IMAGE", image), wanted) is is_there


def test_a_failed_delivery_goes_back_by_the_unit_that_runs() -> None:
    done = Delivery(Wanted("web-gui", "v1", Path("registry")), "web-gui-green", before=4, failure="no")

    assert done.next() == "bin/rollback dev --unit web-gui-green --to 4"
    assert done.as_json()["unit"] == "web-gui-green"


def test_a_service_whose_unit_stands_aside_is_no_success(installed: Installed, tmp_path: Path) -> None:
    stack = Stack(installed.project, lambda _: None)
    site = Site(installed.project, installed.hub, stack, False, lambda _: None)

    with pytest.raises(NotFound, match="has no active unit of web-gui"):
        delivery._run(site, Wanted("web-gui", "v1", tmp_path), "no-such-unit", print)
