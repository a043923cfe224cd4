"""OCI images in one archive, written without a daemon or a registry: `ctr images import` and `podman load` take it.

    base = layer(root, into=folder / "base.tar")
    write_archive(archive, [Image("finos/traderx-web-gui:v1.0.0", (base,), Config(command=("traderx",)))])

Layers are the same, byte by byte, for the same files: order, owners and times are fixed.
Source: the OCI image format specification, 1.1; the reserved field Healthcheck is Docker's.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_INDEX = "application/vnd.oci.image.index.v1+json"
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Layer:
    """Files to put over those of the layers before, packed in the file at ``path``."""

    path: Path
    digest: str
    size_bytes: int
    about: str = ""


@dataclass(frozen=True)
class Config:
    """How a container of the image starts. ``user`` is UID:GID; ``port`` 0 means none is exposed.

    ``health`` is a command that ends with 0 while all is well; Kubernetes has probes instead and does not look at it.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    folder: str = "/"
    port: int = 0
    health: tuple[str, ...] = ()


@dataclass(frozen=True)
class Image:
    """An image under the name by which units or people call it."""

    name: str
    layers: tuple[Layer, ...]
    config: Config


def layer(root: Path, *, into: Path, owners: Mapping[str, int] | None = None, about: str = "") -> Layer:
    """Pack the tree below ``root``.

    Everything belongs to root but the paths in ``owners``, relative to ``root``, whose user and group are given.
    """
    with tarfile.open(into, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            tar.add(path, arcname=name, recursive=False, filter=_fixed((owners or {}).get(name, 0)))
    return packed(into, about=about)


def packed(path: Path, *, about: str = "") -> Layer:
    """Return the layer that was packed in the file."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Layer(path, f"sha256:{digest}", path.stat().st_size, about)


def write_archive(archive: Path, images: Sequence[Image]) -> dict[str, str]:
    """Write the images to one archive, each layer once, and return the digest of each by its full name."""
    digests: dict[str, str] = {}
    described: list[dict[str, Any]] = []
    blobs: dict[str, bytes] = {}
    for image in images:
        config = _add(blobs, _described_config(image), _CONFIG)
        layers = [{"mediaType": _LAYER, "digest": one.digest, "size": one.size_bytes} for one in image.layers]
        manifest = _add(
            blobs, {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}, _MANIFEST
        )
        name = full_name(image.name)
        digests[name] = manifest["digest"]
        named = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rpartition(":")[2]}
        described.append({**manifest, "platform": _platform(), "annotations": named})
    with tarfile.open(archive, "w") as tar:
        _put(tar, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _put(tar, "index.json", json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": described}).encode())
        for digest, content in blobs.items():
            _put(tar, _place(digest), content)
        for one in {one.digest: one for image in images for one in image.layers}.values():
            tar.add(one.path, arcname=_place(one.digest), filter=_fixed(0))
    return digests


def full_name(name: str) -> str:
    """Return the name as container runtimes read it: without a registry it is one of Docker's."""
    first, slash, _ = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


def _described_config(image: Image) -> dict[str, Any]:
    given = image.config
    started: dict[str, Any] = {
        "Env": [f"{name}={value}" for name, value in given.environment.items()],
        "Cmd": list(given.command),
        "WorkingDir": given.folder,
        "User": given.user,
    }
    if given.port:
        started["ExposedPorts"] = {f"{given.port}/tcp": {}}
    if given.health:
        times = {"Interval": 10 * _SECOND_NS, "Timeout": 5 * _SECOND_NS, "StartPeriod": 30 * _SECOND_NS, "Retries": 3}
        started["Healthcheck"] = {"Test": ["CMD", *given.health], **times}
    return {
        **_platform(),
        "config": started,
        "rootfs": {"type": "layers", "diff_ids": [one.digest for one in image.layers]},
        "history": [{"created_by": one.about} for one in image.layers],
    }


def _platform() -> dict[str, str]:
    machine = platform.machine()
    return {"architecture": _ARCHITECTURES.get(machine, machine), "os": "linux"}


def _add(blobs: dict[str, bytes], content: Mapping[str, Any], kind: str) -> dict[str, Any]:
    data = json.dumps(content).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    blobs[digest] = data
    return {"mediaType": kind, "digest": digest, "size": len(data)}


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _put(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))


class _fixed:  # noqa: N801 a filter, used like a function
    """Give an entry a fixed owner and time."""

    def __init__(self, owner: int) -> None:
        self._owner = owner

    def __call__(self, entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = self._owner
        entry.uname = entry.gname = ""
        entry.mtime = 0
        return entry
