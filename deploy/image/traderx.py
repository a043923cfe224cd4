"""TraderX's images without a builder: `deploy/build --archive FILE`.

One set of files, eight commands: this machine's interpreter, the locked environment, the project. The hub's and the
worker's image have the same files again. What deploy/Containerfile says of user, ports and environment holds here too.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.image import rootfs
from deploy.image.oci import Config, Image, Layer, layer, packed, write_archive

from traderx import topology

PROJECT = Path(__file__).resolve().parents[2]
HOME = "/opt/traderx"
USER = 1000
STATE = "var/lib/confighub"
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_PACKAGES = f"{HOME}/lib/{_PYTHON}/site-packages".lstrip("/")
_LOCKS = ("requirements.lock", "deploy/requirements-postgresql.lock")
_OWN = ("confighub", "traderx", "traderx_confighub-*")
# Needed to install the project, never to run it.
_INSTALLERS = (
    "pip",
    "pip-*",
    "setuptools",
    "setuptools-*",
    "_distutils_hack",
    "distutils-precedence.pth",
    "__pycache__",
)
_PROGRAMS = {"traderx": "traderx.cli", "cub": "confighub.cli.main", "confighub": "confighub.server"}
_IS_ALIVE = "from urllib.request import urlopen; urlopen('http://127.0.0.1:{port}{path}', timeout=4)"


def main(arguments: Sequence[str]) -> None:
    """Build the archive and print the names in it."""
    parser = argparse.ArgumentParser(prog="deploy/build --archive", description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--tag", action="append", help="a tag of the services; may be given again")
    parser.add_argument(
        "--service", action="append", choices=sorted(topology.BY_NAME), help="only this service's image"
    )
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="traderx-image-") as folder, kept_for_locks() as kept:
        layers = build_layers(Path(folder), kept)
        made = services(layers, given.tag or topology.IMAGE_TAGS, given.service or topology.BY_NAME)
        digests = write_archive(given.archive, made if given.service else [*made, *hub_and_worker(layers)])
    for name, digest in digests.items():
        print(f"{name} {digest}")
    print(f"{given.archive}: {given.archive.stat().st_size / 1e6:.0f} MB, {len(digests)} images")


def services(layers: tuple[Layer, ...], tags: Iterable[str], names: Iterable[str]) -> list[Image]:
    """Return the named services under each tag, which their processes know as APP_VERSION."""
    made = []
    for tag in tags:
        for one in (topology.BY_NAME[name] for name in names):
            # a Service still leads here for a moment after the process was told to end
            own = {"PORT": str(one.container_port), "APP_VERSION": tag, "HOST": "0.0.0.0", "DRAIN_S": "5"}  # noqa: S104
            config = _config(("traderx", "service", one.name), own, port=one.container_port, path="/health/live")
            made.append(Image(f"{topology.IMAGE_PREFIX}{one.name}:{tag}", layers, config))
    return made


def hub_and_worker(layers: tuple[Layer, ...]) -> list[Image]:
    """Return the hub and the worker under the project's version."""
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    hub = ("confighub", "serve", "--host", "0.0.0.0", "--port", "9090", "--data", f"/{STATE}")  # noqa: S104
    worker = ("cub", "worker", "run", "--provider", "kubernetes")
    return [
        Image(f"traderx-confighub-hub:v{version}", layers, _config(hub, {}, port=9090, path="/api/info")),
        Image(f"traderx-confighub:v{version}", layers, _config(worker, {"CONFIGHUB_HOME": f"/{STATE}"})),
    ]


@contextmanager
def kept_for_locks() -> Iterator[Path]:
    """Yield the folder in which what only the locks decide is kept, to nobody else at the time.

    It is in the user's cache, one for each interpreter, installer and set of locks, and may be removed at any time.
    """
    # an environment that uv made has no pip in it
    installer = "uv" if shutil.which("uv") else "pip"
    known = hashlib.sha256(f"{sys.version} {Path(sys.executable).resolve()} {installer}".encode())
    for path in (*(PROJECT / lock for lock in _LOCKS), *sorted(Path(__file__).parent.glob("*.py"))):
        known.update(path.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "traderx-image"
    folder = cache / known.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def build_layers(folder: Path, kept: Path) -> tuple[Layer, ...]:
    """Return the layers, the one that changes most often last: interpreter, locked environment, project."""
    if not (kept / "complete").exists():
        _build_locked(folder, kept)
        (kept / "complete").touch()
    own = folder / "project"
    installed = _install_project(kept / "installed", folder / "source")
    (own / _PACKAGES).mkdir(parents=True)
    for pattern in _OWN:
        for found in installed.glob(pattern):
            shutil.copytree(found, own / _PACKAGES / found.name, ignore=shutil.ignore_patterns("__pycache__"))
    rootfs.compile_below(own / _PACKAGES, shown_as=f"/{_PACKAGES}")
    return (
        packed(kept / "base.tar", about="interpreter"),
        packed(kept / "locked.tar", about="locked environment"),
        layer(own, into=folder / "own.tar", about="project"),
    )


def _build_locked(folder: Path, kept: Path) -> None:
    """Install what is locked, and pack it and the interpreter with the libraries that either loads."""
    base, locked = folder / "base", folder / "locked"
    shutil.rmtree(kept / "installed", ignore_errors=True)
    installed = _install_locked(kept / "installed")
    shutil.copytree(installed, locked / _PACKAGES, symlinks=True, ignore=shutil.ignore_patterns(*_INSTALLERS, *_OWN))
    rootfs.compile_below(locked / _PACKAGES, shown_as=f"/{_PACKAGES}")
    _add_environment(locked / HOME.lstrip("/"))
    rootfs.make_base(base, {"traderx": USER})
    (base / STATE).mkdir(parents=True)
    rootfs.add_python(base)
    rootfs.add_libraries(base, locked)
    layer(base, into=kept / "base.tar", owners={STATE: USER})
    layer(locked, into=kept / "locked.tar")


def _config(command: tuple[str, ...], own: dict[str, str], *, port: int = 0, path: str = "") -> Config:
    environment = {"PATH": f"{HOME}/bin:/usr/local/bin:/usr/bin:/bin"}
    environment |= {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **own}
    check = _IS_ALIVE.format(port=port, path=path) if port else "import os; os.kill(1, 0)"
    health = ("python", "-c", check)
    return Config(command, environment, f"{USER}:{USER}", f"/{STATE}", port, health)


def _install_locked(home: Path) -> Path:
    """Install what is locked into an environment at ``home``, and return the folder with the packages."""
    locks = [str(PROJECT / one) for one in _LOCKS]
    if uv := shutil.which("uv"):
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(home))
        _run(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(home / "bin/python"), *locks)
    else:
        _run(sys.executable, "-m", "venv", str(home))
        wanted = [word for lock in locks for word in ("--requirement", lock)]
        pip = (str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--no-compile")
        _run(*pip, "--require-hashes", *wanted)
    return home / "lib" / _PYTHON / "site-packages"


def _install_project(home: Path, source: Path) -> Path:
    """Install the project beside what is locked, and return the folder with the packages."""
    source.mkdir()
    for one in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(PROJECT / one, source / one)
    shutil.copytree(PROJECT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    own = ("--quiet", "--no-build-isolation", "--no-deps")
    if uv := shutil.which("uv"):
        python = ("--python", str(home / "bin/python"))
        _run(uv, "pip", "install", *own, "--reinstall-package", "traderx-confighub", *python, str(source))
    else:
        _run(str(home / "bin/python"), "-m", "pip", "install", *own, "--no-compile", "--force-reinstall", str(source))
    return home / "lib" / _PYTHON / "site-packages"


def _add_environment(home: Path) -> None:
    """Make the installed packages an environment whose programs are found in ``HOME``/bin."""
    programs = home / "bin"
    programs.mkdir(parents=True)
    (home / "pyvenv.cfg").write_text("home = /usr/local/bin\ninclude-system-site-packages = false\n")
    (programs / "python").symlink_to(f"/usr/local/bin/{_PYTHON}")
    for program, module in _PROGRAMS.items():
        path = programs / program
        path.write_text(f"#!{HOME}/bin/python\nfrom {module} import run\n\nrun()\n")
        path.chmod(0o755)


def _run(*command: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main(sys.argv[1:])
