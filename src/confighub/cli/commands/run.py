"""``cub run FUNCTION``: one sub-command a function, with an option for each parameter.

The sub-commands come from the hub's signatures; the last ones seen are kept beside the login,
so that help and completion work while the hub is away.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from confighub.cli.call import Call
from confighub.cli.command import Command, Group, Parameter, argument, flag, option
from confighub.cli.invoking import INVOKING, invoke
from confighub.errors import BadRequest, ConfigHubError, NotFound, RetryLater

if TYPE_CHECKING:
    from confighub.client.transport import Wire

_TOOLCHAIN = "Kubernetes/YAML"
_FLAGS_OF_OURS = frozenset(one.key for one in INVOKING)
_KEPT = "functions.json"
_ANY = "*"


class FunctionCommand(Command):
    """The sub-command of one function."""

    def __init__(self, signature: Wire) -> None:
        self.signature = signature
        self.name = str(signature["FunctionName"])
        self.parameters: list[Wire] = signature.get("Parameters") or []
        super().__init__(
            self._run,
            [
                argument("arguments", required=False, many=True),
                *(self._option(one) for one in self.parameters),
                *INVOKING,
            ],
            example=_example(self.name, self.parameters),
            help_text=str(signature.get("Description") or f"Run {self.name}."),
        )

    def _option(self, parameter: Wire) -> Parameter:
        words = str(parameter.get("Description") or parameter.get("Example") or "").rstrip(".")
        need = " Required." if parameter.get("Required") else ""
        return option(
            _spelled(str(parameter["ParameterName"])),
            f"{words}.{need}" if words else need.strip(),
            metavar=str(parameter.get("DataType") or "text").upper(),
        )

    def _run(self, call: Call) -> None:
        invoke(call, [{"FunctionName": self.signature["FunctionName"], "Arguments": self.arguments(call) or None}])

    def arguments(self, call: Call) -> list[Wire]:
        """Return the arguments by parameter name: options first, positional words for what is left.

        Fewer words than parameters fill the last ones, and a container that nobody named is any
        container: that is how the seed writes ``run set-image-reference :v1.2.3`` (C-40).
        Raises: BadRequest for too many words, or a required parameter without a value.
        """
        given = {
            name: call.text(_spelled(name))
            for one in self.parameters
            if call.given(_spelled(name := str(one["ParameterName"])))
        }
        words = call.args("arguments")
        names = [str(one["ParameterName"]) for one in self.parameters]
        open_names = [name for name in names if name not in given]
        needed = [str(one["ParameterName"]) for one in self.parameters if one.get("Required")]
        if len(words) < len([name for name in needed if name in open_names]) and "container-name" in open_names:
            given["container-name"] = _ANY
            open_names.remove("container-name")
        surplus = words[len(open_names) :]
        if surplus and not self.signature.get("VarArgs"):
            raise BadRequest(f"{self.name} takes at most {len(names)} arguments, not {len(words) + len(given)}")
        given.update(zip(open_names, words, strict=False))
        missing = [name for name in needed if name not in given]
        if missing:
            raise BadRequest(f"{self.name} needs --{missing[0]}", hint=f"see: cub run {self.name} --help")
        typed = [_typed(one, given[name]) for one in self.parameters if (name := str(one["ParameterName"])) in given]
        return typed + [{"Value": word} for word in surplus]


class Functions(Group):
    """The group of all functions that the hub knows."""

    is_live = True

    def names(self, call: Call) -> list[str]:
        """Return the names of the functions; of those last seen when the hub is away."""
        return sorted(_signatures(call))

    def find(self, name: str, call: Call) -> Command | None:
        """Return the sub-command made from the function's signature; None when there is no such function."""
        signature = _signatures(call).get(name)
        return None if signature is None else FunctionCommand(signature)


def _signatures(call: Call) -> dict[str, Wire]:
    """Return the functions of the hub by name, and keep them; the kept ones when the hub is away."""
    if call.typed.is_completing:
        # a shell that completes wants names or silence
        try:
            return _asked(call)
        except ConfigHubError:
            return {}
    notebook = call.typed.kept
    if _KEPT not in notebook:
        notebook[_KEPT] = _asked(call)
    functions: dict[str, Wire] = notebook[_KEPT]
    return functions


def _asked(call: Call) -> dict[str, Wire]:
    path = call.settings.config_dir / _KEPT
    try:
        found = call.hub.functions.list()
    except RetryLater:
        if not path.exists():
            raise
        found = json.loads(path.read_text()).get("builtin", {})
    else:
        _keep(path, found)
    functions = {name: one for chain in sorted(found, reverse=True) for name, one in found[chain].items()}
    functions.update(found.get(_TOOLCHAIN, {}))
    if not functions:
        raise NotFound("the hub has no functions")
    return functions


def _keep(path: Path, found: dict[str, dict[str, Wire]]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps({"builtin": found}))
        draft.replace(path)
    except OSError:
        # a folder that cannot be written only costs the help without a hub
        return


def _typed(parameter: Wire, text: str) -> Wire:
    """Return the argument with the value as its type asks for, where the text has that form."""
    value: str | int | bool = text
    if parameter.get("DataType") == "int" and text.lstrip("-").isdigit():
        value = int(text)
    elif parameter.get("DataType") == "bool" and text.lower() in ("true", "false"):
        value = text.lower() == "true"
    return {"ParameterName": parameter["ParameterName"], "Value": value}


def _spelled(name: str) -> str:
    """Return the option's name; one of ours that means something else keeps its own."""
    return f"{name}-argument" if name.replace("-", "_") in _FLAGS_OF_OURS else name


def _example(name: str, parameters: Sequence[Wire]) -> str:
    shown = [f"--{_spelled(str(one['ParameterName']))} {_sample(one)}" for one in parameters if one.get("Required")]
    return " ".join(["cub run", name, *shown, "--unit trade-service"])


def _sample(parameter: Wire) -> str:
    known = {"container-name": "trade-service", "image-reference": ":v1.1.0", "replicas": "3"}
    name = str(parameter["ParameterName"])
    return str(parameter.get("Example") or known.get(name) or name.upper())


GROUP = Functions(
    "Run a function on units: one sub-command for each function that the hub knows.",
    {},
    options=[
        flag("reload", "Accepted; the hub is always asked.", hidden=True),
        flag("reset", "Accepted; the hub is always asked.", hidden=True),
        *INVOKING,
    ],
)
