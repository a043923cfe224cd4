"""``yq``: queries over the documents, answered as YAML text."""

from __future__ import annotations

from typing import Any

from confighub.functions import queries
from confighub.functions.signature import KUBERNETES, PROPERTIES, Function, function, parameter
from confighub.functions.work import Work


def _yq(work: Work, arguments: list[Any]) -> Any:
    return {"Payload": queries.evaluate(arguments[0], work.documents)}


FUNCTIONS: list[Function] = [
    function(
        "yq",
        "Query the documents with a yq expression; updates show their result and are not kept",
        _yq,
        parameter("yq-expression", "The expression", example=".spec.template.spec.containers[].image"),
        output=("yq output", "YAML", "What the expression selects"),
        toolchains=(KUBERNETES, PROPERTIES),
    ),
    function(
        "echo",
        "Return the text as it is",
        lambda _work, _arguments: None,
        output=("resource", "YAML", "Nothing"),
        mutates=True,
        types=(),
        kind="",
        toolchains=(KUBERNETES, PROPERTIES),
    ),
]
