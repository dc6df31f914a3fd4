"""A KCL application that still runs is found, however seldom it renews its leases."""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from poller.errors import StateRefused
from poller.positions import KCL_LOOK_S, KCL_RENEWS_S, _refuse_running, _scan
from tests.loop.stage import in_virtual_time


class Table:
    """A lease table whose worker renews its lease at intervals."""

    def __init__(self, *, renews_s: float, owner: str | None) -> None:
        self._renews_s = renews_s
        self._owner = owner

    async def scan(self, **_: object) -> Mapping[str, Any]:
        counter = int(anyio.current_time() // self._renews_s)
        item = {"leaseKey": {"S": "s"}, "checkpoint": {"S": "5"}, "leaseCounter": {"N": str(counter)}}
        return {"Items": [item | ({"leaseOwner": {"S": self._owner}} if self._owner else {})]}


def looked(table: Table) -> tuple[float, list[str]]:
    """How long it was looked for, and what was told meanwhile."""
    told: list[str] = []
    seconds: list[float] = []

    async def play() -> None:
        rows = await _scan(table, "app")
        begun = anyio.current_time()
        await _refuse_running(table, "app", rows, told.append)
        seconds.append(anyio.current_time() - begun)

    in_virtual_time(play)
    return seconds[0], told


@pytest.mark.parametrize("failover_s", [10, 30, 60, 180])
def test_an_application_that_renews_seldom_is_found(failover_s: float) -> None:
    """KCL renews a lease each third of its failover time."""
    with pytest.raises(BaseException) as raised:
        looked(Table(renews_s=failover_s / 3, owner="worker-1"))

    assert "still works on its leases (worker-1): end it first" in str(raised.value)
    assert raised.type is StateRefused


def test_owners_of_an_application_that_has_ended_are_named() -> None:
    """KCL leaves the name of the last owner, so it takes a while to know."""
    seconds, told = looked(Table(renews_s=1e9, owner="worker-1"))

    assert KCL_RENEWS_S <= seconds <= KCL_RENEWS_S + KCL_LOOK_S
    assert "name as owners: worker-1" in told[0]


def test_leases_without_owners_are_believed_soon() -> None:
    """A worker that ran would have taken them."""
    assert looked(Table(renews_s=1e9, owner=None)) == (KCL_LOOK_S, [])
