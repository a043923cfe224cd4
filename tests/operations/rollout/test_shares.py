"""Weights in a mesh's VirtualService: both destinations of every route, and nothing else."""

from __future__ import annotations

from confighub.operations.rollout.shares import routes, with_weight
from confighub.operations.rollout.subject import objects

MESH = """\
# what the mesh does
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: shop-route
spec:
  hosts:
  - shop
  http:
  - name: v2 # by header, divided by nobody
    match:
    - headers: {version: {exact: v2}}
    route:
    - destination: {host: shop, subset: v2}
  - name: all
    route:
    - destination: {host: shop, subset: v1}
      weight: 100 # the rest
    - destination: {host: shop-canary}
      weight: 0
  - name: turned
    route:
    - destination: {host: shop-canary}
      weight: 0
    - destination: {host: shop, subset: v1}
      weight: 100
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata:
  name: till-route
spec:
  hosts:
  - till
  http:
  - route:
    - destination: {host: till}
      weight: 100
    - destination: {host: shop-canary}
      weight: 0
"""


def test_both_destinations_of_every_route_get_their_part_and_nothing_else_changes() -> None:
    text = with_weight(MESH, service="shop", canary="shop-canary", weight=25)

    assert [number for _, number in routes(objects(text)[0], "shop-canary")] == [25, 25]
    assert "      weight: 75 # the rest\n" in text
    assert text.count("weight: 75") == 2
    assert objects(text)[1] == objects(MESH)[1]
    assert with_weight(text, service="shop", canary="shop-canary", weight=0) == MESH


def test_a_route_without_the_canary_is_divided_by_nobody() -> None:
    assert with_weight(MESH, service="shop", canary="other-canary", weight=25) == MESH
    assert list(routes(objects(MESH)[0], "other-canary")) == []
