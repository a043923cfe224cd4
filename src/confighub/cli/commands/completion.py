"""``cub completion``: the script that makes a shell complete commands, flags and slugs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from confighub.cli.command import Command, Group, command, flag
from confighub.cli.powershell import PowerShellComplete

if TYPE_CHECKING:
    from confighub.cli.call import Call

_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
    "powershell": PowerShellComplete,
}


def _script(shell: str, how: str) -> Command:
    @command(flag("no-descriptions", "Offer names without their help."), example=how)
    def body(call: Call) -> None:
        from confighub.cli.clicked import ROOT

        call.out.write(_SHELLS[shell](ROOT, {}, "cub", "_CUB_COMPLETE").source())

    body.help = f"Print the completion script for {shell}."
    return body


GROUP = Group(
    "Shell completion of commands, flags and slugs.",
    {
        "bash": _script("bash", 'eval "$(cub completion bash)"'),
        "zsh": _script("zsh", 'eval "$(cub completion zsh)"'),
        "fish": _script("fish", "cub completion fish | source"),
        "powershell": _script("powershell", "cub completion powershell | Out-String | Invoke-Expression"),
    },
)
