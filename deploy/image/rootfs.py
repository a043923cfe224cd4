"""The files of an image that has no distribution under it: programs, and the libraries that they load.

What is taken comes from the machine that builds, so its libraries fit its programs. There is no shell, no package
manager and no certificate of this machine in it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

_LOADED = re.compile(r"(?:=> )?(/\S+) \(0x")
_ELF = b"\x7fELF"
# Of the standard library, what no service imports: tests, editors, the installer.
_LEFT_OUT = (
    *("__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "config-*"),
    *("site-packages", "dist-packages", "*.a"),
)
# Looked up by name while a program runs, so no program says that it needs them; part of libc since glibc 2.34.
_NAME_SERVICES = ("libnss_files.so.2", "libnss_dns.so.2")


def make_base(root: Path, accounts: dict[str, int]) -> None:
    """Make the folders that programs expect, and the accounts, each with a group of its own name and number."""
    for name in ("dev", "etc", "proc", "run", "sys", "tmp", "var"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    everybody = {"root": 0, **accounts}
    users = [f"{name}:x:{number}:{number}::/:/usr/sbin/nologin\n" for name, number in everybody.items()]
    groups = [f"{name}:x:{number}:\n" for name, number in everybody.items()]
    (root / "etc" / "passwd").write_text("".join(users))
    (root / "etc" / "group").write_text("".join(groups))
    (root / "etc" / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


def add_python(root: Path) -> None:
    """Put this interpreter and its standard library below usr/local, compiled, so that nothing is written later."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    programs, library = root / "usr/local/bin", root / "usr/local/lib" / name
    programs.mkdir(parents=True)
    library.parent.mkdir(parents=True)
    shutil.copy2(Path(sys.executable).resolve(), programs / name)
    (programs / "python3").symlink_to(name)
    ignore = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(sysconfig.get_path("stdlib"), library, symlinks=True, ignore=ignore)
    compile_below(library, shown_as=f"/usr/local/lib/{name}")


def compile_below(folder: Path, *, shown_as: str) -> None:
    """Compile every module. The times of files in an image say nothing, so the compiled ones do not ask for them."""
    command = [sys.executable, "-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", shown_as, str(folder)]
    # not all of a standard library is meant to compile
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)


def add_libraries(root: Path, *others: Path) -> None:
    """Put every shared library that programs below ``root`` and ``others`` load to where the loader looks for it.

    One that this machine keeps in a place of its own goes beside the system's, where the loader looks last.
    """
    inside = tuple(str(one) for one in (root, *others))
    programs = [path for one in (root, *others) for path in one.rglob("*") if _is_program(path)]
    loaded = [Path(name) for name in sorted(_loaded_by(programs)) if not name.startswith(inside)]
    system = next(path.parent for path in loaded if path.name == "libc.so.6")
    for path in loaded:
        is_usual = str(path).startswith(("/lib", "/usr/lib"))
        _add(root, path, path if is_usual else system / path.name)
    for name in _NAME_SERVICES:
        if (system / name).exists():
            _add(root, system / name, system / name)


def _is_program(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as content:
        return content.read(4) == _ELF


def _loaded_by(programs: Iterable[Path]) -> set[str]:
    arguments = [str(path) for path in programs]
    if not arguments:
        return set()
    told = subprocess.run(["ldd", *arguments], capture_output=True, text=True, check=False).stdout
    return set(_LOADED.findall(told))


def _add(root: Path, library: Path, place: Path) -> None:
    target = root / str(place).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(library.resolve(), target)
