"""A few rounds of real kills in every run of the tests; `make kill ROUNDS=n` runs many, on new ground."""

from tests.conftest import Moto
from tests.kill.runs import run_rounds

# A world with handlers, faults and resharding, and always the same: whoever breaks something should hear of
# it, and nobody else.
SEED = 10


async def test_kills_lose_nothing_and_repeat_only_what_was_in_flight() -> None:
    """Queue, stream and table at once, against the fakes over HTTP."""
    said: list[str] = []

    totals = await run_rounds(10, SEED, say=said.append)

    assert not totals.violations, "\n".join(said)
    assert totals.counts["kills"] + totals.counts["terms"] >= 10


async def test_kills_against_moto(moto: Moto) -> None:
    """The same on a server that is not ours."""
    said: list[str] = []

    totals = await run_rounds(4, SEED, say=said.append, moto=moto)

    assert not totals.violations, "\n".join(said)
