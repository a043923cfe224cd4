"""Slugs: the names in addresses. What is one, how to make one of any text, and fresh ones.

Random choices come in as arguments, so that rules stay rules.
"""

from __future__ import annotations

import random
import re
import unicodedata

from confighub.errors import BadRequest

MAX_LENGTH = 128

_SLUG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")

ADJECTIVES = tuple(
    """
    able agile amber apt bold brave breezy bright brisk calm cheery clever cosy crisp curious dapper daring deft
    eager early fair fancy fluffy fond frank fresh gentle glad golden grand happy hardy honest humble jolly keen
    kind lively loyal lucky mellow merry mild misty neat nimble noble patient plucky polite proud quick quiet
    rapid ready rosy royal rustic serene sharp shiny silver sleek smart snug solid spry steady sturdy sunny
    swift tidy tranquil trusty upbeat valiant vivid warm wise witty young zesty
    """.split()  # noqa: SIM905 -- a word list is easier to read and to sort as words
)
NOUNS = tuple(
    """
    acorn alder anchor apple aspen badger beacon bear beaver birch bison bramble breeze bridge brook bunny
    canyon cedar cherry cliff cloud clover comet coral cove crane creek dove dune eagle ember falcon fern finch
    fjord forest fox garden glacier grove harbor hawk hazel heron hill island ivy juniper kite lagoon lake lark
    lily lynx maple marsh meadow moon moss mountain oak olive orchard orchid otter owl panda pebble pine plum
    pond poppy prairie puffin quail rabbit raven reef ridge river robin sage sparrow spruce star stone stream
    swan thistle tiger tree tulip valley violet walnut willow wolf wren
    """.split()  # noqa: SIM905 -- a word list is easier to read and to sort as words
)


def check_slug(slug: str) -> str:
    """Return the slug when it is one.

    Raises: BadRequest, with a slug that would do, when it is not.
    """
    if len(slug) > MAX_LENGTH or not _SLUG.fullmatch(slug):
        better = slugify(slug)
        raise BadRequest(
            f"a slug has letters, digits, '-', '_' and '.', at most {MAX_LENGTH}: {slug[: MAX_LENGTH + 1]!r}",
            hint=f"try {better}" if better else "",
        )
    return slug


def slugify(text: str) -> str:
    """Return the text as a slug: lower-case, one hyphen between words, accents dropped; empty when nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9_.]+", "-", plain.lower()).strip("-._")[:MAX_LENGTH].rstrip("-._")


def two_words(choice: random.Random) -> str:
    """Return a fresh prefix such as ``fluffy-bunny``."""
    return f"{choice.choice(ADJECTIVES)}-{choice.choice(NOUNS)}"
