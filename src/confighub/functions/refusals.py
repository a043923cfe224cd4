"""What no unit may hold, whatever space it is in: broken YAML, equal keys, templates, literal secrets.

A refusal says where and what to do instead; it never shows the value.
"""

from __future__ import annotations

import base64
import binascii
import re

from confighub.data import brackets, problems, spans
from confighub.data import document as documents
from confighub.data.document import Document
from confighub.data.path import Steps, get, join
from confighub.data.tree import MAP, NONE, SEQ, node_key, node_type
from confighub.errors import BadPath, BadRequest, NotYaml
from confighub.functions.values import leaves

_TEMPLATE = re.compile(r"\{\{")
_SECRET_NAME = re.compile(
    r"(?:^|[-_.a-z0-9])(?:password|passwd|passphrase|secret|secret[-_]?key|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|client[-_]?secret|auth[-_]?token|access[-_]?token|refresh[-_]?token|bearer[-_]?token|token|credentials?)\Z"
)
_TELLING = re.compile(
    r"-----BEGIN (?:[A-Z ]+ )?PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bsk-[A-Za-z0-9_-]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    r"|[a-z][a-z0-9+.-]*://[^/\s:@]+:(?!\$)[^/\s:@$]+@"
)
"""Keys, tokens and addresses with a password, by their form."""
_HARMLESS = re.compile(
    r"\A(?:|confighubplaceholder|true|false|null|none|[*x]+|<[^>]*>|\$\{?[A-Za-z_][\w.-]*\}?|\$\([\w.-]+\)|/[\w./-]*)\Z",
    re.IGNORECASE,
)


def refuse(text: str) -> None:
    """Return when the text may be stored.

    Raises: NotYaml for broken YAML and equal keys, with line and column; BadRequest for a template or a literal secret.
    """
    template = _template(text)
    if template is not None:
        raise template
    brackets.refuse_deep(text.encode("utf-8", "surrogatepass"))
    problem = problems.first_problem(text)
    if problem is not None:
        raise problem
    stream = documents.parse(text)
    for placed in stream.documents:
        line = stream.source.count(b"\n", 0, placed.start)
        _refuse_equal_keys(placed.document, line)
        found = secret_places(placed.document)
        if found:
            place, at = found[0]
            raise BadRequest(
                f"literal secret at {place}, line {at + line}",
                hint="name a Secret instead: secretKeyRef or envFrom.secretRef",
            )


def _template(text: str) -> BadRequest | None:
    match = _TEMPLATE.search(text)
    while match is not None:
        start = text.rfind("\n", 0, match.start()) + 1
        if not text[start : match.start()].lstrip().startswith("#"):
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - start + 1
            return BadRequest(
                f"line {line}, column {column}: a template in YAML is not allowed",
                hint="store literal values, and change them per environment with functions",
            )
        match = _TEMPLATE.search(text, match.end())
    return None


def _refuse_equal_keys(document: Document, line: int) -> None:
    if not document.has_equal_keys:
        return
    pending = [document.root]
    tree = document.tree
    while pending:
        node = pending.pop()
        kind = node_type(tree, node)
        if not kind & (MAP | SEQ):
            continue
        children = document.children(node)
        if kind & MAP:
            seen: set[bytes] = set()
            for child in children:
                key = node_key(tree, child)
                if key in seen and key != b"<<":
                    at = spans.key_span(document, child)[0]
                    raise NotYaml(
                        f"the key stands here twice: {key.decode()}",
                        line=line + spans.line_of(document.source, at),
                        column=spans.column(document.source, at) + 1,
                    )
                seen.add(key)
        pending += children


def secret_places(document: Document) -> list[tuple[str, int]]:
    """Return the paths of values that look like literal secrets, each with its line in the document."""
    found = document.memo.get("secrets")
    if found is None:
        found = document.memo["secrets"] = _secret_places(document)
    return list(found)


def _secret_places(document: Document) -> list[tuple[str, int]]:
    data = document.data
    kind = data.get("kind") if isinstance(data, dict) else None
    found = []
    for steps, value in leaves(data, _may_harm):
        if _TELLING.search(value) or _is_named_secret(data, kind, steps) or _is_secret_data(kind, steps, value):
            found.append((_place(data, steps), _line(document, steps)))
    return found


def _may_harm(value: object) -> bool:
    return isinstance(value, str) and not _HARMLESS.match(value)


def _place(data: object, steps: Steps) -> str:
    """The path, with an environment variable by its name, as a person knows it."""
    if steps[-1:] == ("value",) and len(steps) > 2 and steps[-3] == "env":
        return f"{join(steps[:-2])}.?name={get(data, (*steps[:-1], 'name'))}.value"
    return join(steps)


def _is_named_secret(data: object, kind: object, steps: Steps) -> bool:
    if steps[-1:] == ("value",) and len(steps) > 2 and steps[-3] == "env":
        name = get(data, (*steps[:-1], "name"))
        return isinstance(name, str) and _names_a_secret(name)
    if kind in ("Secret", "ConfigMap") and steps[:1] in (("data",), ("stringData",)):
        return _names_a_secret(str(steps[-1]))
    # other fields of the API name secrets, they do not hold them
    return False


def _names_a_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()))


def _is_secret_data(kind: object, steps: Steps, value: str) -> bool:
    if kind != "Secret" or steps[:1] not in (("data",), ("stringData",)):
        return False
    if steps[0] == "data":
        try:
            return not _HARMLESS.match(base64.b64decode(value, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            return True
    return True


def _line(document: Document, steps: Steps) -> int:
    node = document.find(steps)
    try:
        at = 0 if node in (NONE, document.root) else spans.entry_start(document, node)
    except BadPath:
        at = 0
    return spans.line_of(document.source, at)
