"""What a create or an update is told about a record: a JSON file, labels, annotations."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from confighub.cli.command import flag, options
from confighub.cli.command import option as one_option
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

LABELS = (
    options("label", "Set a label; KEY=- removes it.", metavar="KEY=VALUE", short="l"),
    options("annotation", "Set an annotation; KEY=- removes it.", metavar="KEY=VALUE"),
)
RECORD_INPUT = (
    flag("from-stdin", "Read the record as JSON from standard input."),
    one_option("filename", "Read the record as JSON from a file; - is standard input.", metavar="FILE"),
    *LABELS,
)
DRY_RUN = flag("dry-run", "Show what would be, and store nothing.")

_SLUG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def read_text(name: str) -> str:
    """Return the text of a file, of standard input (``-``), of a ``file://`` or ``https://`` address.

    Raises: BadRequest, naming the file, when it cannot be read.
    """
    if name == "-":
        return sys.stdin.read()
    if name.startswith(("https://", "http://")):
        return _fetched(name)
    path = Path(name.removeprefix("file://"))
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise BadRequest(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"cannot read {path}: not UTF-8 text, byte {error.start}") from error


def given_record(call: Call) -> Wire:
    """Return the JSON record of ``--from-stdin`` or ``--filename``; empty without either."""
    source = "-" if call.yes("from-stdin") else call.text("filename")
    if not source:
        return {}
    name = "standard input" if source == "-" else source
    try:
        record = json.loads(read_text(source))
    except ValueError as error:
        raise BadRequest(f"{name} is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise BadRequest(f"{name} holds no JSON object")
    return record


def put_labels(call: Call, record: Wire) -> Wire:
    """Return the record with the labels and annotations that the call sets and removes."""
    for flag_name, key in (("label", "Labels"), ("annotation", "Annotations")):
        changes = _pairs(flag_name, call.many(flag_name))
        if changes:
            kept = {**(record.get(key) or {}), **changes}
            record = {**record, key: {name: value for name, value in kept.items() if value is not None}}
    return record


def label_patch(call: Call) -> Wire:
    """Return the merge patch of the labels and annotations; a removed key has the value None."""
    changes = {
        key: _pairs(flag_name, call.many(flag_name))
        for flag_name, key in (("label", "Labels"), ("annotation", "Annotations"))
    }
    return {key: value for key, value in changes.items() if value}


def slug_of(name: str) -> str:
    """Return the name when it can be a slug, else the slug that the public client would make of it."""
    if _SLUG.fullmatch(name):
        return name
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9_.]+", "-", plain.lower()).strip("-._")
    if not slug:
        raise BadRequest(f"no slug can be made of this name: {name!r}")
    return slug


def _pairs(flag_name: str, texts: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for text in texts:
        key, _, value = text.partition("=")
        if not key:
            raise BadRequest(f"--{flag_name} needs a key: {text}", hint=f"--{flag_name} tier=backend")
        found[key] = None if value == "-" else value
    return found


def _fetched(url: str) -> str:
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  # the scheme was checked by the caller
            return str(answer.read().decode())
    except OSError as error:
        raise BadRequest(f"cannot read {url}: {error}") from error
