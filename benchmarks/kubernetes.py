"""How fast units reach a cluster and drift reaches the hub, on a real API server.

A hub and a worker are started for the measurement, on a folder of their own; objects go to namespaces of their own,
which are deleted at the end. The peer is ``kubectl apply --server-side`` of the same objects. Times are wall time:
95th percentiles of the rounds for single units, medians of the turns for many.

    python benchmarks/kubernetes.py --kubeconfig FILE [--kubectl PROGRAM] [--rounds 30]
        [--units 1000] [--turns 3] [--json]
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from cluster import Site, arguments, p95, settings, until
from report import Measurement, tell_all


def first_write(site: Site, rounds: int) -> Measurement:
    """Measure from the accepted apply to the object at the API server, each round a new unit."""
    times: list[float] = []
    path = f"/api/v1/namespaces/{site.namespace}/configmaps"
    for number in range(rounds):
        unit = site.create(f"write-{number}", settings(f"write-{number}", site.namespace, a="1"))
        site.apply(unit)
        start = time.perf_counter()
        until(lambda number=number: site.kube.get(f"{path}/write-{number}").status_code == 200)
        times.append(time.perf_counter() - start)
    return Measurement("apply accepted → first write, p95", p95(times) * 1000, None, "ms")


def drift(site: Site, rounds: int) -> list[Measurement]:
    """Measure from a foreign change to the hub's knowing of it, and on to its being put right by an apply."""
    document = settings("drifting", site.namespace, color="blue")
    unit = site.create("drifting", document)
    site.apply(unit)
    until(lambda: site.call("GET", f"/space/{site.space}/unit/{unit}")["Unit"]["LiveRevisionNum"])
    path = f"/api/v1/namespaces/{site.namespace}/configmaps/drifting"
    known: list[float] = []
    mended: list[float] = []
    for number in range(rounds):
        start = time.perf_counter()
        headers = {"Content-Type": "application/merge-patch+json"}
        query = {"fieldManager": "intruder"}
        color = f"red-{number}"
        site.kube.patch(path, content=json.dumps({"data": {"color": color}}), headers=headers, params=query)
        until(lambda color=color: color in site.live_state(unit))
        known.append(time.perf_counter() - start)
        site.apply(unit)
        until(lambda: site.kube.get(path).json()["data"]["color"] == "blue")
        mended.append(time.perf_counter() - start)
    return [
        Measurement("drift → known to the hub, p95", p95(known) * 1000, None, "ms"),
        Measurement("drift → known and put right, p95", p95(mended) * 1000, None, "ms"),
    ]


def many(site: Site, count: int, rounds: int, peer: Kubectl | None) -> list[Measurement]:
    """Measure units applied by one call, from the call until all are live, and the peer on the same objects, in turns.

    Each round has new units. Then the same for units that are promoted first: their upstreams have changed.
    """
    ours: list[float] = []
    peers: list[float] = []
    for number in range(rounds):
        name = f"many-{number}"
        for one in range(count):
            site.create(f"{name}-{one}", settings(f"{name}-{one}", site.namespace, number=str(one)))
        ours.append(_applied(site, f"SpaceID = '{site.space}' AND Slug LIKE '{name}-%'"))
        if peer:
            peers.append(peer.applies(site, name, count))
    taken, theirs = median(ours), median(peers) if peers else None
    return [
        Measurement(f"{count} units applied", taken, theirs, "s"),
        Measurement("the same, each", taken / count * 1000, theirs / count * 1000 if theirs else None, "ms"),
        promoted(site, count),
    ]


def promoted(site: Site, count: int) -> Measurement:
    """Measure units that take over the change of their upstreams and are applied, until all are live."""
    upstream, downstream = (
        site.call("POST", "/space", {"Slug": f"bench-{name}"})["SpaceID"] for name in ("up", "down")
    )
    for one in range(count):
        site.create(f"moved-{one}", settings(f"moved-{one}", site.namespace, number=str(one)), space=upstream)
    clones, originals = f"SpaceID = '{downstream}'", f"SpaceID = '{upstream}'"
    patch = {"TargetID": site.target}
    site.call("POST", "/unit", patch, where=originals, where_space=f"SpaceID = '{downstream}'")
    _applied(site, clones)
    site.call("PATCH", "/unit", {"data": {"color": "green"}}, where=originals, data_patch="true")
    start = time.perf_counter()
    site.call("PATCH", "/unit", {}, where=clones, upgrade="true")
    _applied(site, clones)
    return Measurement(f"{count} units promoted and applied", time.perf_counter() - start, None, "s")


def _applied(site: Site, where: str) -> float:
    """Apply the units by one call; return how long it took until their heads are live."""
    start = time.perf_counter()
    site.call("POST", "/unit/apply", where=where)
    behind = f"{where} AND LiveRevisionNum < HeadRevisionNum"
    while site.call("GET", "/unit", where=behind, select="Slug", limit="1"):
        time.sleep(0.05)
    return time.perf_counter() - start


class Kubectl:
    """The peer: ``kubectl apply --server-side`` of objects in one file."""

    def __init__(self, program: str, kubeconfig: Path, folder: Path) -> None:
        self.command = [program, f"--kubeconfig={kubeconfig}", "apply", "--server-side", "-f"]
        self.file = folder / "objects.json"

    def applies(self, site: Site, name: str, count: int) -> float:
        """Return how long it takes to apply so many objects that there are none of yet."""
        namespace = f"{site.namespace}-{name}"
        site.make_namespace(namespace)
        items = [settings(f"{name}-{one}", namespace, number=str(one)) for one in range(count)]
        self.file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        start = time.perf_counter()
        subprocess.run([*self.command, str(self.file)], check=True, capture_output=True)
        return time.perf_counter() - start


def main() -> None:
    parser = arguments(__doc__, rounds=30)
    parser.add_argument("--kubectl", default="", help="the peer; without it its columns are null")
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=3, help="how often the units are applied, by us and the peer")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = Site(folder, given.kubeconfig)
        try:
            found = [first_write(site, given.rounds), *drift(site, given.rounds)] if given.rounds else []
            peer = Kubectl(given.kubectl, given.kubeconfig, folder) if given.kubectl else None
            found += many(site, given.units, given.turns, peer) if given.units else []
        finally:
            site.stop()
    tell_all(found, as_json=given.json)


if __name__ == "__main__":
    main()
