"""What a hub on SQLite commits, copied to a second folder before anyone is answered.

SQLite writes whole pages to its write-ahead log first. The journal is a copy of those logs, one after the other
(``00000007.wal``), and now and then of the store itself: with ``base-00000007.sqlite`` the logs from number 7 on make
the store as it was at the last commit. A log may be copied twice: its pages are whole, so writing the older ones again
before the newer ones ends at the same store.
PostgreSQL archives its own log (``pg_receivewal --synchronous``), so there is no journal of ours beside it.
Source: https://www.sqlite.org/fileformat2.html, section 4.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from confighub.errors import BadRequest, Conflict, RetryLater

CONFIG, KEY_FILE, LOCK = "journal.json", "hub.key", "journal.lock"
_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_SALTS = slice(16, 24)
_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Replayed:
    """What a restore read: the number of the base, how many logs after it, their pages, and bytes cut at the end."""

    base: int
    logs: int
    pages: int
    torn_bytes: int


class Journal:
    """The journal of one store. Whoever commits does so inside ``turn`` and calls ``copy`` before it ends."""

    def __init__(self, store: Path, folder: Path) -> None:
        self.store, self.folder = store, folder
        self._wal = store.with_name(f"{store.name}-wal")
        self._number, self._header, self._copied = 0, b"", 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep other writers away, in other processes too, and copy what was committed, before and inside.

        Raises: RetryLater when the folder cannot be written; what was to be committed inside is not, then.
        """
        with self._said("nothing was changed"):
            lock = os.open(self.folder / LOCK, os.O_RDWR)
        try:
            with self._said("nothing was changed"):
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._copy()
            yield
        finally:
            os.close(lock)

    def copy(self) -> None:
        """Copy what was committed since the last time; call it inside ``turn``.

        Raises: RetryLater when that fails; the next turn tries again before it changes anything.
        """
        with self._said("the change is stored but not yet journalled"):
            self._copy()

    def take_base(self) -> Path:
        """Copy the store itself, while others write, and return the file."""
        with self.turn():
            number = self._begin_log()
        draft = self.folder / f".base-{number:08}.{os.getpid()}"
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        source = sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)
        with closing(source), closing(sqlite3.connect(draft)) as target:
            source.backup(target)
        _sync(draft)
        file = self.folder / f"base-{number:08}.sqlite"
        draft.replace(file)
        _sync(self.folder)
        return file

    @contextmanager
    def _said(self, state: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RetryLater(
                f"{state}: the journal in {self.folder} cannot be written: {(error.strerror or str(error)).lower()}",
                hint="make room there, or end it: confighub journal --off",
            ) from error

    def _copy(self) -> None:
        try:
            wal = os.open(self._wal, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            header = os.pread(wal, _HEADER_BYTES, 0)
            if len(header) < _HEADER_BYTES:
                return
            # one that another process began, or a log begun anew, is a new file here
            if header != self._header or not self._copied or self._path(self._number + 1).exists():
                self._number, self._header, self._copied = _next_number(self.folder), header, 0
            end = _end_of_commits(wal, max(self._copied, _HEADER_BYTES))
            if end > self._copied and (self._copied or end > _HEADER_BYTES):
                self._append(wal, end)
        finally:
            os.close(wal)

    def _append(self, wal: int, end: int) -> None:
        is_new = not self._copied
        log = os.open(self._path(self._number), os.O_WRONLY | (os.O_CREAT | os.O_EXCL if is_new else 0), 0o600)
        try:
            at = self._copied
            while at < end:
                part = os.pread(wal, min(_COPY_BYTES, end - at), at)
                at += os.pwrite(log, part, at)
            os.fsync(log)
        finally:
            os.close(log)
        if is_new:
            _sync(self.folder)
        self._copied = end

    def _begin_log(self) -> int:
        """Make the next copy begin a new file with the whole log, and return that file's number."""
        self._header, self._copied = b"", 0
        self._copy()
        return self._number if self._copied else _next_number(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:08}.wal"


class Journals:
    """The journal of a store, begun or ended by others at any time: its file is looked at before each commit."""

    def __init__(self, store: Path) -> None:
        self.store, self._config = store, store.parent / CONFIG
        self._seen = (0, 0)
        self._journal: Journal | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let the block commit, and have it journalled, when there is a journal. Raises: RetryLater."""
        journal = self._now()
        if journal is None:
            yield
            return
        with journal.turn():
            yield
            journal.copy()

    def catch_up(self) -> None:
        """Copy what was committed and not copied; a folder that cannot be written is left to the next turn."""
        journal = self._now()
        if journal is not None:
            with suppress(RetryLater), journal.turn():
                pass

    def _now(self) -> Journal | None:
        try:
            found = self._config.stat()
        except FileNotFoundError:
            self._seen, self._journal = (0, 0), None
            return None
        seen = (found.st_ino, found.st_mtime_ns)
        if seen != self._seen:
            folder = json.loads(self._config.read_text(encoding="utf-8"))["Folder"]
            self._seen, self._journal = seen, Journal(self.store, Path(folder))
        return self._journal


def begin_journal(store: Path, folder: Path, key: str) -> Journal:
    """Let the store be journalled into the folder from now on, with the hub's key beside it.

    Raises: Conflict when the folder has the journal of another hub.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = folder / KEY_FILE
    if kept.exists() and kept.read_text(encoding="ascii").strip() != key.strip():
        raise Conflict(f"{folder} has the journal of another hub", hint="name an empty folder")
    _write(kept, key)
    (folder / LOCK).touch(mode=0o600)
    _write(store.parent / CONFIG, json.dumps({"Folder": str(folder.resolve())}) + "\n")
    return Journal(store, folder.resolve())


def read_key(folder: Path) -> str:
    """Return the key of the hub that the folder has the journal of. Raises: BadRequest when it has none."""
    try:
        return (folder / KEY_FILE).read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise BadRequest(f"{folder} has no journal of a hub", hint="begin one: confighub journal FOLDER") from error


def end_journal(store: Path) -> bool:
    """Journal the store no longer; tell whether it was. What is in the folder stays."""
    config = store.parent / CONFIG
    was_there = config.exists()
    config.unlink(missing_ok=True)
    return was_there


def prune(folder: Path, *, keep: int) -> int:
    """Remove the oldest bases but ``keep``, with the logs that only they need; return how many files went."""
    bases = sorted(_numbers(folder, r"base-(\d{8})\.sqlite"))
    if len(bases) <= keep:
        return 0
    oldest = bases[-keep]
    doomed = [folder / f"base-{number:08}.sqlite" for number in bases if number < oldest]
    doomed += [folder / f"{number:08}.wal" for number in _numbers(folder, r"(\d{8})\.wal") if number < oldest]
    for path in doomed:
        path.unlink()
    return len(doomed)


def restore_journal(folder: Path, store: Path) -> Replayed:
    """Make the store anew from the newest base and all logs after it, and verify it page by page.

    Raises: BadRequest when there is no base, or a log is missing or damaged; Conflict when there is a store.
    """
    bases = sorted(_numbers(folder, r"base-(\d{8})\.sqlite"))
    if not bases:
        raise BadRequest(f"{folder} has no journal of a hub", hint="begin one: confighub journal FOLDER")
    if store.exists():
        raise Conflict(f"{store} is there already", hint="restore into an empty folder: another --data")
    numbers = sorted(number for number in _numbers(folder, r"(\d{8})\.wal") if number >= bases[-1])
    logs = [folder / f"{number:08}.wal" for number in numbers]
    if numbers and numbers[-1] - bases[-1] + 1 != len(numbers):
        raise BadRequest(f"{folder} lacks logs between {bases[-1]} and {numbers[-1]}")
    draft = store.with_name(f".{store.name}.restoring")
    for name in (draft, draft.with_name(f"{draft.name}-wal"), draft.with_name(f"{draft.name}-shm")):
        name.unlink(missing_ok=True)
    shutil.copyfile(folder / f"base-{bases[-1]:08}.sqlite", draft)
    draft.chmod(0o600)
    pages, torn = 0, 0
    for place, log in enumerate(logs):
        done, torn = _replay(draft, log)
        pages += done
        good = log.stat().st_size - torn
        if torn and not _goes_on(log, good, logs[place + 1 :]):
            raise BadRequest(
                f"{log} is damaged after {done} pages, and commits that were answered are behind",
                hint=f"to do without them: truncate -s {good} {log}, and move the later logs away",
            )
    with closing(sqlite3.connect(draft)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise BadRequest(f"the store restored from {folder} is damaged: {found}")
    _sync(draft)
    draft.replace(store)
    _sync(store.parent)
    return Replayed(bases[-1], len(logs), pages, torn)


def _replay(store: Path, log: Path) -> tuple[int, int]:
    """Let SQLite write the log's pages into the store; return how many, and how many bytes were not taken."""
    wal = store.with_name(f"{store.name}-wal")
    shutil.copyfile(log, wal)
    with closing(sqlite3.connect(store)) as connection:
        # it checks every page's sum, and stops before the first that is wrong
        _, pages, _ = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    wal.unlink(missing_ok=True)
    header = log.read_bytes()[:_HEADER_BYTES]
    frame_bytes = _FRAME_HEADER_BYTES + int.from_bytes(header[8:12], "big")
    return pages, log.stat().st_size - _HEADER_BYTES - max(pages, 0) * frame_bytes


def _goes_on(log: Path, good: int, later: list[Path]) -> bool:
    """Tell whether nothing is missing behind the good part: the next log has all of it again, or no commit follows.

    A process that dies while it copies leaves a piece without its commit at the end, which was answered to nobody.
    """
    if later:
        return later[0].read_bytes()[:_HEADER_BYTES] == log.read_bytes()[:_HEADER_BYTES]
    with log.open("rb") as opened:
        return _end_of_commits(opened.fileno(), _HEADER_BYTES) <= good


def _end_of_commits(wal: int, start: int) -> int:
    """Return where the last commit ends in the log, looking from the end of another one on."""
    header = os.pread(wal, _HEADER_BYTES, 0)
    frame_bytes = _FRAME_HEADER_BYTES + int.from_bytes(header[8:12], "big")
    at = end = start
    while True:
        frame = os.pread(wal, _FRAME_HEADER_BYTES, at)
        # behind the end is what the log held before it was begun anew, with other salts
        if len(frame) < _FRAME_HEADER_BYTES or frame[8:16] != header[_SALTS]:
            return end
        at += frame_bytes
        if frame[4:8] != b"\0\0\0\0":
            end = at


def _next_number(folder: Path) -> int:
    bases = [number - 1 for number in _numbers(folder, r"base-(\d{8})\.sqlite")]
    return max([*_numbers(folder, r"(\d{8})\.wal"), *bases, 0]) + 1


def _numbers(folder: Path, pattern: str) -> list[int]:
    found = (re.fullmatch(pattern, path.name) for path in folder.iterdir())
    return [int(one.group(1)) for one in found if one]


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
