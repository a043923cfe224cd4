"""How a cluster is reached: from kubeconfig files, or from inside one.

Source: the kubeconfig format of client-go (clusters, users, contexts; the first file that names a thing wins).
"""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from confighub.errors import BadRequest, NotFound

ACCOUNT_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its own account: token, ca.crt, namespace."""

# Projected tokens are renewed long before they expire; kubelet writes the new one into the same file.
_TOKEN_KEPT_S = 60.0


@dataclass
class Token:
    """A bearer token, or the file that always holds the newest one; empty means none."""

    text: str = ""
    file: Path | None = None
    _read_at: float = field(default=float("-inf"), repr=False)

    def now(self) -> str:
        """Return the token as it is now."""
        if self.file and time.monotonic() - self._read_at > _TOKEN_KEPT_S:
            self.text, self._read_at = self.file.read_text().strip(), time.monotonic()
        return self.text


@dataclass(frozen=True)
class Access:
    """One cluster as one user: ``server`` is a URL without a slash at the end."""

    name: str
    server: str
    namespace: str = "default"
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    token: Token = field(default_factory=Token)


def contexts(files: Sequence[Path]) -> list[str]:
    """Return the names of all contexts in the files, the current one first."""
    merged = _merged(files)
    names, current = list(merged["contexts"]), merged["current-context"]
    return sorted(names, key=lambda name: name != current)


def from_kubeconfig(files: Sequence[Path], context: str = "") -> Access:
    """Return how the context is reached, by default the current one.

    Raises: BadRequest for files that cannot be read or a login that the worker does not carry out; NotFound for a
    context that none of them has.
    """
    merged = _merged(files)
    name = context or merged["current-context"]
    where = ", ".join(str(file) for file in files)
    chosen = merged["contexts"].get(name)
    if chosen is None:
        known = ", ".join(merged["contexts"]) or "none"
        raise NotFound(f"{where} has no context {name!r}", hint=f"it has {known}")
    cluster = merged["clusters"].get(chosen.get("cluster"))
    if cluster is None or not cluster.get("server"):
        raise BadRequest(f"context {name} of {where} names no cluster with a server")
    if cluster.get("proxy-url"):
        raise BadRequest(f"context {name} is reached through a proxy, which the worker does not do")
    user = merged["users"].get(chosen.get("user")) or {}
    _refuse_programs(name, user)
    return Access(
        name=name,
        server=str(cluster["server"]).rstrip("/"),
        namespace=str(chosen.get("namespace") or "default"),
        tls=_tls(cluster, user) if str(cluster["server"]).startswith("https") else None,
        server_name=cluster.get("tls-server-name"),
        token=Token(str(user.get("token") or ""), Path(user["tokenFile"]) if user.get("tokenFile") else None),
    )


def in_cluster(server: str, folder: Path = ACCOUNT_DIR) -> Access:
    """Return how a pod reaches the API server of its own cluster, by its service account.

    Raises: BadRequest when the pod has none.
    """
    try:
        tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        namespace = (folder / "namespace").read_text().strip()
        token = Token(file=folder / "token")
        token.now()
    except OSError as error:
        raise BadRequest(f"this pod has no service account: {error}") from error
    return Access(name="in-cluster", server=server.rstrip("/"), namespace=namespace, tls=tls, token=token)


def _merged(files: Sequence[Path]) -> dict[str, Any]:
    found: dict[str, Any] = {"contexts": {}, "clusters": {}, "users": {}, "current-context": ""}
    for file in files:
        try:
            content = yaml.safe_load(file.read_text()) or {}
        except (OSError, yaml.YAMLError) as error:
            raise BadRequest(f"{file} cannot be read as a kubeconfig: {error}") from error
        _refuse_other_shapes(file, content)
        found["current-context"] = found["current-context"] or str(content.get("current-context") or "")
        for kind, one in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
            for entry in content.get(kind) or []:
                found[kind].setdefault(entry.get("name"), _with_places(entry.get(one) or {}, file.parent))
    return found


def _refuse_other_shapes(file: Path, content: object) -> None:
    """Raise BadRequest for YAML that is no kubeconfig: a map, in which each list holds maps of a name and a map."""
    if not isinstance(content, dict):
        raise BadRequest(f"{file} is no kubeconfig: it holds no map")
    for kind, one in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
        entries = content.get(kind) or []
        if not isinstance(entries, list) or not all(
            isinstance(entry, dict) and isinstance(entry.get(one) or {}, dict) for entry in entries
        ):
            raise BadRequest(f"{file} is no kubeconfig: its {kind} are no list of maps that have a name and a {one}")


def _with_places(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the entry with its file names read from beside the kubeconfig."""
    files = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
    return {key: str(folder / value) if key in files and value else value for key, value in entry.items()}


def _refuse_programs(context: str, user: dict[str, Any]) -> None:
    program = user.get("exec") or user.get("auth-provider")
    if program:
        what = program.get("command") or program.get("name") or "a program"
        raise BadRequest(
            f"context {context} logs in with {what}, which the worker does not run",
            hint="give the worker a service account's token or a client certificate",
        )


def _tls(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    try:
        authority = _bytes(cluster, "certificate-authority")
        tls = ssl.create_default_context(cadata=authority.decode() if authority else None)
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        certificate, key = _bytes(user, "client-certificate"), _bytes(user, "client-key")
        if certificate:
            _load_pair(tls, certificate, key)
    except (OSError, ValueError) as error:
        raise BadRequest(f"a certificate of the kubeconfig cannot be used: {error}") from error
    return tls


def _bytes(entry: dict[str, Any], name: str) -> bytes:
    if entry.get(f"{name}-data"):
        return b64decode(entry[f"{name}-data"])
    return Path(entry[name]).read_bytes() if entry.get(name) else b""


def _load_pair(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a certificate and its key: OpenSSL takes them from a file only, which is there for that moment."""
    handle, name = tempfile.mkstemp()  # readable by this user alone
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(certificate.rstrip() + b"\n" + key)
        tls.load_cert_chain(name)
    finally:
        with suppress(OSError):
            Path(name).unlink()
