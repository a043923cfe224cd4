"""How fast drift on a cluster reaches the hub, and how fast the detector puts it right.

A hub, a worker and the detector are started for the measurement; another hand changes, deletes and adds objects on a
real API server. Times are wall time, 95th percentiles of the rounds: from the change to the hub's knowing of it, and
from there to the object's being as it was. What no unit has is told and stays.

    python benchmarks/drift.py --kubeconfig FILE [--rounds 30] [--json]
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import PASSWORD, USER, Site, arguments, p95, settings, until
from report import Measurement, tell_all

from confighub.client.hub import HubClient
from confighub.client.transport import Transport
from confighub.operations.drift.detector import Breaker, Detector, Options
from confighub.operations.drift.risk import Policy, Rule
from confighub.operations.drift.watched import find_watched

APPS = "/apis/apps/v1/namespaces"
_LOOK_S = 0.6  # the detector has looked once more by then, and found nothing
_BY_HAND, _BY_APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"


@dataclass(frozen=True)
class Change:
    """One kind of drift: ``make`` does it, the hub knows when ``is_known``, and it is right again when ``is_right``."""

    name: str
    make: Callable[[int], None]
    is_known: Callable[[int], bool]
    is_right: Callable[[int], bool]


class Shop:
    """A namespace, a Deployment and a ConfigMap, each a unit, and others who change them."""

    def __init__(self, site: Site) -> None:
        self.site, self.name = site, f"{site.namespace}-drift"
        site.namespaces.append(self.name)
        self.place = self.live("place", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}})
        self.web = self.live("web", deployment(self.name))
        self.data = self.live("data", settings("data", self.name, color="blue"))

    def live(self, slug: str, document: dict[str, Any]) -> str:
        """Make a unit and return its id once it is live."""
        unit = self.site.create(slug, document)
        self.site.apply(unit)
        until(lambda: self.site.call("GET", f"/space/{self.site.space}/unit/{unit}")["Unit"]["LiveRevisionNum"])
        return unit

    def patch(self, path: str, body: dict[str, Any], manager: str, content: str = _BY_HAND) -> None:
        """Change an object as another hand."""
        query = {"fieldManager": manager} | ({"force": "true"} if content == _BY_APPLY else {})
        headers = {"Content-Type": content}
        self.site.kube.patch(path, content=json.dumps(body), headers=headers, params=query).raise_for_status()

    def changes(self) -> list[Change]:
        """All kinds of drift that are measured."""
        site, web = self.site, f"{APPS}/{self.name}/deployments/web"
        core = f"/api/v1/namespaces/{self.name}"

        def spec() -> dict[str, Any]:
            return dict(site.kube.get(web).json()["spec"])

        def first() -> dict[str, Any]:
            return dict(spec()["template"]["spec"]["containers"][0])

        def edit(**container: object) -> None:
            body = {"spec": {"template": {"spec": {"containers": [{"name": "web", **container}]}}}}
            self.patch(web, body, "intruder")

        def copy(number: int) -> None:
            there = site.kube.get(f"{core}/configmaps/data").json()
            marks = {key: there["metadata"][key] for key in ("labels", "annotations")}
            body = settings(f"left-{number}", self.name, color="red")
            body["metadata"] |= marks
            self.patch(f"{core}/configmaps/left-{number}", body, "confighub", _BY_APPLY)

        def stranger(number: int) -> None:
            body = settings(f"odd-{number}", self.name, color="red")
            site.kube.post(f"{core}/configmaps", json=body, params={"fieldManager": "intruder"}).raise_for_status()

        def is_there(name: str) -> bool:
            return bool(site.kube.get(f"{core}/configmaps/{name}").status_code == 200)

        return [
            Change(
                "scaled from 3 to 10",
                lambda _: self.patch(
                    f"{web}/scale", {"spec": {"replicas": 10}}, "intruder", "application/merge-patch+json"
                ),
                lambda _: '"replicas":10' in site.live_state(self.web),
                lambda _: bool(spec()["replicas"] == 3),
            ),
            Change(
                "another image",
                lambda number: edit(image=f"registry.local/evil:v{number}"),
                lambda number: f"evil:v{number}" in site.live_state(self.web),
                lambda _: bool(first()["image"] == "registry.local/web:v1"),
            ),
            Change(
                "a variable added",
                lambda number: edit(env=[{"name": "DEBUG", "value": f"on-{number}"}]),
                lambda number: f"on-{number}" in site.live_state(self.web),
                lambda _: "env" not in first(),
            ),
            Change(
                "an object deleted",
                lambda _: site.kube.delete(f"{core}/configmaps/data").raise_for_status() and None,
                lambda _: '"blue"' not in site.live_state(self.data),
                lambda _: is_there("data"),
            ),
            Change(
                "an object with the unit's marks left over",
                copy,
                lambda number: f"left-{number}" in site.live_state(self.data),
                lambda number: not is_there(f"left-{number}"),
            ),
            Change(
                "an object of no unit, which stays",
                stranger,
                lambda number: f"odd-{number} by intruder" in site.live_state(self.place),
                lambda number: is_there(f"odd-{number}"),
            ),
        ]


def deployment(namespace: str) -> dict[str, Any]:
    labels = {"app": "web"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "web", "image": "registry.local/web:v1"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": template},
    }


def measure(site: Site, change: Change, rounds: int) -> list[Measurement]:
    """Return how long it took until the hub knew, and from there until all was right.

    A round begins when no operation of the one before is under way: the detector leaves those units alone.
    """
    known: list[float] = []
    right: list[float] = []
    for number in range(rounds):
        start = time.perf_counter()
        change.make(number)
        until(lambda number=number: change.is_known(number))
        seen = time.perf_counter()
        until(lambda number=number: change.is_right(number))
        known.append(seen - start)
        right.append(time.perf_counter() - seen)
        until(lambda: is_quiet(site))
        time.sleep(_LOOK_S)
    return [
        Measurement(f"{change.name}: known to the hub, p95", p95(known) * 1000, None, "ms"),
        Measurement(f"{change.name}: right again after that, p95", p95(right) * 1000, None, "ms"),
    ]


def is_quiet(site: Site) -> bool:
    """True when no unit of the space has an operation under way."""
    found = site.call("GET", "/unit", where=f"SpaceID = '{site.space}'", include="UnitEventID")
    return all((one.get("LatestUnitEvent") or {}).get("Status") in ("Completed", "Failed") for one in found)


def detect(site: Site, until_told: Callable[[], bool]) -> None:
    """Watch with the detector's usual interval, and correct whatever can be."""
    login = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    hub = HubClient(Transport(site.url, f"Basic {login}"))
    options = Options(policy=Policy((Rule("correct"),)), breaker=Breaker(1_000_000))
    watched = find_watched(hub, ["bench"], sets=(), filters=())
    for _ in Detector(hub, watched, options, lambda _: None).watch(interval_s=0.5, until=until_told):
        pass


def main() -> None:
    given = arguments(__doc__, rounds=30).parse_args()
    ended = threading.Event()
    with tempfile.TemporaryDirectory() as name:
        site = Site(Path(name), given.kubeconfig)
        shop = Shop(site)
        detecting = threading.Thread(target=detect, args=(site, ended.is_set), daemon=True)
        detecting.start()
        try:
            found = [one for change in shop.changes() for one in measure(site, change, given.rounds)]
        finally:
            ended.set()
            detecting.join(30)
            site.stop()
    tell_all(found, as_json=given.json)


if __name__ == "__main__":
    main()
