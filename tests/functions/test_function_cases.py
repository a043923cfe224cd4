"""Functions by example: what TraderX does with them, and what they answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from confighub.functions.invoke import Invoked, invoke
from confighub.records.functions import FunctionArgument, FunctionInvocation
from tests.data.reading_cases import cases

WEB = """\
# the front
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels:
    app: web # the app
spec:
  replicas: 1 # one
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: example/web:v1.0.0 # pinned
          env:
            - name: LOG_LEVEL
              value: info # or debug
        - name: proxy
          image: "example/proxy:v0.1"
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
spec:
  ports:
    - name: http
      port: 80 # plain
"""

CASES = cases("functions")


def called(text: str, *calls: list[str]) -> Invoked:
    """Return what the calls, each a name and its arguments, make of the text."""
    return invoke(
        text,
        [
            FunctionInvocation(function_name=name, arguments=[FunctionArgument(value=one) for one in arguments])
            for name, *arguments in calls
        ],
    )


def chosen(key: str) -> pytest.MarkDecorator:
    """Return the parameters of the test for cases that say this."""
    found = [(name, case) for name, case in CASES if key in case]
    return pytest.mark.parametrize("case", [case for _, case in found], ids=[name for name, _ in found])


@chosen("replace")
def test_a_function_changes_what_it_names_and_no_other_byte(case: dict[str, Any]) -> None:
    expected = WEB
    for old, new in case["replace"]:
        assert old in expected
        expected = expected.replace(old, new)

    done = called(WEB, *case["calls"])

    assert (done.success, done.errors) == (True, [])
    assert done.text == expected
    assert bool(done.mutators) == (done.text != WEB)


@chosen("has")
def test_a_function_adds_or_takes_away(case: dict[str, Any]) -> None:
    done = called(WEB, *case["calls"])

    assert (done.success, done.errors) == (True, [])
    assert all(one in done.text for one in case["has"])
    assert not any(one in done.text for one in case.get("lacks", ()))


@chosen("refused")
def test_a_call_that_cannot_be_made_says_what_is_wrong(case: dict[str, Any]) -> None:
    done = called(WEB, *case["calls"])

    assert not done.success
    assert case["refused"] in done.errors[0]
    assert done.text == WEB


@chosen("values")
def test_a_function_reads(case: dict[str, Any]) -> None:
    done = called(WEB, *case["calls"])

    assert [one["Value"] for one in json.loads(done.output)] == case["values"]
    assert done.text == WEB
    assert done.mutators == []


@chosen("payload")
def test_a_query_shows_what_it_selects(case: dict[str, Any]) -> None:
    done = called(WEB, *case["calls"])

    assert done.errors == []
    assert json.loads(done.output)["Payload"] == case["payload"]


@chosen("passed")
def test_a_check_gives_its_verdict_and_why(case: dict[str, Any]) -> None:
    done = called(WEB, *case["calls"])

    assert done.passed is case["passed"]
    assert done.success
    told = done.output.decode()
    assert all(one in told for one in case.get("details", ()))
    assert case.get("hides", "\0") not in told


words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12).filter(lambda one: one not in ("null", "true"))
odd = st.text("abc :#-'\"{}[],&*!|>%@`~=\\äß", min_size=1, max_size=12)
PAIRS: list[tuple[list[str], list[str], st.SearchStrategy[Any]]] = [
    (["set-replicas"], ["get-replicas"], st.integers(0, 1000)),
    (["set-namespace"], ["get-namespace"], words),
    (["set-image-reference", "web"], ["get-image-reference", "web"], words.map(lambda tag: f":{tag}")),
    (["set-image-uri", "web"], ["get-image-uri", "web"], words.map(lambda name: f"registry.example.com/{name}")),
    (["set-image", "proxy"], ["get-image", "proxy"], words.map(lambda name: f"{name}/x:v1")),
    (["set-env-var", "web", "LOG_LEVEL"], ["get-env-var", "web", "LOG_LEVEL"], odd),
    (["set-label", "tier"], ["get-label", "tier"], words),
    (["set-annotation", "example.com/a"], ["get-annotation", "example.com/a"], odd),
    (["set-string-path", "v1/Service", "spec.note"], ["get-string-path", "v1/Service", "spec.note"], odd),
    (["set-int-path", "v1/Service", "spec.n"], ["get-int-path", "v1/Service", "spec.n"], st.integers(-(2**53), 2**53)),
    (["set-bool-path", "v1/Service", "spec.b"], ["get-bool-path", "v1/Service", "spec.b"], st.booleans()),
]


@pytest.mark.parametrize(("put", "get", "values"), PAIRS, ids=[put[0] for put, _, _ in PAIRS])
@settings(max_examples=25)
@given(drawn=st.data())
def test_what_was_set_is_what_is_read(
    put: list[str], get: list[str], values: st.SearchStrategy[Any], drawn: st.DataObject
) -> None:
    value = drawn.draw(values)

    done = called(WEB, [*put, json.dumps(value) if not isinstance(value, str) else value])

    assert (done.success, done.errors) == (True, [])
    answers = [one["Value"] for one in json.loads(called(done.text, get).output)]
    assert answers
    assert all(type(one) is type(value) and one == value for one in answers)
    assert len(list(yaml.safe_load_all(done.text))) == 2
    again = called(done.text, [*put, json.dumps(value) if not isinstance(value, str) else value])
    assert (again.text, again.mutators) == (done.text, [])


def test_a_call_that_fails_leaves_nothing_when_errors_end_the_list() -> None:
    calls = [
        FunctionInvocation(
            function_name="set-string-path",
            arguments=[FunctionArgument(value=one) for one in ("*", "spec.replicas", "x")],
        ),
        FunctionInvocation(function_name="set-replicas", arguments=[FunctionArgument(value="4")]),
    ]

    done = invoke(WEB, calls, stop_on_error=True)

    assert not done.success
    assert len(done.errors) == 1
    assert done.text == WEB
    assert done.mutations == []


def test_calls_that_changed_nothing_leave_no_number_in_the_record() -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: b\n"
    )

    done = called(text, ["set-label", "x", "y"], ["set-label", "x", "y"])
    later = called(text, ["search-replace", "nothing", "else"], ["ensure-namespaces"])

    assert done.mutators == [0]
    assert [one.resource_mutation_info.index for one in later.mutations] == [1, 1]
    assert [one.resource_mutation_info.mutation_type for one in later.mutations] == ["Update", "None"]


def test_a_resource_that_becomes_another_kind_is_one_less_and_one_more() -> None:
    done = called(WEB, ["set-string-path", "v1/Service", "kind", "ConfigMap"])

    assert [(one.resource.resource_type, one.resource_mutation_info.mutation_type) for one in done.mutations] == [
        ("apps/v1/Deployment", "None"),
        ("v1/ConfigMap", "Add"),
        ("v1/Service", "Delete"),
    ]


def test_a_check_whose_answer_is_discarded_still_counts() -> None:
    done = called(WEB, ["get-image", "*"], ["vet-probes"])

    assert done.passed is False
    assert len(done.errors) == 1
    assert "incompatible output types" in done.errors[0]
