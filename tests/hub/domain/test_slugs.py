from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confighub.errors import BadRequest
from confighub.hub.domain.patching import merge_patch
from confighub.hub.domain.slugs import ADJECTIVES, NOUNS, check_slug, slugify, two_words


@pytest.mark.parametrize(
    ("text", "slug"),
    [("My App", "my-app"), ("  Ünïcode — test!", "unicode-test"), ("a_b.c", "a_b.c"), ("!!!", ""), ("-x-", "x")],
)
def test_slugify(text: str, slug: str) -> None:
    assert slugify(text) == slug


@given(st.text(max_size=200))
def test_what_slugify_gives_is_a_slug_or_nothing(text: str) -> None:
    slug = slugify(text)

    assert not slug or check_slug(slug) == slug


def test_a_bad_slug_comes_with_a_better_one() -> None:
    with pytest.raises(BadRequest) as caught:
        check_slug("My App")
    assert caught.value.hint == "try my-app"


@pytest.mark.requirement("R-039", "R-346")
def test_a_prefix_is_two_words() -> None:
    adjective, noun = two_words(random.Random(1)).split("-")

    assert adjective in ADJECTIVES
    assert noun in NOUNS
    assert len(set(ADJECTIVES)) == len(ADJECTIVES)
    assert len(set(NOUNS)) == len(NOUNS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ("text", {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_as_the_rfc_says(target: object, patch: object, expected: object) -> None:
    assert merge_patch(target, patch) == expected


@given(JSON, JSON)
def test_a_merge_patch_twice_is_a_merge_patch_once(target: object, patch: object) -> None:
    once = merge_patch(target, patch)

    assert merge_patch(once, patch) == once
