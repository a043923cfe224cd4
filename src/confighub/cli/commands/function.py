"""``cub function``: what functions there are, and calling them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from confighub.cli.calls import arguments_of
from confighub.cli.command import Group, argument, command, option, space_option
from confighub.cli.invoking import INVOKING, invoke
from confighub.cli.output import pairs, table, yes_no
from confighub.cli.record_input import read_text
from confighub.cli.selecting import the_unit
from confighub.cli.showing import DATA_OUTPUT, LIST_OUTPUT
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

_WHOSE = (
    option("target", "The functions for this target.", metavar="TARGET", complete="targets"),
    option("worker", "The functions of this worker.", metavar="WORKER", complete="workers"),
    option("unit", "The functions for this unit.", metavar="UNIT", complete="units"),
)


def signatures(call: Call) -> dict[str, dict[str, Wire]]:
    """Return the signatures, by toolchain and name, that the options ask for."""
    if call.text("unit"):
        unit = the_unit(call, call.text("unit"))["Unit"]
        return call.hub.functions.list(space_id=unit["SpaceID"], entity="unit", entity_id=unit["UnitID"])
    for word, records in (("target", call.hub.targets), ("worker", call.hub.workers)):
        if call.text(word):
            found = records.find(call.text(word), space_id=call.space_id)[records.noun.entity]
            entity_id = str(found[records.noun.id_key])
            return call.hub.functions.list(space_id=call.space_id, entity=word, entity_id=entity_id)
    return call.hub.functions.list()


def show_signatures(call: Call, found: dict[str, dict[str, Wire]]) -> None:
    """Print signatures by the output options, one row a function."""
    rows = [(chain, name, one) for chain, functions in sorted(found.items()) for name, one in sorted(functions.items())]
    if call.out.how == "names":
        call.out.write(table(None, [[name] for _, name, _ in rows]))
        return
    header = ["TOOLCHAINTYPE", "FUNCTIONNAME", "MUTATING", "VALIDATING", "DESCRIPTION"]
    cells = [
        [
            chain,
            name,
            yes_no(one.get("Mutating")),
            yes_no(one.get("Validating")),
            str(one.get("Description") or "").split("\n")[0],
        ]
        for chain, name, one in rows
    ]
    call.out.show(found, lambda: call.out.table(header, cells))


@command(
    *_WHOSE,
    option("toolchain", "Only this toolchain.", metavar="TYPE"),
    space_option(),
    LIST_OUTPUT,
    example="cub function list --toolchain Kubernetes/YAML",
)
def list_functions(call: Call) -> None:
    """List the functions, with what they change or check."""
    found = signatures(call)
    wanted = call.text("toolchain")
    show_signatures(call, {wanted: found.get(wanted, {})} if wanted else found)


@command(
    argument("function", complete="functions"),
    *_WHOSE,
    option("toolchain", "The toolchain.", metavar="TYPE", default="Kubernetes/YAML"),
    space_option(),
    DATA_OUTPUT,
    example="cub function explain set-image-reference",
)
def explain(call: Call) -> None:
    """Show what a function does and which arguments it takes."""
    name = call.arg("function")
    found = signatures(call).get(call.text("toolchain"), {}).get(name)
    if found is None:
        raise NotFound(f"no such function for {call.text('toolchain')}: {name}", hint="see: cub function list")
    call.out.show(found, lambda: explanation(found))


def explanation(signature: Wire) -> str:
    """Return a signature in words."""
    output = signature.get("OutputInfo") or {}
    rows = [
        ("Function", str(signature.get("FunctionName"))),
        ("Description", str(signature.get("Description") or "")),
        ("Mutating", yes_no(signature.get("Mutating"))),
        ("Validating", yes_no(signature.get("Validating"))),
        ("Output", str(output.get("OutputType") or "None")),
    ]
    header = ["PARAMETER", "TYPE", "REQUIRED", "DESCRIPTION"]
    parameters = [
        [
            str(one.get("ParameterName")),
            str(one.get("DataType") or ""),
            yes_no(one.get("Required")),
            str(one.get("Description") or one.get("Example") or ""),
        ]
        for one in signature.get("Parameters") or []
    ]
    return pairs(rows) + (f"\n\n{table(header, parameters)}" if parameters else "")


@command(
    argument("function", complete="functions"),
    argument("arguments", required=False, many=True),
    *INVOKING,
    example="""cub function do --unit trade-service set-replicas 3
cub function do --unit trade-service -- set-env-var --container-name=* --env-var=MODE --env-value=fast""",
)
def do(call: Call) -> None:
    """Run a function on the units selected; without --unit, --where or --filter on all of the space."""
    invoke(call, [{"FunctionName": call.arg("function"), "Arguments": arguments_of(call.args("arguments")) or None}])


@command(
    argument("file"),
    *INVOKING,
    example="printf 'set-replicas 2\\nset-label tier backend\\n' | cub function exec - --unit trade-service",
)
def execute(call: Call) -> None:
    """Run the functions in a file, one call a line, in order on each unit; # begins a comment."""
    file = call.arg("file")
    calls: list[Wire] = []
    for number, line in enumerate(read_text(file).splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise BadRequest(f"{file}, line {number}: {error}") from error
        if words:
            calls.append({"FunctionName": words[0], "Arguments": arguments_of(words[1:]) or None})
    if not calls:
        raise BadRequest(f"no function calls in {file}")
    invoke(call, calls)


GROUP = Group(
    "Functions: named edits and checks on units.",
    {"list": list_functions, "explain": explain, "do": do, "exec": execute},
    options=[space_option()],
)
