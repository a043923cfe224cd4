"""Patches of the data: what is set, merged and deleted, by example and by law."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from confighub.data.differences import changes
from confighub.data.document import document, only, parse
from confighub.data.patch import merge_patch, patched
from confighub.errors import BadRequest

WEB = """\
# the front
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1 # one
  template:
    spec:
      containers:
        # main
        - name: web
          image: web:v1 # pinned
          args: [a, b]
          ports:
            - containerPort: 80
            - {containerPort: 53, protocol: UDP}
        - name: proxy
          image: proxy:v1
"""
SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec: {type: ClusterIP}\n"

CASES: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("a number", {"spec": {"replicas": 3}}, [("replicas: 1 # one", "replicas: 3 # one")]),
    ("nothing new", {"spec": {"replicas": 1}}, []),
    ("a key that goes", {"spec": {"replicas": None}}, [("  replicas: 1 # one\n", "")]),
    ("a key that is not there", {"spec": {"paused": None}}, []),
    (
        "a key that comes",
        {"metadata": {"labels": {"a": "b", "c": None}}},
        [("name: web\nspec", "name: web\n  labels:\n    a: b\nspec")],
    ),
    (
        "one container by its name",
        {"spec": {"template": {"spec": {"containers": [{"name": "proxy", "image": "proxy:v2"}]}}}},
        [("proxy:v1", "proxy:v2")],
    ),
    (
        "a container that comes",
        {"spec": {"template": {"spec": {"containers": [{"name": "logs", "image": "logs:v1"}]}}}},
        [("image: proxy:v1\n", "image: proxy:v1\n        - name: logs\n          image: logs:v1\n")],
    ),
    (
        "a container that goes",
        {"spec": {"template": {"spec": {"containers": [{"name": "proxy", "$patch": "delete"}]}}}},
        [("        - name: proxy\n          image: proxy:v1\n", "")],
    ),
    (
        "a list without keys",
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "args": ["c"]}]}}}},
        [("[a, b]", "[c]")],
    ),
]


@pytest.mark.parametrize(("patch", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_patch_changes_what_it_names_and_no_other_byte(
    patch: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    text = WEB
    for old, new in expected:
        assert text.count(old) == 1
        text = text.replace(old, new)

    patched_text, records = merge_patch(WEB, patch)

    assert patched_text == text
    recorded = {path for one in records for path in one.path_mutation_map}
    assert recorded == set(changes(only(parse(WEB)), only(parse(text))))


def test_a_patch_finds_its_document_by_kind_and_name() -> None:
    both = WEB + "---\n" + SERVICE

    text, records = merge_patch(both, {"kind": "Service", "spec": {"type": "NodePort"}})

    assert text == both.replace("ClusterIP", "NodePort")
    assert [one.resource_mutation_info.mutation_type for one in records] == ["None", "Update"]


@pytest.mark.parametrize("patch", [{"spec": {}}, {"kind": "Job", "spec": {}}, {"metadata": {"name": "other"}}])
def test_a_patch_that_fits_no_document_or_several_is_refused(patch: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="of 2 documents"):
        merge_patch(WEB + "---\n" + SERVICE, patch)


def merged(data: Any, patch: Any) -> Any:
    """Return data with a patch, as RFC 7386 defines it."""
    if not isinstance(patch, dict):
        return patch
    found = dict(data) if isinstance(data, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


KEYS = st.sampled_from(["a", "b", "c", "d.e", "f/g"])
# Plain notation only: PyYAML writes the text 1e-05 without quotes, and YAML 1.2 reads a number there.
NUMERALS = st.integers(0, 999).map(lambda thousandths: f"0.{thousandths:03}")
LEAVES = st.one_of(st.integers(-9, 9), st.booleans(), st.text("xyz: #'\"\n", max_size=6), NUMERALS)
DATA = st.dictionaries(KEYS, st.recursive(LEAVES, lambda one: st.dictionaries(KEYS, one, max_size=3), max_leaves=8))
PATCHES = st.dictionaries(
    KEYS,
    st.recursive(st.one_of(st.none(), LEAVES), lambda one: st.dictionaries(KEYS, one, max_size=3), max_leaves=8),
    max_size=4,
)


@given(DATA.filter(bool), PATCHES)
def test_a_patch_of_maps_means_what_the_standard_says(data: dict[str, Any], patch: dict[str, Any]) -> None:
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)

    source, _ = patched(document(text.encode()), patch)

    wanted = merged(data, patch)
    assert document(source).data == wanted


@given(DATA.filter(bool), PATCHES)
def test_a_patch_twice_is_a_patch_once(data: dict[str, Any], patch: dict[str, Any]) -> None:
    once, _ = patched(document(yaml.safe_dump(data, sort_keys=False).encode()), patch)

    again, recorded = patched(document(once), patch)

    assert again == once
    assert recorded == {}
