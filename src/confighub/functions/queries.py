"""Queries in the language of yq, over documents that keep their comments and order."""

from __future__ import annotations

import re
from typing import Any

import jq

from confighub.data import normal, scalars
from confighub.data.document import Document
from confighub.functions.work import Failed

_ = re, normal


def evaluate(expression: str, documents: list[Document]) -> str:
    """Return what the expression selects of each document, as YAML; documents are set apart by ``---``.

    Raises: Failed for an expression that cannot be read.
    """
    try:
        program = jq.compile(expression)
    except ValueError as error:
        raise Failed(f"yq expression cannot be read: {error}") from None
    parts = []
    for holder in documents:
        lines = [_text(value) for value in program.input_value(holder.data).all()]
        parts.append("".join(lines))
    return "---\n".join(parts)


def _text(value: Any) -> str:
    from confighub.data import render
    from confighub.data.render import Layout

    if isinstance(value, str):
        return value + "\n"
    if isinstance(value, (dict, list)):
        return "\n".join(render.block(value, Layout(2, 0, is_json=False))) + "\n"
    return scalars.written(value) + "\n"
