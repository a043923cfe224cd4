"""The environment of a container's process: what the unit says, resolved on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from confighub.runtime import hosts, manifests
from confighub.runtime.addresses import Endpoint

# What programs need of the daemon's own environment; everything else, credentials above all, stays out.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


class Unresolved(Exception):
    """A ConfigMap, Secret or key is missing; the text names it."""


@dataclass(frozen=True)
class Replica:
    """What variables may refer to of their own replica."""

    name: str
    namespace: str
    host: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Sources:
    """Where values come from: ``config_maps`` of the namespace, a folder of secrets, addresses by name."""

    config_maps: Mapping[str, Mapping[str, str]]
    secrets_dir: str
    lookup: hosts.Lookup


@dataclass(frozen=True)
class Environment:
    """Variables, and which Service names became which addresses."""

    values: dict[str, str]
    replaced: dict[str, str] = field(default_factory=dict)


def resolve(container: manifests.Container, *, replica: Replica, sources: Sources, tag: str) -> Environment:
    """Return the container's variables.

    Later entries win, ``env`` over ``envFrom``; ``$(NAME)`` refers to an earlier one. APP_VERSION, PORT
    (the first containerPort) and HOST are given unless the unit sets them.
    Raises Unresolved for a source that is neither there nor optional.
    """
    own: dict[str, str] = {}
    for entry in container.env_from or []:
        own |= {entry.prefix + key: value for key, value in _whole(entry, sources).items()}
    replaced: dict[str, str] = {}
    for variable in container.env or []:
        value = _value(variable, replica, sources)
        if value is not None:
            own[variable.name] = expand(value, own)
    for name, value in own.items():
        own[name], found = hosts.replace(name, value, sources.lookup)
        replaced |= found
    given = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    given |= {"PYTHONUNBUFFERED": "1", "APP_VERSION": tag, "HOST": replica.host, "HOSTNAME": replica.name}
    return Environment(given | own, replaced)


def ports(container: manifests.Container, values: Mapping[str, str], places: Mapping[int, Endpoint]) -> dict[str, str]:
    """Return PORT for the first containerPort, as it is on this machine, unless the unit sets another one."""
    declared = container.ports or []
    if not declared or values.get("PORT", str(declared[0].container_port)) != str(declared[0].container_port):
        return {}
    return {"PORT": str(places[declared[0].container_port].port)}


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` by the value; unknown names stay as they are, ``$$`` is one dollar.

    Source: Kubernetes API reference, EnvVar.value.
    """

    def one(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else values.get(match[1], match[0])

    return _REFERENCE.sub(one, text)


def secret(folder: str, name: str) -> dict[str, str] | None:
    """Return a secret's keys and values from ``<folder>/<name>.json``, None when there is none."""
    path = Path(folder) / f"{name}.json"
    if not folder or "/" in name or not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError) as error:
        # The decoder's message can quote the file, so only its class is shown.
        raise Unresolved(f"secret {name} cannot be read: {type(error).__name__}") from None


def secret_names(container: manifests.Container) -> Iterator[str]:
    """Yield the names of the secrets that a container asks for."""
    for entry in container.env_from or []:
        if entry.secret_ref:
            yield entry.secret_ref.name
    for variable in container.env or []:
        if variable.value_from and variable.value_from.secret_key_ref:
            yield variable.value_from.secret_key_ref.name


def _whole(entry: manifests.EnvFrom, sources: Sources) -> Mapping[str, str]:
    if entry.config_map_ref:
        found: Mapping[str, str] | None = sources.config_maps.get(entry.config_map_ref.name)
        what, ref = "configmap", entry.config_map_ref
    elif entry.secret_ref:
        found = secret(sources.secrets_dir, entry.secret_ref.name)
        what, ref = "secret", entry.secret_ref
    else:
        return {}
    if found is None and not ref.optional:
        raise Unresolved(f"{what} {ref.name} not found")
    return found or {}


def _value(variable: manifests.EnvVar, replica: Replica, sources: Sources) -> str | None:
    """Return the value, None when its source is missing and optional."""
    source = variable.value_from
    if source is None:
        return variable.value or ""
    if source.field_ref:
        return _field(source.field_ref.field_path, replica)
    ref = source.config_map_key_ref or source.secret_key_ref
    if ref is None:
        raise Unresolved(f"variable {variable.name} has a source that is not supported here")
    if source.config_map_key_ref:
        what, found = "configmap", sources.config_maps.get(ref.name)
    else:
        what, found = "secret", secret(sources.secrets_dir, ref.name)
    if found is None or ref.key not in found:
        if ref.optional:
            return None
        raise Unresolved(
            f"{what} {ref.name} has no key {ref.key}" if found is not None else f"{what} {ref.name} not found"
        )
    return found[ref.key]


def _field(path: str, replica: Replica) -> str:
    fields = {
        "metadata.name": replica.name,
        "metadata.namespace": replica.namespace,
        "status.podIP": replica.host,
        "status.hostIP": "127.0.0.1",
        "spec.nodeName": "laptop",
    }
    if path in fields:
        return fields[path]
    if match := re.fullmatch(r"metadata\.labels\['([^']+)'\]", path):
        return replica.labels.get(match[1], "")
    raise Unresolved(f"field {path} is not known here")
