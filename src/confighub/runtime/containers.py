"""One program of a replica: started, asked, restarted.

A program that ends is started again at once the first time and after growing pauses when it keeps
ending; a liveness probe that fails ends it. What keeps it from running has the kubelet's reason.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from confighub.runtime import background, catalogue, listeners, logs, manifests, probes, usage, variables
from confighub.runtime.addresses import Addresses, Endpoint
from confighub.runtime.supervisor import Process, Supervisor

# The kubelet waits 10 s to 300 s; on one machine a person is watching.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 15.0
STABLE_AFTER_S = 5.0  # ready this long, an ending counts as the first one again
CRASH_LOOP_AFTER = 3
_RETRY_PAUSE_S = 1.0
_LOOPING = "CrashLoopBackOff"


@dataclass(frozen=True)
class Site:
    """What a replica needs of its environment; the callables answer with what holds at that moment."""

    environment: str
    folder: Path
    supervisor: Supervisor
    addresses: Addresses
    images: Callable[[], catalogue.Catalogue]
    sources: Callable[[str], variables.Sources]
    probe_delay_scale: Callable[[], float]


@dataclass(frozen=True)
class Home:
    """Which replica a container belongs to, and where that lives."""

    replica: variables.Replica
    places: dict[int, Endpoint]
    log: Path
    grace_s: float


class ContainerRun:
    """A container and its process.

    ``reason`` and ``message`` say what keeps it from being ready, ``last_end`` how the program ended last;
    all are empty while nothing is wrong.
    """

    def __init__(self, spec: manifests.Container, *, home: Home, site: Site, on_change: Callable[[], None]) -> None:
        self.spec = spec
        self.ready = False
        self.restarts = 0
        self.ooms = 0
        self.reason = ""
        self.message = ""
        self.last_end = ""
        self.process: Process | None = None
        self.replaced: dict[str, str] = {}
        self._home, self._site, self._on_change = home, site, on_change
        self._was_ready = asyncio.Event()
        self._asked_again = asyncio.Event()
        self._ready_since = 0.0
        self._ooms_before = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def log(self) -> Path:
        """The file that the program writes to."""
        return self._home.log

    def start(self) -> None:
        """Begin to run the program, for as long as it takes."""
        self._task = background.start(self._run(), name=f"{self._home.replica.name}/{self.spec.name}")

    async def stop(self, grace_s: float) -> None:
        """End the program for good."""
        self.ready = False
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.process and not self.process.ended.is_set():
            await self.process.stop(grace_s)

    def last_lines(self, count: int) -> list[str]:
        """Return what the program said last."""
        return logs.last_lines(self._home.log, count)

    def try_again(self) -> None:
        """Start a program that keeps ending now, as if it had never ended: somebody asked for it again."""
        if self.reason == _LOOPING:
            self.reason = ""
            self._asked_again.set()

    async def _run(self) -> None:
        endings = 0
        while True:
            self.process = self._start()
            if self.process is None:
                await asyncio.sleep(_RETRY_PAUSE_S)
                continue
            self.message = ""
            self.reason = self.reason if self.reason == _LOOPING else ""
            self._on_change()
            await self._watch_over(self.process)
            ready_s = time.monotonic() - self._ready_since if self._ready_since else 0.0
            endings = endings_in_a_row(endings, ready_s=ready_s)
            self._note_end(self.process, endings)
            if await self._pause(pause_before_restart(endings)):
                endings = 0

    async def _pause(self, seconds: float) -> bool:
        """Wait before the next start; True when somebody asked again meanwhile."""
        self._asked_again.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._asked_again.wait()
        except TimeoutError:
            return False
        return True

    def _start(self) -> Process | None:
        """Return the running process, or None with the reason noted."""
        spec, home, site = self.spec, self._home, self._site
        try:
            image = site.images().resolve(spec.image)
            env = variables.resolve(
                spec, replica=home.replica, sources=site.sources(home.replica.namespace), tag=image.tag
            )
            values = env.values | variables.ports(spec, env.values, home.places)
            command = [catalogue.beside_python(spec.command[0]), *spec.command[1:]] if spec.command else image.command
            command = [variables.expand(part, values) for part in [*command, *(spec.args or [])]]
            if held := self._held_port():
                self._wait("PortInUse", f"{held} is in use by {listeners.holder(held.host, held.port)}")
                return None
            self._env, self.replaced = values, env.replaced
            self._ooms_before = usage.oom_kills()
            return site.supervisor.start(
                command, env=values, folder=self._folder(), log=home.log, name=f"{home.replica.name} {spec.image}"
            )
        except catalogue.NoSuchImage as error:
            self._wait("ErrImagePull", str(error))
        except variables.Unresolved as error:
            self._wait("CreateContainerConfigError", str(error))
        except OSError as error:
            self._wait("RunContainerError", f"cannot start {spec.image}: {error.strerror or error}")
        return None

    def _folder(self) -> Path:
        folder = self._site.folder / "work" / self.spec.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _held_port(self) -> Endpoint | None:
        for port in self.spec.ports or []:
            place = self._home.places[port.container_port]
            if not listeners.is_free(place.host, place.port):
                return place
        return None

    async def _watch_over(self, process: Process) -> None:
        """Return when the process has ended, by itself or because its probes said so."""
        self._was_ready.clear()
        self._ready_since = 0.0
        asking = asyncio.create_task(self._ask())
        ending = asyncio.create_task(process.ended.wait())
        try:
            await asyncio.wait({asking, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not process.ended.is_set():
                self._set_ready(ready=False, message=self.message)
                await process.stop(self._home.grace_s)
                if error := asking.exception():
                    raise error
        finally:
            asking.cancel()
            ending.cancel()
            await asyncio.gather(asking, ending, return_exceptions=True)

    async def _ask(self) -> None:
        """Run the probes; return when the container must be restarted."""
        place = self._place()
        if self.spec.startup_probe and not await self._has_started(self.spec.startup_probe, place):
            return
        readiness = asyncio.create_task(self._ask_readiness(place))
        try:
            await self._ask_liveness(place)
        finally:
            readiness.cancel()
            await asyncio.gather(readiness, return_exceptions=True)

    async def _has_started(self, probe: manifests.Probe, place: probes.Place) -> bool:
        times = probes.timing(probe, self._site.probe_delay_scale())
        answers: asyncio.Queue[probes.Answer] = asyncio.Queue()
        await asyncio.sleep(times.initial_delay_s)
        watching = asyncio.create_task(
            # The threshold times the period is how long a start may take: only the pauses are as written.
            probes.watch("startup", probe, place, pauses=lambda: times.period_s, tell=answers.put_nowait)
        )
        try:
            answer = await answers.get()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        self.message = answer.message
        return answer.ok

    async def _ask_readiness(self, place: probes.Place) -> None:
        probe = self.spec.readiness_probe
        if probe is None:
            self._set_ready(ready=True, message="")
            return
        times = probes.timing(probe, self._site.probe_delay_scale())
        await asyncio.sleep(times.initial_delay_s)
        await probes.watch(
            "readiness",
            probe,
            place,
            pauses=lambda: times.period_s if self._was_ready.is_set() else times.starting_period_s,
            tell=lambda answer: self._set_ready(ready=answer.ok, message=answer.message),
        )

    async def _ask_liveness(self, place: probes.Place) -> None:
        """Return when the liveness probe has failed for good; without a probe never."""
        probe = self.spec.liveness_probe
        if probe is None:
            await asyncio.Event().wait()
            return
        times = probes.timing(probe, self._site.probe_delay_scale())
        # A shortened delay must not end a program that is still starting: until it was ready once, the
        # delay holds as written.
        try:
            async with asyncio.timeout(probe.initial_delay_seconds):
                await self._was_ready.wait()
            await asyncio.sleep(times.initial_delay_s)
        except TimeoutError:
            pass
        failed = asyncio.Event()

        def hear(answer: probes.Answer) -> None:
            if not answer.ok:
                self.message = answer.message
                failed.set()

        watching = asyncio.create_task(probes.watch("liveness", probe, place, pauses=lambda: times.period_s, tell=hear))
        try:
            await failed.wait()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _place(self) -> probes.Place:
        ports: dict[int | str, Endpoint] = {}
        for port in self.spec.ports or []:
            place = self._home.places[port.container_port]
            ports[port.container_port] = place
            if port.name:
                ports[port.name] = place
        return probes.Place(self._home.replica.host, ports, self._env, str(self._folder()))

    def _set_ready(self, *, ready: bool, message: str) -> None:
        if ready and not self._was_ready.is_set():
            self._was_ready.set()
            self._ready_since = time.monotonic()
        if (ready, message) == (self.ready, self.message):
            return
        self.ready, self.message = ready, message
        if ready:
            self.reason = self.last_end = ""
        self._on_change()

    def _wait(self, reason: str, message: str) -> None:
        if (reason, message) != (self.reason, self.message):
            self.reason, self.message = reason, message
            logs.note(self._home.log, f"{reason}: {message}")
            self._on_change()

    def _note_end(self, process: Process, endings: int) -> None:
        code = process.exit_code or 0
        how = f"killed by signal {-code}" if code < 0 else f"exited with code {code}"
        why = f" ({self.message})" if self.message else ""
        logs.note(self._home.log, f"{how}{why}")
        self.ready = False
        self.restarts += 1
        # whose death the kernel counted it does not say; a program that nobody here killed is the likely one
        if code == -signal.SIGKILL and not process.was_killed and usage.oom_kills() > self._ooms_before:
            self.ooms += 1
        if endings >= CRASH_LOOP_AFTER:
            self.reason = _LOOPING
        self.last_end = f"{how}{why}"
        self._on_change()


def endings_in_a_row(before: int, *, ready_s: float) -> int:
    """Return which ending in a row this is, after one that was ready for so many seconds (0: never).

    A program that was ready can start, so its endings never make a crash loop, only a short pause.
    """
    if ready_s > STABLE_AFTER_S:
        return 1
    return before + 1 if not ready_s else min(before + 1, CRASH_LOOP_AFTER - 1)


def pause_before_restart(endings: int) -> float:
    """Return seconds to wait after the n-th ending in a row: none, then doubling up to the longest."""
    return 0.0 if endings <= 1 else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (endings - 2))
