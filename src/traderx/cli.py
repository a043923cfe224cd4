"""The ``traderx`` program: brings TraderX up, deploys and promotes it, and runs single services.

Each command is imported when it is named. ``traderx service NAME`` is how every replica starts, so it
goes past Click altogether.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

_COMMANDS = {
    "apply-all": "deploying:apply_all",
    "backup": "keeping:backup",
    "blue-green": "rolling:blue_green",
    "canary": "rolling:canary",
    "check-connectivity": "inspecting:check_connectivity",
    "check-health": "inspecting:check_health",
    "cost": "pricing:cost",
    "cost-optimizer": "costing:cost_optimizer",
    "data": "keeping:data_group",
    "destroy": "disasters:destroy",
    "disaster": "disasters:disaster",
    "deliver": "delivering:deliver",
    "down": "bringing:down",
    "drift-detector": "drifting:drift_detector",
    "install-base": "installing:install_base",
    "install-envs": "installing:install_envs",
    "logs": "looking:logs",
    "ordered-apply": "deploying:ordered_apply",
    "patterns": "showing:patterns",
    "postmortem": "inspecting:postmortem",
    "posture": "looking:posture",
    "proj": "looking:proj",
    "prometheus": "pricing:prometheus",
    "promote": "deploying:promote",
    "quarantine": "recovering:quarantine",
    "rebuild": "disasters:rebuild",
    "regions": "regional:regions",
    "restore": "keeping:restore",
    "rewind": "recovering:rewind",
    "rollback": "recovering:rollback",
    "secrets": "installing:secrets",
    "service": "looking:service",
    "setup-worker": "installing:setup_worker",
    "slack-notify": "delivering:slack_notify",
    "status": "looking:status",
    "up": "bringing:up",
    "verify-data": "inspecting:verify_data",
    "why": "looking:why",
}


def run() -> None:
    """Run the command line that this process was started with."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["service"] and len(arguments) == 2 and not arguments[1].startswith("-"):
        from traderx.services.main import run as run_service

        run_service(arguments[1], os.environ)
        return
    sys.exit(main(arguments))


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; failures are printed, never raised."""
    import click

    from confighub.errors import ConfigHubError, Gated
    from traderx.commands.lazy import LazyGroup

    root = LazyGroup(
        "traderx",
        _COMMANDS,
        help="Bring up TraderX on its configuration hub, deploy it in order, promote it, look at it.\n\n"
        "Start with `bin/up`. All work is done on the hub that CONFIGHUB_URL names, else on the project's own.",
    )
    try:
        result = root.main(list(arguments), prog_name="traderx", standalone_mode=False)
        return int(result or 0)
    except click.exceptions.NoArgsIsHelpError as shown:
        print(shown.format_message())
        return 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as wrong:
        print(f"error: {wrong.format_message()}", file=sys.stderr)
        return 2
    except ConfigHubError as error:
        print(f"error: {error}", file=sys.stderr)
        # the gates of a refusal are in its message already
        for line in [] if isinstance(error, Gated) else error.details:
            print(f"  {line}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # whoever read our output has seen enough
        sys.stderr.close()
        return 0
    except OSError as error:
        # a file or folder that may not be read or written; the system's word says why
        print(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}", file=sys.stderr)
        return 1
