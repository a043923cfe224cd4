"""What a postmortem begins with."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.traderx.conftest import Installed
from traderx.postmortem import recorded
from traderx.site import Site
from traderx.stack import Stack


def test_everything_since_the_beginning_is_there_however_many_pages_it_takes(installed: Installed) -> None:
    site = Site(installed.project, installed.hub, Stack(installed.project, print), is_own=True, say=print)
    whole = recorded(site, "dev", datetime(2000, 1, 1, tzinfo=UTC))
    middle = datetime.fromisoformat(whole[len(whole) // 2]["At"])

    paged = recorded(site, "dev", datetime(2000, 1, 1, tzinfo=UTC), page_rows=7)
    late = recorded(site, "dev", middle, page_rows=7)

    assert len(whole) > 14
    assert [row["At"] for row in whole] == sorted(row["At"] for row in whole)
    assert paged == whole
    assert late == [row for row in whole if datetime.fromisoformat(row["At"]) >= middle]
