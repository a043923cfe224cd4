"""A unit's text as the objects that a cluster would get.

Types are read the way an API server reads them (YAML 1.1), so what the text says means the same on a
laptop and on a cluster.
"""

from __future__ import annotations

from typing import Any

import yaml

from confighub.errors import BadRequest, NotYaml

Manifest = dict[str, Any]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(text: str) -> list[Manifest]:
    """Return the documents in order, empty ones left out; a ``List`` counts as its items.

    Raises: NotYaml with line and column; BadRequest for a document that is no object.
    """
    try:
        found = list(yaml.load_all(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise _not_yaml(error) from error
    documents: list[Manifest] = []
    for document in found:
        if document is None:
            continue
        if not isinstance(document, dict):
            raise BadRequest(f"a document of the unit is no object but {type(document).__name__}")
        items = document.get("items")
        documents += items if document.get("kind") == "List" and isinstance(items, list) else [document]
    return documents


def write(documents: list[Manifest]) -> str:
    """Return the documents as YAML, keys in their own order."""
    return yaml.safe_dump_all(documents, sort_keys=False)


def describe(document: Manifest) -> str:
    """Return kind and name, as in ``Deployment web``."""
    return f"{document.get('kind', '')} {document.get('metadata', {}).get('name', '')}".strip()


def _not_yaml(error: yaml.YAMLError) -> NotYaml:
    mark = getattr(error, "problem_mark", None)
    reason = str(getattr(error, "problem", None) or error)
    return NotYaml(reason, line=mark.line + 1, column=mark.column + 1) if mark else NotYaml(reason)
