"""The hub against a small model: whatever is done in whatever order, the two agree.

The model knows a unit as the list of its revisions, each a tuple of field values; which fields were
set in the unit itself; and where it was cloned from. It is plain enough to be believed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from confighub.errors import BadRequest, Gated
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.usecases import audit, functions, history, people, units, work
from confighub.hub.usecases.listing import Listing
from confighub.hub.usecases.unit_changes import Change
from confighub.records.functions import FunctionInvocationsRequest
from confighub.records.units import Unit
from confighub.settings import HubSettings
from tests.hub.databases import migrated_file
from tests.hub.scene import Scene, call

Fields = tuple[int, str, str]
"""Replicas, image tag, and the value of one environment variable."""

PATHS = ("replicas", "tag", "region")


def text_of(fields: Fields) -> str:
    replicas, tag, region = fields
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web # keeps its comment
  namespace: shop
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: web}}
  template:
    metadata:
      labels: {{app: web}}
    spec:
      containers:
        - name: web
          image: example/web:{tag}
          env:
            - name: LOG_LEVEL
              value: info
            - name: REGION
              value: {region}
"""


@dataclass
class Known:
    """What the model knows of one unit."""

    unit: Unit
    revisions: list[Fields]
    mutations: int = 1
    own: set[int] = field(default_factory=set)
    upstream: Known | None = None
    upstream_num: int = 0
    approved: set[int] = field(default_factory=set)
    is_in_prod: bool = False
    is_deleted: bool = False

    @property
    def head(self) -> Fields:
        return self.revisions[-1]

    def becomes(self, fields: Fields, *, by_upstream: bool = False) -> None:
        """Note a new head, if it is one, and which fields are the unit's own from now on."""
        if fields == self.head:
            return
        if not by_upstream:
            self.own |= {at for at in range(len(fields)) if fields[at] != self.head[at]}
        self.revisions.append(fields)
        self.mutations += 1


CHANGES = st.one_of(
    st.tuples(st.just(0), st.integers(1, 4)),
    st.tuples(st.just(1), st.sampled_from(["v1.0.0", "v1.1.0", "v2.0.0"])),
    st.tuples(st.just(2), st.sampled_from(["eu", "us", "ap"])),
)


class HubMachine(RuleBasedStateMachine):
    known = Bundle("known")
    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="hub-machine-"))
        shutil.copy(self.template, self.folder / "hub.sqlite")
        self.hub = Hub(HubSettings(data_dir=self.folder))
        user = people.add_user(self.hub, "alice", "")
        organization = people.found(self.hub)
        self.caller = Caller(
            user.user_id or "", "alice", organization.organization_id or "", frozenset({"admin"}), "test"
        )
        self.scene = Scene(self.hub, self.caller)
        self.units: list[Known] = []
        self.made = 0

    def teardown(self) -> None:
        self.hub.close()
        shutil.rmtree(self.folder)

    @initialize()
    def spaces_and_target(self) -> None:
        self.space_ids = {
            False: self.scene.space("dev", environment="dev"),
            True: self.scene.space("prod", environment="prod"),
        }
        worker = self.scene.make("BridgeWorker", self.space_ids[False], slug="w")
        target = self.scene.make(
            "Target", self.space_ids[False], slug="t", provider_type="Laptop", bridge_worker_id=worker.bridge_worker_id
        )
        self.target_id = target.target_id

    @rule(target=known, in_prod=st.booleans())
    def create(self, in_prod: bool) -> Known:
        fields = (1, "v1.0.0", "eu")
        unit = self.scene.unit(self.space_ids[in_prod], self.slug(), text_of(fields), target_id=self.target_id)
        return self.remember(Known(unit, [fields], is_in_prod=in_prod))

    @rule(target=known, source=known, in_prod=st.booleans())
    def clone(self, source: Known, in_prod: bool) -> Known:
        unit = self.scene.clone(source.unit, self.space_ids[in_prod], self.slug())
        units.patch_unit(self.hub, self.caller, unit.unit_id or "", {"TargetID": self.target_id})
        made = Known(unit, [source.head], upstream=source, is_in_prod=in_prod)
        made.upstream_num = len(source.revisions)
        return self.remember(made)

    @rule(one=known, change=CHANGES)
    def edit(self, one: Known, change: tuple[int, int | str]) -> None:
        wanted = self.with_change(one.head, change)
        body = self.scene.get(one.unit)
        body.data = text_of(wanted).encode()
        units.update_unit(self.hub, self.caller, one.unit.unit_id or "", body)
        one.becomes(wanted)

    @rule(one=known, replicas=st.integers(1, 4))
    def run_function(self, one: Known, replicas: int) -> None:
        request = FunctionInvocationsRequest(function_invocations=[call("set-replicas", replicas)])
        where = Listing(f"UnitID = '{one.unit.unit_id}'")
        functions.invoke_functions(self.hub, self.caller, request, where)
        one.becomes(self.with_change(one.head, (0, replicas)))

    @rule(one=known, region=st.sampled_from(["eu", "us", "ap"]))
    def patch_data(self, one: Known, region: str) -> None:
        container = {"name": "web", "env": [{"name": "REGION", "value": region}]}
        patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
        change = Change(data_patch=True)
        units.patch_unit(self.hub, self.caller, one.unit.unit_id or "", patch, change=change)
        one.becomes(self.with_change(one.head, (2, region)))

    @rule(one=known)
    def upgrade(self, one: Known) -> None:
        if one.upstream is None:
            with pytest.raises(BadRequest, match="no clone"):
                self.scene.change(one.unit, Change(upgrade=True))
            return
        if one.upstream.is_deleted:
            return
        base, theirs = one.upstream.revisions[one.upstream_num - 1], one.upstream.head

        changed = self.scene.change(one.unit, Change(upgrade=True))

        merged = tuple(
            one.head[at] if at in one.own or base[at] == theirs[at] else theirs[at] for at in range(len(theirs))
        )
        held = [at for at in range(len(theirs)) if at in one.own and base[at] != theirs[at] != one.head[at]]
        assert len(changed.held) == len(held)
        one.becomes(merged, by_upstream=True)  # type: ignore[arg-type]
        one.upstream_num = len(one.upstream.revisions)

    @rule(one=known, back=st.integers(0, 3))
    def restore(self, one: Known, back: int) -> None:
        number = max(1, len(one.revisions) - back)
        self.scene.change(one.unit, Change(restore=str(number)))
        one.becomes(one.revisions[number - 1])

    @rule(one=known, change=CHANGES)
    def dry_run(self, one: Known, change: tuple[int, int | str]) -> None:
        body = self.scene.get(one.unit)
        body.data = text_of(self.with_change(one.head, change)).encode()
        units.update_unit(self.hub, self.caller, one.unit.unit_id or "", body, change=Change(is_dry_run=True))

    @rule(one=known, tier=st.sampled_from(["a", "b"]))
    def label(self, one: Known, tier: str) -> None:
        units.patch_unit(self.hub, self.caller, one.unit.unit_id or "", {"Labels": {"tier": tier}})
        assert one.unit.slug in self.scene.slugs("Unit", f"Labels.tier = '{tier}'")

    @rule(one=known)
    def approve(self, one: Known) -> None:
        units.approve_unit(self.hub, self.caller, one.unit.unit_id or "")
        one.approved.add(len(one.revisions))

    @rule(one=known)
    def apply(self, one: Known) -> None:
        def act() -> None:
            work.apply_unit(
                self.hub, self.caller, space_id=self.space_ids[one.is_in_prod], unit_id=one.unit.unit_id or ""
            )

        if one.is_in_prod and len(one.revisions) not in one.approved:
            with pytest.raises(Gated, match="is-approved"):
                act()
            assert history.list_unit_events(self.hub, self.caller, one.unit.unit_id or "", Listing()) == []
            return
        act()

    @rule(one=consumes(known))
    def delete(self, one: Known) -> None:
        units.delete_unit(self.hub, self.caller, one.unit.unit_id or "")
        one.is_deleted = True

    @rule(target=known)
    def nothing(self) -> object:
        return multiple()

    @invariant()
    def heads_agree(self) -> None:
        for one in self.units:
            if one.is_deleted:
                continue
            seen = self.scene.get(one.unit)
            assert seen.data.decode() == text_of(one.head)
            assert seen.head_revision_num == len(one.revisions)
            assert seen.head_mutation_num == one.mutations
            assert seen.upstream_revision_num == one.upstream_num
            is_closed = one.is_in_prod and len(one.revisions) not in one.approved
            assert ("approval/is-approved" in seen.apply_gates) == is_closed

    @invariant()
    def no_deleted_unit_is_listed(self) -> None:
        assert self.scene.slugs("Unit") == [one.unit.slug for one in self.units if not one.is_deleted]

    def check_history(self) -> None:
        for one in self.units:
            if one.is_deleted:
                continue
            revisions = self.scene.revisions(one.unit)
            assert [revision.revision_num for revision in revisions] == list(range(1, len(one.revisions) + 1))
            assert [revision.data.decode() for revision in revisions] == [text_of(each) for each in one.revisions]
            assert revisions[-1].mutation_sources == self.scene.get(one.unit).mutation_sources
            found = history.list_mutations(self.hub, self.caller, one.unit.unit_id or "")
            assert [each.mutation and each.mutation.mutation_num for each in found] == list(range(1, one.mutations + 1))
        audit.sequence(self.hub)
        assert audit.verify(self.hub).is_intact

    def remember(self, one: Known) -> Known:
        self.units.append(one)
        return one

    def slug(self) -> str:
        self.made += 1
        return f"u{self.made}"

    def with_change(self, fields: Fields, change: tuple[int, int | str]) -> Fields:
        at, value = change
        wanted: list[int | str] = list(fields)
        wanted[at] = value
        return tuple(wanted)  # type: ignore[return-value]


@pytest.fixture(scope="module", autouse=True)
def template(tmp_path_factory: pytest.TempPathFactory) -> None:
    HubMachine.template = migrated_file(tmp_path_factory.mktemp("machine"))


class CheckedMachine(HubMachine):
    """Looks at the whole history once, at the end of each run."""

    def teardown(self) -> None:
        try:
            self.check_history()
        finally:
            super().teardown()


TestHub: Callable[..., object] = CheckedMachine.TestCase
# Shrinking runs for minutes here, and a run of 25 steps can be read as it is.
TestHub.settings = settings(  # type: ignore[attr-defined]
    max_examples=20, stateful_step_count=25, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
