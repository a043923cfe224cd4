from __future__ import annotations

import pytest

from confighub.hub.domain.describing import changes, described
from confighub.hub.domain.mutations import compared

OLD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels:
    tier: a
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: web
          image: example/web:v1.0.0
          env:
            - name: LOG_LEVEL
              value: "info"
          resources:
            limits:
              memory: 128Mi
"""


@pytest.mark.requirement("R-249")
@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("replicas: 1", "replicas: 3", "replicas from 1 to 3"),
        (":v1.0.0", ":v1.1.0", "image tag of web from v1.0.0 to v1.1.0"),
        ("example/web:v1.0.0", "other/web:v1", "image of web from example/web:v1.0.0 to other/web:v1"),
        ('value: "info"', "value: debug", "env LOG_LEVEL from info to debug"),
        ("tier: a", "tier: b", "label tier from a to b"),
        ("    tier: a", "    tier: a\n    app: web", "sets label app to web"),
        ("    tier: a", "    app: web", "sets label app to web, removes label tier"),
        ("memory: 128Mi", "memory: 256Mi", "limits memory from 128Mi to 256Mi"),
        ("namespace: shop", "namespace: shop-dev", "namespace from shop to shop-dev"),
        ("  replicas: 1\n", "", "removes replicas"),
        ("  replicas: 1", "  replicas: 1\n  paused: true", "sets paused to true"),
        ("  replicas: 1", "  replicas: 1\n  strategy:\n    type: Recreate", "adds strategy"),
    ],
)
def test_a_change_in_a_sentence(old: str, new: str, sentence: str) -> None:
    assert described(compared(OLD, OLD.replace(old, new), "Kubernetes/YAML"), OLD) == sentence


def test_resources_come_and_go() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n"

    assert described(compared("", service, "Kubernetes/YAML"), "") == "adds Service web"
    assert changes(compared(service, "", "Kubernetes/YAML"), service) == ["removes Service web"]


def test_many_changes_are_counted() -> None:
    new = OLD.replace("replicas: 1", "replicas: 2").replace("v1.0.0", "v2").replace("tier: a", "tier: b")
    new = new.replace("128Mi", "1Gi").replace("info", "debug")

    assert described(compared(OLD, new, "Kubernetes/YAML"), OLD).endswith(" and 2 more")


def test_long_values_are_cut() -> None:
    sentence = described(compared(OLD, OLD.replace("tier: a", f"tier: {'x' * 500}"), "Kubernetes/YAML"), OLD)

    assert len(sentence) < 120
    assert sentence.endswith("…")


def test_the_same_change_in_two_resources_is_told_once() -> None:
    two = OLD + "---\n" + OLD.replace("name: web\n  namespace", "name: api\n  namespace")

    assert described(compared(two, two.replace("replicas: 1", "replicas: 3"), "Kubernetes/YAML"), two) == (
        "replicas from 1 to 3"
    )
