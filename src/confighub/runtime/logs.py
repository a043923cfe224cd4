"""What workloads print: one file a replica and container, kept below a size, read back by name.

Programs write straight into their file (append mode), so nothing is lost when the daemon stalls;
a file over its cap is copied aside and cut, which append mode survives.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

CAP_BYTES = 5_000_000
KEPT_FILES = 12  # of replicas that are gone, per workload: enough to read why the last updates failed
MARK = "[runtime]"
_TAIL_BYTES = 64_000
_FOLLOW_PERIOD_S = 0.2


def folder_of(environment_folder: Path) -> Path:
    """Return where an environment's logs are."""
    return environment_folder / "logs"


def note(path: Path, text: str) -> None:
    """Append a line of ours, such as a start or an exit, marked as such."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{MARK} {datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines since the program's last start, without ours; empty when there is no file."""
    lines: list[str] = []
    for line in reversed(_tail(path)):
        if line.startswith(f"{MARK} ") and " started " in line:
            break
        if line.strip() and not line.startswith(MARK):
            lines.append(line)
        if len(lines) == count:
            break
    return lines[::-1]


def cut(path: Path, cap_bytes: int = CAP_BYTES) -> None:
    """Move a file that is over the cap aside (one older copy is kept) and start it empty."""
    if path.exists() and path.stat().st_size > cap_bytes:
        shutil.copyfile(path, path.with_suffix(".log.1"))
        with path.open("r+b") as file:
            file.truncate(0)


def prune(where: Path, workload: str, in_use: set[Path]) -> None:
    """Delete the oldest logs of a workload's gone replicas beyond those that are kept."""
    gone = sorted(set(of_workload(where, workload)) - in_use, key=lambda path: path.stat().st_mtime)
    for path in gone[:-KEPT_FILES]:
        path.unlink(missing_ok=True)
        path.with_suffix(".log.1").unlink(missing_ok=True)


def of_workload(where: Path, workload: str) -> list[Path]:
    """Return the log files of a workload, the most recently written last."""
    return sorted((where / workload).glob("*.log"), key=lambda path: path.stat().st_mtime)


def read(where: Path, workload: str, count: int) -> list[str]:
    """Return the last lines of a workload; with several replicas each line names its own."""
    files = of_workload(where, workload)
    lines: list[str] = []
    for path in files:
        prefix = f"{path.stem}: " if len(files) > 1 else ""
        lines += [prefix + line for line in _tail(path)[-count:]]
    return lines


def follow(where: Path, workload: str) -> Iterator[str]:
    """Yield lines as they are written, from now on, of replicas that come later too; never ends."""
    positions = {path: path.stat().st_size for path in of_workload(where, workload)}
    while True:
        files = of_workload(where, workload)
        for path in files:
            prefix = f"{path.stem}: " if len(files) > 1 else ""
            size, position = path.stat().st_size, positions.get(path, 0)
            with path.open("rb") as file:
                file.seek(position if size >= position else 0)
                whole, newline, _ = file.read().rpartition(b"\n")
                positions[path] = (position if size >= position else 0) + len(whole) + len(newline)
            yield from (prefix + line for line in whole.decode(errors="replace").splitlines())
        time.sleep(_FOLLOW_PERIOD_S)


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return []
