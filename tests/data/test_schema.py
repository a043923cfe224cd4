"""What the Kubernetes API would refuse: place, line and reason, without a network."""

from __future__ import annotations

import pytest

from confighub.data import schema
from confighub.data.document import only, parse
from confighub.errors import NotAResource

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: web:v1
          ports:
            - containerPort: 80
          livenessProbe:
            httpGet: {path: /, port: http}
"""


def found(text: str) -> list[str]:
    """Return the problems of a text of one document, as they are shown."""
    return [str(one) for one in schema.problems(only(parse(text)))]


def test_a_good_document_has_no_problem() -> None:
    assert found(DEPLOYMENT) == []


BROKEN = [
    ("replicas: 2", "replicas: two", "line 6: spec.replicas: ", "integer"),
    ("replicas: 2", 'replicas: "2"', "line 6: spec.replicas: ", "integer"),
    ("replicas: 2", "replicas: 2\n  replica: 2", "line 7: spec.replica: ", "unknown field"),
    ("name: web\n          image", "image", "spec.template.spec.containers.0: ", "name"),
    (
        "containerPort: 80",
        "containerPort: http",
        "line 17: spec.template.spec.containers.0.ports.0.containerPort: ",
        "integer",
    ),
    ("matchLabels: {app: web}", "matchLabels: [app]", "line 8: spec.selector.matchLabels: ", "map"),
    ("metadata:\n      labels", "metadata:\n      label", "line 11: spec.template.metadata.label: ", "unknown field"),
]


@pytest.mark.parametrize(("old", "new", "place", "word"), BROKEN, ids=[new for _, new, _, _ in BROKEN])
def test_a_problem_tells_its_line_its_path_and_the_reason(old: str, new: str, place: str, word: str) -> None:
    assert DEPLOYMENT.count(old) == 1

    [problem] = found(DEPLOYMENT.replace(old, new))

    assert place in problem
    assert word in problem


def test_every_problem_is_told_in_document_order() -> None:
    broken = DEPLOYMENT.replace("replicas: 2", "replicas: x\n  strange: 1").replace("path: /", "path: 1")

    lines = [one.line for one in schema.problems(only(parse(broken)))]

    assert len(lines) == 3
    assert lines == sorted(lines)


@pytest.mark.parametrize("port", ["80", "http", '"80"'])
def test_a_port_of_a_probe_may_be_a_number_or_a_name(port: str) -> None:
    assert found(DEPLOYMENT.replace("port: http", f"port: {port}")) == []


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {anything: [1, {x: y}]}\n",
        "apiVersion: v9\nkind: Pod\nmetadata: {name: w}\n",
        "apiVersion: ../../x\nkind: Pod\nmetadata: {name: w}\n",
    ],
)
def test_a_kind_that_no_schema_knows_is_passed_over(text: str) -> None:
    assert found(text) == []


def test_a_document_without_kind_is_no_resource() -> None:
    with pytest.raises(NotAResource):
        found("apiVersion: v1\nmetadata: {name: w}\n")


def test_anything_may_be_null_where_the_api_leaves_it_out() -> None:
    assert found(DEPLOYMENT.replace("name: web\nspec", "name: web\n  creationTimestamp: null\nspec")) == []
