"""Where everything answers: addresses for Services and replicas, ports for ingresses.

On Linux all of 127.0.0.0/8 is this machine, so a project takes one block 127.A.0.0/16, an environment
one third octet, and every Service and replica an address of its own with its literal port. Elsewhere
there is only 127.0.0.1, and each port of each name gets a free port instead. What Services and
ingresses got is kept on disk; replicas come and go and take what is free.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import zlib
from collections import deque
from pathlib import Path
from typing import IO

import msgspec

from confighub.errors import Conflict
from confighub.runtime import files, listeners

LOOPBACK = "127.0.0.1"
# 127.0 holds the well-known ones (127.0.0.53 and friends), 127.1 is a common hand-made choice.
FIRST_BLOCK, LAST_BLOCK = 16, 250
FIRST_SERVICE, LAST_REPLICA = 2, 254
# Below the usual range of ephemeral ports (32768 and up), so that no client socket takes them.
INGRESS_PORTS, OFFSET_PORTS, END_OF_PORTS = 20000, 26000, 32000


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """An address and a port on this machine."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _Names(msgspec.Struct):
    number: int
    services: dict[str, int] = {}
    offsets: dict[str, int] = {}
    ingress: list[int] = []


class _File(msgspec.Struct):
    block: int = 0
    environments: dict[str, _Names] = {}


class Addresses:
    """The addresses of one project; ``has_block`` says whether names get addresses or only ports."""

    def __init__(self, data_dir: Path, *, has_block: bool) -> None:
        self.has_block = has_block
        self._path = data_dir / "addresses.json"
        self._data_dir = data_dir.resolve()
        self._claim: IO[str] | None = None
        self._known = _File()
        if self._path.exists():
            self._known = msgspec.json.decode(self._path.read_bytes(), type=_File)
        block = self._claim_block(self._known.block)
        if block != self._known.block:
            self._known.block = block
            self._save()
        self._in_use: dict[str, set[int]] = {}
        self._given_back: dict[str, deque[int]] = {}
        self._lent: dict[int, set[int]] = {}

    def service(self, environment: str, name: str, port: int) -> Endpoint:
        """Return where a Service's port answers; the first question for a name decides it for good.

        Port 0 asks for the host only.
        """
        names = self._environment(environment)
        if not self.has_block:
            if not port:
                return Endpoint(LOOPBACK, 0)
            key = f"{name}:{port}"
            if key not in names.offsets:
                names.offsets[key] = self._free_port(OFFSET_PORTS + self._spread(4000))
                self._save()
            return Endpoint(LOOPBACK, names.offsets[key])
        if name not in names.services:
            taken = set(names.services.values()) | self._in_use.get(environment, set())
            names.services[name] = self._first_free(environment, range(FIRST_SERVICE, LAST_REPLICA), taken)
            self._save()
        return Endpoint(self._host(names.number, names.services[name]), port)

    def ingress(self, environment: str) -> tuple[int, int]:
        """Return the environment's HTTP and HTTPS ports on 127.0.0.1."""
        names = self._environment(environment)
        if not names.ingress:
            start = INGRESS_PORTS + self._known.block * 20 + 2 * (names.number - 1)
            plain = self._free_port(start)
            names.ingress = [plain, self._free_port(plain + 1)]
            self._save()
        return names.ingress[0], names.ingress[1]

    def take_replica(self, environment: str) -> int:
        """Reserve a slot for one replica until it is given back; the longest unused one comes first."""
        if not self.has_block:
            slot = max(self._lent, default=0) + 1
            self._lent[slot] = set()
            return slot
        used = self._in_use.setdefault(environment, set())
        back = self._given_back.setdefault(environment, deque())
        taken = used | set(self._environment(environment).services.values())
        fresh = [slot for slot in range(LAST_REPLICA, FIRST_SERVICE, -1) if slot not in taken and slot not in back]
        while not fresh and back:
            candidate = back.popleft()
            if candidate not in taken:
                fresh = [candidate]
        slot = self._first_free(environment, fresh, taken)
        used.add(slot)
        return slot

    def give_back(self, environment: str, slot: int) -> None:
        """Free a replica's slot."""
        self._lent.pop(slot, None)
        if slot in self._in_use.get(environment, set()):
            self._in_use[environment].discard(slot)
            self._given_back[environment].append(slot)

    def replica(self, environment: str, slot: int, port: int) -> Endpoint:
        """Return where a replica's port answers; without a block every call finds another free port."""
        if not self.has_block:
            found = self._free_port(OFFSET_PORTS + self._spread(4000))
            self._lent[slot].add(found)
            return Endpoint(LOOPBACK, found)
        return Endpoint(self._host(self._environment(environment).number, slot), port)

    def close(self) -> None:
        """Let go of the block; what was given out stays on disk."""
        if self._claim:
            self._claim.close()

    def _environment(self, name: str) -> _Names:
        known = self._known.environments
        if name not in known:
            known[name] = _Names(number=1 + max((names.number for names in known.values()), default=0))
            self._save()
        return known[name]

    def _host(self, number: int, slot: int) -> str:
        return f"127.{self._known.block}.{number}.{slot}"

    def _first_free(self, environment: str, candidates: range | list[int], taken: set[int]) -> int:
        for slot in candidates:
            if slot not in taken:
                return slot
        raise Conflict(f"environment {environment} has no address left", hint="destroy units that are not needed")

    def _free_port(self, start: int) -> int:
        given = {port for names in self._known.environments.values() for port in names.offsets.values()}
        given |= {port for names in self._known.environments.values() for port in names.ingress}
        given |= {port for ports in self._lent.values() for port in ports}
        candidates: list[int] = [*range(start, END_OF_PORTS), *range(OFFSET_PORTS, start)]
        for port in candidates:
            if port not in given and listeners.is_free(LOOPBACK, port):
                return port
        raise Conflict("no port is free on this machine between 20000 and 32000")

    def _spread(self, width: int) -> int:
        return int(zlib.crc32(str(self._data_dir).encode()) % width)

    def _save(self) -> None:
        files.replace(self._path, msgspec.json.encode(self._known))

    def _claim_block(self, wanted: int) -> int:
        """Hold a block that no other project of this user holds, the wanted one when possible.

        The claim is a locked file, so it ends with the daemon; the path in it keeps the block for a
        project that is only down.
        """
        folder = Path(tempfile.gettempdir()) / f"confighub-addresses-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        count = LAST_BLOCK - FIRST_BLOCK + 1
        start = self._spread(count)
        candidates = [FIRST_BLOCK + (start + step) % count for step in range(count)]
        if wanted and self._lock(folder / str(wanted), may_take_over=True):
            return wanted
        busy = {host.split(".")[1] for host in listeners.listening_hosts()}
        for may_take_over in (False, True):
            for block in candidates:
                if str(block) not in busy and self._lock(folder / str(block), may_take_over=may_take_over):
                    return block
        raise Conflict("every loopback address block of this machine is in use", hint="stop projects not needed")

    def _lock(self, path: Path, *, may_take_over: bool) -> bool:
        claim = path.open("a+")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            claim.close()
            return False
        claim.seek(0)
        owner = claim.read().strip()
        if owner and owner != str(self._data_dir) and Path(owner).exists() and not may_take_over:
            claim.close()
            return False
        claim.truncate(0)
        claim.write(str(self._data_dir))
        claim.flush()
        self._claim = claim
        return True
