"""The rehearsed loss of the hub: what another hub says of itself counts."""

from __future__ import annotations

import pytest

from confighub.client.transport import Wire
from confighub.errors import ConfigHubError
from traderx.rehearsal import refuse_broken


@pytest.mark.parametrize("chain", [{}, {"IsIntact": False, "BrokenAt": 7}])
def test_a_broken_audit_chain_is_no_promise_kept(chain: Wire) -> None:
    with pytest.raises(ConfigHubError, match="audit chain is broken"):
        refuse_broken(chain)


def test_an_intact_one_is() -> None:
    refuse_broken({"IsIntact": True})
