"""Where a project's things are: its folder, its state, its name, and the hub that it uses.

State lives under ``.traderx/`` in the project's folder, or in the folder that ``--data`` or TRADERX_DATA
names; the project's name is in ``.cub-project`` beside it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confighub.errors import BadRequest, NotFound

STATE_FOLDER = ".traderx"
NAME_FILE = ".cub-project"
SUFFIX = "-traderx"


@dataclass(frozen=True)
class Project:
    """One project: its source folder, its state folder, and the file with its name."""

    root: Path
    data: Path
    name_file: Path

    @property
    def base_folder(self) -> Path:
        """The folder with the 17 base units, one file each."""
        return self.root / "confighub" / "base"

    @property
    def addons_folder(self) -> Path:
        """The folder with the addon units, one file each."""
        return self.root / "confighub" / "addons"

    @property
    def login_folder(self) -> Path:
        """The folder in which our client keeps its login; never the user's own."""
        return self.data / "cub"

    @property
    def catalogue_file(self) -> Path:
        """The laptop's image catalogue."""
        return self.data / "catalogue.json"

    @property
    def runtime_folder(self) -> Path:
        """The folder of the laptop runtime."""
        return self.data / "runtime"

    def secrets_folder(self, environment: str) -> Path:
        """The folder with the environment's secrets, one file each."""
        return self.data / "secrets" / environment

    def name(self) -> str:
        """Return the project's name; raises NotFound when no project was made here yet."""
        try:
            name = self.name_file.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            name = ""
        if not name:
            raise NotFound(f"no project here: {self.name_file} is missing", hint="make one: bin/install-base")
        return name

    def keep_name(self, name: str) -> None:
        """Write the project's name. Raises: BadRequest for one that could not start a space's name."""
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
            raise BadRequest(f"not a project's name: {name}", hint="lower-case words joined by hyphens")
        replace_file(self.name_file, name + "\n")

    def space(self, stage: str) -> str:
        """Return the slug of the project's space for a stage, as in ``fluffy-bunny-traderx-dev``."""
        return f"{self.name()}-{stage}"


def find_project(data: str | None = None, environ: Mapping[str, str] | None = None) -> Project:
    """Return the project of this checkout, or of the current folder when we are installed elsewhere.

    A state folder of its own brings its own name file, so that projects in one checkout never meet.
    """
    env = os.environ if environ is None else environ
    root = _root(env)
    chosen = data or env.get("TRADERX_DATA", "")
    if not chosen:
        return Project(root, root / STATE_FOLDER, root / NAME_FILE)
    folder = Path(chosen).absolute()
    return Project(root, folder, folder / NAME_FILE)


def _root(env: Mapping[str, str]) -> Path:
    named = env.get("TRADERX_ROOT", "")
    checkout = Path(__file__).resolve().parents[2]
    for folder in (Path(named) if named else checkout, Path.cwd()):
        if (folder / "confighub" / "base").is_dir():
            return folder.absolute()
    raise NotFound(
        "no project here: neither this installation nor the current folder has confighub/base",
        hint="go to the checkout, or name it with TRADERX_ROOT",
    )


def replace_file(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write the file so that a reader sees the old text or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in the file; empty when there is no file. Raises: BadRequest for a damaged one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise BadRequest(f"{path} is not JSON: {error}", hint="remove it; it is made anew") from error
    return found if isinstance(found, dict) else {}
