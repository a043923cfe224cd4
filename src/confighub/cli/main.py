"""The ``cub`` program: finds the command, runs it, turns every failure into one line.

Exit status: 0 done, 1 anything else, whatever the public client does with it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from confighub.cli.call import Call
from confighub.cli.output import coloured
from confighub.cli.tree import ROOT
from confighub.cli.typed import read
from confighub.errors import ConfigHubError

_PLACE = re.compile(r"^(?P<reason>.*) at column (?P<column>\d+): (?P<text>.*)$", re.DOTALL)
_SIGNALLED = 130
_COMPLETE = "_CUB_COMPLETE"
"""The variable by which a shell asks for completions, as Click calls it."""


def run() -> NoReturn:
    """Run the command line that this process was started with."""
    sys.exit(main(sys.argv[1:]))


def main(args: Sequence[str]) -> int:
    """Run one command line and return its exit status; failures are printed, never raised."""
    try:
        line = None if _COMPLETE in os.environ else read(ROOT, args)
        if line is None:
            from confighub.cli.clicked import run_with_click

            return run_with_click(args)
        line.command.run(Call(line.typed))
        sys.stdout.flush()
    except ConfigHubError as error:
        return _failed(*_told(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _SIGNALLED
    except BrokenPipeError:
        # whoever read our output has seen enough; the interpreter must not complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except Exception as error:
        if os.environ.get("CONFIGHUB_DEBUG", "") not in ("", "0"):
            raise
        return _failed(f"{type(error).__name__}: {error} (a defect of cub; CONFIGHUB_DEBUG=1 shows where)")
    return 0


def _failed(line: str, *more: str) -> int:
    mark = "Failed:"
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        mark = coloured(mark, "red", bold=True)
    sys.stdout.flush()
    print(f"{mark} {line}", *more, sep="\n", file=sys.stderr)
    return 1


def _told(error: ConfigHubError) -> list[str]:
    """Return the lines that tell the error; one, unless a where-expression can be drawn."""
    place = _PLACE.match(error.message)
    answered = f" [HTTP {error.status}, request {error.request_id}]" if error.request_id else ""
    if place is None:
        details = [f"  {line}" for line in error.details if line not in error.message]
        return [f"{error}{answered}", *details]
    hint = f" ({error.hint})" if error.hint else ""
    mark = " " * (int(place["column"]) - 1) + "^"
    return [f"{place['reason']}{hint}{answered}", place["text"], mark]
