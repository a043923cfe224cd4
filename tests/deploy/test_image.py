"""Images that are written without a builder: what a container runtime reads in them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from deploy.image import rootfs
from deploy.image.oci import Config, Image, full_name, layer, write_archive
from deploy.image.traderx import hub_and_worker, kept_for_locks, services

from traderx import topology


def tree(folder: Path, content: str = "one") -> Path:
    (folder / "etc").mkdir(parents=True)
    (folder / "etc" / "about").write_text(content)
    (folder / "state").mkdir()
    return folder


def read(archive: Path, name: str) -> Any:
    with tarfile.open(archive) as tar:
        found = tar.extractfile(name)
        assert found is not None
        return json.loads(found.read())


def blob(archive: Path, descriptor: dict[str, Any]) -> Any:
    return read(archive, f"blobs/{descriptor['digest'].replace(':', '/')}")


def test_the_same_files_give_the_same_layer(tmp_path: Path) -> None:
    made = [layer(tree(tmp_path / name), into=tmp_path / f"{name}.tar") for name in ("a", "b")]
    other = layer(tree(tmp_path / "c", "two"), into=tmp_path / "c.tar")

    assert made[0].digest == made[1].digest
    assert other.digest != made[0].digest


def test_files_belong_to_root_but_where_said(tmp_path: Path) -> None:
    packed = layer(tree(tmp_path / "a"), into=tmp_path / "a.tar", owners={"state": 1000})

    with tarfile.open(packed.path) as tar:
        owners = {one.name: (one.uid, one.gid) for one in tar}
    assert owners == {"etc": (0, 0), "etc/about": (0, 0), "state": (1000, 1000)}


def test_every_blob_is_where_its_digest_says(tmp_path: Path) -> None:
    packed = layer(tree(tmp_path / "a"), into=tmp_path / "a.tar")
    images = [Image(f"finos/x:v{number}", (packed,), Config(("x",), {"A": str(number)})) for number in (1, 2)]

    digests = write_archive(tmp_path / "x.tar", images)

    with tarfile.open(tmp_path / "x.tar") as tar:
        names = tar.getnames()
        assert len(names) == len(set(names)) == 2 + 2 * 2 + 1
        for one in tar:
            if one.name.startswith("blobs/"):
                content = tar.extractfile(one)
                assert content is not None
                assert hashlib.sha256(content.read()).hexdigest() == one.name.rpartition("/")[2]
    index = read(tmp_path / "x.tar", "index.json")
    listed = {one["annotations"]["io.containerd.image.name"]: one["digest"] for one in index["manifests"]}
    assert listed == digests
    assert list(digests) == ["docker.io/finos/x:v1", "docker.io/finos/x:v2"]


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("postgres:15", "docker.io/library/postgres:15"),
        ("finos/traderx-web-gui:v1.0.0", "docker.io/finos/traderx-web-gui:v1.0.0"),
        ("registry.local/pause:1", "registry.local/pause:1"),
        ("localhost/a:1", "localhost/a:1"),
        ("host:5000/a:1", "host:5000/a:1"),
    ],
)
def test_a_name_is_read_as_runtimes_read_it(short: str, full: str) -> None:
    assert full_name(short) == full


def test_the_images_say_what_the_containerfile_says(project: Path, tmp_path: Path) -> None:
    packed = layer(tree(tmp_path / "a"), into=tmp_path / "a.tar")
    made = [*services((packed,), ["v1.1.0"], topology.BY_NAME), *hub_and_worker((packed,))]
    write_archive(tmp_path / "x.tar", made)
    containerfile = (project / "deploy" / "Containerfile").read_text(encoding="utf-8")

    for one in read(tmp_path / "x.tar", "index.json")["manifests"]:
        config = blob(tmp_path / "x.tar", blob(tmp_path / "x.tar", one)["config"])["config"]
        environment = dict(word.split("=", 1) for word in config["Env"])
        assert config["User"] == "1000:1000"
        assert config["WorkingDir"] == "/var/lib/confighub"
        assert config["Healthcheck"]["Test"][0] == "CMD"
        for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
            assert f"{name}={environment[name]}" in containerfile
        if "APP_VERSION" in environment:
            assert environment["APP_VERSION"] == "v1.1.0"
            assert config["Cmd"][:2] == ["traderx", "service"]
            port = topology.BY_NAME[config["Cmd"][2]].container_port
            assert config["ExposedPorts"] == {f"{port}/tcp": {}}
            assert all(f"{name}={environment[name]}" in containerfile for name in ("HOST", "DRAIN_S"))
    assert len(made) == len(topology.SERVICES) + 2


def test_what_one_installer_made_is_not_given_to_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that uv made has no pip that could add the project to it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with kept_for_locks() as without:
        pass
    (tmp_path / "uv").touch(mode=0o755)
    with kept_for_locks() as with_uv:
        pass

    assert without != with_uv


def test_a_program_finds_its_libraries_below_the_root_alone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    rootfs.make_base(root, {"traderx": 1000})
    program = root / "bin" / "true"
    program.parent.mkdir()
    program.write_bytes(Path("/bin/true").read_bytes())

    rootfs.add_libraries(root)

    needed = subprocess.run(["ldd", "/bin/true"], capture_output=True, text=True, check=True).stdout
    paths = [word for word in needed.split() if word.startswith("/")]
    assert paths
    assert all((root / path.lstrip("/")).is_file() for path in paths)
    assert "traderx:x:1000:1000::" in (root / "etc" / "passwd").read_text()
