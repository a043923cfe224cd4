"""What workloads print: kept small, read by name, followed."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest

from confighub.errors import NotFound
from confighub.runtime import logs, main
from tests.runtime.running import Running, deployment, until


def test_the_last_lines_are_those_since_the_last_start(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("old\n")
    logs.note(path, "started web as pid 1: web")
    with path.open("a") as file:
        file.write("one\ntwo\n\nthree\n")
    logs.note(path, "exited with code 1")

    assert logs.last_lines(path, 2) == ["two", "three"]
    assert logs.last_lines(path, 9) == ["one", "two", "three"]
    assert logs.last_lines(tmp_path / "none.log", 2) == []


def test_a_file_over_its_cap_is_cut_and_one_copy_kept(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    with path.open("ab") as program:
        program.write(b"x" * 2000)
        program.flush()
        logs.cut(path, cap_bytes=1000)
        program.write(b"after\n")

    assert path.read_bytes() == b"after\n"
    assert path.with_suffix(".log.1").stat().st_size == 2000


def test_old_logs_of_gone_replicas_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    for number in range(logs.KEPT_FILES + 5):
        (tmp_path / "web" / f"web-{number}.log").write_text("x")
    in_use = {tmp_path / "web" / "web-0.log"}

    logs.prune(tmp_path, "web", in_use)

    left = set((tmp_path / "web").iterdir())
    assert len(left) == logs.KEPT_FILES + 1
    assert in_use < left


def test_logs_of_a_workload_name_their_replica_when_there_are_several(daemon: Running) -> None:
    daemon.apply(deployment(replicas=2), deployment("one", port=18099))
    daemon.wait_complete()
    daemon.wait_complete("one")
    names = {item["name"] for item in daemon.replicas() if item["workload"] == "web"}
    several, single = io.StringIO(), io.StringIO()

    main.logs(daemon.data_dir, "dev", "web", out=several)
    main.logs(daemon.data_dir, "dev", "one", lines=1, out=single)

    assert {line.partition(":")[0] for line in several.getvalue().splitlines()} == names
    assert single.getvalue() == "serving v1 on 18099\n"


def test_an_unknown_workload_is_told_with_those_there_are(daemon: Running) -> None:
    daemon.apply(deployment())
    daemon.wait_complete()

    with pytest.raises(NotFound, match="there is web"):
        main.logs(daemon.data_dir, "dev", "wep")


def test_following_shows_what_comes_later(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    path = tmp_path / "web" / "web-1.log"
    path.write_text("before\n")
    seen: list[str] = []
    lines = logs.follow(tmp_path, "web")
    thread = threading.Thread(target=lambda: seen.append(next(lines)), daemon=True)
    thread.start()

    def write() -> bool:
        with path.open("a") as file:
            file.write("after\n")
        return bool(seen)

    until(write)

    assert seen == ["after"]
