"""Functions: which there are, and running them on units.

list_functions(hub, caller, *, space_id=None, entity="", entity_id="") -> {toolchain: {name: signature}}
invoke_functions(hub, caller, request, selection, *, space_id=None, unit_id=None, revision_id=None, is_dry_run=False)
    -> list[FunctionInvocationsResponse], one a unit, by CursorID

What only reads or checks leaves no trace. What changes a unit's text makes one revision of it, with one
mutation for each call that changed something; a call that changes nothing makes none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from confighub.errors import BadRequest, ConfigHubError, Conflict, NotFound
from confighub.hub.caller import Caller
from confighub.hub.domain.describing import described
from confighub.hub.domain.mutations import Origin, Step, by_call
from confighub.hub.hub import Hub
from confighub.hub.kinds import BRIDGE_WORKER, TARGET, UNIT
from confighub.hub.store.entities import units
from confighub.hub.store.history import revisions
from confighub.hub.store.rows import own_id
from confighub.hub.usecases import entities, gates, heads, remote_functions, rules
from confighub.hub.usecases.access import require_space
from confighub.hub.usecases.elements import each, failure, first
from confighub.hub.usecases.fillings import chunks, fill_data, revision_text
from confighub.hub.usecases.listing import Listing, choose_units
from confighub.hub.usecases.remote_functions import Errand
from confighub.hub.usecases.unit_changes import Proposal, settle
from confighub.records.answers import ResponseError
from confighub.records.functions import (
    FunctionInvocation,
    FunctionInvocationsRequest,
    FunctionInvocationsResponse,
    FunctionSignature,
)
from confighub.records.units import Unit

if TYPE_CHECKING:
    from confighub.functions.invoke import Invoked

Signatures = dict[str, dict[str, FunctionSignature]]
Found = tuple[Unit, FunctionInvocationsResponse, Proposal | None]


def list_functions(
    hub: Hub, caller: Caller, *, space_id: str | None = None, entity: str = "", entity_id: str = ""
) -> Signatures:
    """Return the functions of the hub; for a target or worker those that its worker offers come on top."""
    from confighub.functions.registry import signatures

    found: Signatures = {toolchain: dict(known) for toolchain, known in signatures().items()}
    with hub.read() as tx:
        if space_id is not None:
            require_space(tx, caller, space_id)
        worker_id = own_id(entity_id) if entity == "worker" else None
        if entity == "unit" and entity_id:
            unit = entities.load(tx, caller, UNIT, entity_id)
            return {unit.toolchain_type: found.get(unit.toolchain_type, {})}
        if entity == "target" and entity_id:
            worker_id = entities.load(tx, caller, TARGET, entity_id).bridge_worker_id
        if worker_id:
            worker = entities.load(tx, caller, BRIDGE_WORKER, worker_id)
            offered = worker.provided_info and worker.provided_info.function_worker_info
            for toolchain, known in ((offered and offered.supported_functions) or {}).items():
                found[toolchain] = found.get(toolchain, {}) | known
    return found


def invoke_functions(
    hub: Hub,
    caller: Caller,
    request: FunctionInvocationsRequest,
    selection: Listing,
    *,
    space_id: str | None = None,
    unit_id: str | None = None,
    revision_id: str | None = None,
    is_dry_run: bool = False,
) -> list[FunctionInvocationsResponse]:
    """Run the calls, in order, on each unit that the selection chooses.

    ``revision_id`` runs them on an older revision, which changes nothing. A request that names a worker,
    or wants that of each unit's target, has all calls run there. An element with
    ``success`` false says why in its error; the others are done all the same.
    Raises: BadRequest, for a function that no unit's toolchain has.
    """
    if not request.function_invocations:
        raise BadRequest("no function is named")
    is_remote = request.use_function_worker or own_id(request.bridge_worker_id) is not None
    with hub.read() as tx:
        scope = entities.scope(UNIT, space_id)
        if space_id is not None:
            require_space(tx, caller, space_id)
        if unit_id is not None:
            scope.append(units.c.unit_id == own_id(unit_id))
        chosen = choose_units(tx, hub, caller, selection, *scope)
        fill_data(tx, chosen)
        if is_remote:
            errands = [_errand(tx, caller, unit, request, revision_id) for unit in chosen]
        else:
            _check_functions(request, {unit.toolchain_type for unit in chosen})
            found = [_run(tx, caller, unit, request, revision_id) for unit in chosen]
    # Workers take their time, so nobody waits for them inside a transaction.
    results = [_sent(hub, caller, errand) for errand in errands] if is_remote else []
    with hub.read() as tx:
        if is_remote:
            pairs = zip(chosen, results, strict=True)
            found = [_run(tx, caller, unit, request, revision_id, result) for unit, result in pairs]
        answers = [answer for _, answer, _ in found]
        _name_revisions(tx, answers)
    if is_dry_run or revision_id or all(proposal is None for _, _, proposal in found):
        return answers
    with hub.write() as tx:
        answers = each(
            tx, UNIT, found, lambda item: _settle(tx, hub, caller, item, request), _refused_element, about=first
        )
        _name_revisions(tx, answers)
        return answers


def _check_functions(request: FunctionInvocationsRequest, toolchains: set[str]) -> None:
    """Raise BadRequest for a function that none of the toolchains has; a unit of one that lacks it fails alone."""
    for call in request.function_invocations:
        refused = []
        for toolchain in sorted(toolchains):
            try:
                rules.check_function(toolchain, call.function_name)
            except BadRequest as error:
                refused.append(error)
        if refused and len(refused) == len(toolchains):
            raise refused[0]


def _errand(
    tx: Connection, caller: Caller, unit: Unit, request: FunctionInvocationsRequest, revision_id: str | None
) -> Errand | ConfigHubError:
    """Return what to send to which worker, or why nothing can be sent."""
    try:
        space = require_space(tx, caller, unit.space_id)
        text = _revision(tx, unit, revision_id) if revision_id else unit.data.decode()
        return remote_functions.errand(tx, caller, unit, request, gates.context_of(tx, unit, space, text), text)
    except ConfigHubError as error:
        return error


def _sent(hub: Hub, caller: Caller, errand: Errand | ConfigHubError) -> Invoked | ConfigHubError:
    """Return what the worker made of the errand, or why it did not."""
    if isinstance(errand, ConfigHubError):
        return errand
    try:
        return remote_functions.run(hub, caller, errand)
    except ConfigHubError as error:
        return error


def _run(
    tx: Connection,
    caller: Caller,
    unit: Unit,
    request: FunctionInvocationsRequest,
    revision_id: str | None,
    made: Invoked | ConfigHubError | None = None,
) -> Found:
    """Return the unit's answer, and the proposal when its text changes; the calls are run here unless a worker did."""
    from confighub.functions.invoke import invoke

    try:
        if isinstance(made, ConfigHubError):
            raise made
        space = require_space(tx, caller, unit.space_id)
        text = _revision(tx, unit, revision_id) if revision_id else unit.data.decode()
        result = made or invoke(
            text,
            request.function_invocations,
            context=gates.context_of(
                tx, unit, space, text, {call.function_name for call in request.function_invocations}
            ),
            toolchain=unit.toolchain_type,
            cast_strings=request.cast_string_args_to_scalars,
            num_filters=request.num_filters,
            stop_on_error=request.stop_on_error,
            combine_results=request.combine_results,
        )
        answer = _answer(unit, result)
        # properties are written anew by every call, even by one that only reads
        if not result.mutators or result.text == text or not result.success or revision_id:
            return unit, answer, None
        require_space(tx, caller, unit.space_id, "write")
        steps = tuple(
            Step(Origin(function_invocation=request.function_invocations[index]), by_call(result.mutations, index))
            for index in result.mutators
        )
        description = request.change_description or _told(request, result, text)
        planned = heads.plan(tx, unit, space, heads.Draft(result.text, steps, "Invoke", description))
    except ConfigHubError as error:
        return unit, _refused(unit, failure(error, UNIT, unit)), None
    return unit, answer, Proposal(unit, heads.replace_unit(unit), space, planned, [])


def _told(request: FunctionInvocationsRequest, result: Invoked, old: str) -> str:
    """Return what changed and by which calls, such as ``replicas from 1 to 4 (set-replicas 4)``."""
    calls = "; ".join(spoken(request.function_invocations[index]) for index in result.mutators)
    changes = described(result.mutations, old)
    return f"{changes} ({calls})" if changes else calls


def _settle(
    tx: Connection, hub: Hub, caller: Caller, element: Found, request: FunctionInvocationsRequest
) -> FunctionInvocationsResponse:
    _, answer, proposal = element
    if proposal is None:
        return answer

    def again(now: Unit) -> Proposal | None:
        nonlocal answer
        if request.use_function_worker or own_id(request.bridge_worker_id):
            raise Conflict(f"unit {now.slug} has changed while its functions ran", hint="repeat the call")
        fill_data(tx, [now])
        _, answer, renewed = _run(tx, caller, now, request, None)
        return renewed

    settle(tx, hub, caller, proposal, again)
    return answer


def _answer(unit: Unit, result: Invoked) -> FunctionInvocationsResponse:
    error = None
    if not result.success:
        error = ResponseError(message="function invocation failed", status=400, details=result.errors)
    elif result.errors:
        error = ResponseError(message="validation failed", status=200, details=result.errors)
    return FunctionInvocationsResponse(
        organization_id=unit.organization_id,
        space_id=unit.space_id,
        unit_id=unit.unit_id,
        success=result.success,
        error=error,
        config_data=result.text.encode() if result.mutators else b"",
        output=result.output,
        output_type=result.output_type,
        mutations=result.mutations,
        mutators=result.mutators,
    )


def _refused(unit: Unit, error: ResponseError) -> FunctionInvocationsResponse:
    return FunctionInvocationsResponse(
        organization_id=unit.organization_id,
        space_id=unit.space_id,
        unit_id=unit.unit_id,
        success=False,
        error=error,
    )


def _refused_element(error: ResponseError) -> FunctionInvocationsResponse:
    unit_id = error.error_metadata.entity_id if error.error_metadata else None
    return FunctionInvocationsResponse(unit_id=unit_id, success=False, error=error)


def spoken(call: FunctionInvocation) -> str:
    """Return the call as one would type it, such as ``set-replicas 4``."""
    words = [call.function_name]
    for argument in call.arguments or []:
        value = "" if argument.value is None else str(argument.value)
        words.append(f"{argument.parameter_name}={value}" if argument.parameter_name else value)
    return " ".join(words)


def _revision(tx: Connection, unit: Unit, revision_id: str) -> str:
    c = revisions.c
    number = tx.execute(
        select(c.revision_num).where(c.unit_id == unit.unit_id, c.revision_id == own_id(revision_id))
    ).scalar()
    if number is None:
        raise NotFound(f"unit {unit.slug} has no revision {revision_id}")
    return revision_text(tx, unit.unit_id or "", number)


def _name_revisions(tx: Connection, answers: list[FunctionInvocationsResponse]) -> None:
    """Set the id of each unit's head in place."""
    by_id = {answer.unit_id: answer for answer in answers}
    heads_of = select(units.c.unit_id, units.c.head_revision_id)
    for chunk in chunks([unit_id for unit_id in by_id if unit_id]):
        for unit_id, revision_id in tx.execute(heads_of.where(units.c.unit_id.in_(chunk))):
            by_id[unit_id].revision_id = revision_id
