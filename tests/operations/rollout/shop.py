"""A shop that is live: a Deployment, its Service, the Ingress that leads there; and a worker that obeys."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confighub.client.collection import quoted
from confighub.data.document import parse
from confighub.operations.rollout.analysis import Trial
from confighub.operations.rollout.beginning import Wish
from confighub.operations.rollout.place import Place
from tests.api.worker import Event, data_of
from tests.operations.playing import PlayedWorker, Stage, Verdict

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  namespace: prod
  labels:
    app: shop
    version: v1
spec:
  replicas: 3 # as many as there are registers
  selector:
    matchLabels:
      app: shop
  template:
    metadata:
      labels:
        app: shop
        tier: front
        version: v1
    spec:
      containers:
      - name: shop
        image: example/shop:v1
        env:
        - name: PORT
          value: "8080"
        ports:
        - containerPort: 8080
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: shop
  namespace: prod
spec:
  selector:
    app: shop
  ports:
  - port: 8080
"""
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: front
  namespace: prod
spec:
  rules:
  - host: shop.example.com
    http:
      paths:
      - path: /
        pathType: Prefix
        backend:
          service:
            name: gui
            port:
              number: 80
      - path: /api/shop
        pathType: Prefix
        backend:
          service:
            name: shop
            port:
              number: 8080
"""


def obey(event: Event) -> Verdict:
    """Do what is asked: what is applied is live and ready, what is destroyed is gone."""
    if event["Data"]["Action"] == "Destroy":
        return Verdict(result="DestroyCompleted", live_state=b"[]")
    return Verdict(
        live_state=json.dumps([_live(placed.document.data) for placed in parse(data_of(event)).documents]).encode()
    )


def _live(one: dict[str, Any]) -> dict[str, Any]:
    if one["kind"] == "Deployment":
        count = one["spec"]["replicas"]
        status: dict[str, Any] = {"replicas": count, "readyReplicas": count, "updatedReplicas": count}
        status["observedGeneration"] = 1
    else:
        status = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1", "ports": [{"port": 8080}]}]}}
    return {**one, "metadata": {**one["metadata"], "generation": 1}, "status": status}


@dataclass
class Shop:
    """The shop in a space of its own, applied and approved as far as that is needed."""

    stage: Stage
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for slug, text in (("shop-deployment", DEPLOYMENT), ("shop-service", SERVICE), ("ingress", INGRESS)):
            labels = {"service": "shop", "order": "5"} if slug == "shop-deployment" else {}
            unit = self.stage.unit(slug, None, text, Labels=labels)
            self.stage.hub.units.approve(unit, space_id=self.stage.space_id)
            operation = self.stage.hub.units.apply(unit, space_id=self.stage.space_id)
            assert self.stage.hub.units.wait(operation)["Status"] == "Completed"

    def place(self) -> Place:
        """Return the space as a rollout handles it."""
        return Place(self.stage.hub, self.stage.space, self.stage.space_id, self.said.append, timeout_s=10)

    def selector(self) -> dict[str, str]:
        """Return what the Service selects."""
        found: dict[str, str] = parse(self.place().text("shop-service")).documents[0].document.data["spec"]["selector"]
        return found

    def cloned_into(self, other: Stage) -> dict[str, str]:
        """Clone every unit into another space; return the clones' ids by slug."""
        here, there = (f"SpaceID = {quoted(one.space_id)}" for one in (self.stage, other))
        self.stage.hub.units.create_all(None, where=here, where_space=there)
        return {one["Unit"]["Slug"]: one["Unit"]["UnitID"] for one in other.hub.units.list(space_id=other.space_id)}

    def slugs(self) -> list[str]:
        """Return the slugs of the space's units."""
        return sorted(one["Unit"]["Slug"] for one in self.stage.hub.units.list(space_id=self.stage.space_id))


def opened(stage: Stage, use: Callable[[Shop, PlayedWorker], None], decide: Callable[[Event], Verdict] = obey) -> None:
    """Let the worker serve while ``use`` works with the shop; ``decide`` holds once the shop is live."""
    with PlayedWorker(stage.worker, decide=obey) as worker:
        shop = Shop(stage)
        worker.applied.clear()
        worker.decide = decide
        use(shop, worker)


def wish(kind: Any, **more: Any) -> Wish:
    """Return the wish for version v2 of the shop."""
    return Wish(kind, "shop", ":v2", {}, command=f"bin/{kind} shop prod --image :v2", **more)


@dataclass
class Tryer:
    """Tries that always end as told."""

    passes: bool = True

    def trial(self, address: str) -> Trial:
        """Return the trial's end."""
        assert address
        return Trial(passed=self.passes, what="as told")
