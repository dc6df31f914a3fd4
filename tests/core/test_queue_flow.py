"""How much of a queue is in flight."""

from itertools import product

import pytest

from poller.core.queue_flow import MAX_IN_FLIGHT, QueueFlow, Ticket


def _flow(limit: int, *, places: int = 0, running: int = 0) -> QueueFlow:
    flow = QueueFlow(limit)
    flow.places = places
    flow.running = running
    return flow


@pytest.mark.parametrize(
    ("limit", "places", "running"),
    [state for state in product(range(5), range(8), range(8)) if state[2] <= state[1]],
)
def test_places_go_up_to_the_limit_and_one_batch_beyond_what_runs(
    limit: int, places: int, running: int
) -> None:
    """Faults 9: polls, held and running batches together; with a limit of 0 nothing is received."""
    allowed = _flow(limit, places=places, running=running).may_poll(0)

    assert allowed == (limit > 0 and places < max(limit, running + 1))


def test_only_so_many_messages_are_in_flight() -> None:
    """Faults 7: deletes that do not get through may hold up this mapping's receives, and nothing else."""
    flow = _flow(5)

    assert flow.may_poll(MAX_IN_FLIGHT - 1)
    assert not flow.may_poll(MAX_IN_FLIGHT)


@pytest.mark.parametrize(("limit", "running"), list(product(range(4), range(5))))
def test_a_batch_starts_within_the_limit(limit: int, running: int) -> None:
    """What was received before the limit fell to 0 is still delivered, one batch after the other."""
    assert _flow(limit, places=running, running=running).may_start(Ticket()) == (running < max(limit, 1))


def test_one_refusal_closes_nothing() -> None:
    """A function that takes others is there."""
    flow, ticket = _flow(5), Ticket()

    flow.refused(ticket, gone=False)

    assert not flow.closed


def test_a_whole_back_off_without_an_accepted_invocation_closes() -> None:
    """Faults 9: then nothing is received, and the batch that was refused probes alone."""
    flow, ticket, other = _flow(5), Ticket(), Ticket()
    flow.refused(ticket, gone=False)

    flow.refused(ticket, gone=False)

    assert flow.closed
    assert not flow.may_poll(0)
    assert flow.may_start(ticket)
    assert not flow.may_start(other)


def test_an_accepted_invocation_during_the_back_off_keeps_it_open() -> None:
    """The function is busy, not away."""
    flow, ticket = _flow(5), Ticket()
    flow.refused(ticket, gone=False)
    flow.accepted()

    flow.refused(ticket, gone=False)

    assert not flow.closed


def test_a_function_that_cannot_be_reached_closes_at_once() -> None:
    """No other batch need find out."""
    flow = _flow(5)

    flow.refused(Ticket(), gone=True)

    assert flow.closed


def test_the_first_accepted_invocation_opens() -> None:
    """All may go on."""
    flow = _flow(5)
    flow.refused(Ticket(), gone=True)

    flow.accepted()

    assert not flow.closed
    assert flow.may_poll(0)
    assert flow.may_start(Ticket())


def test_a_probe_that_left_makes_room_for_another() -> None:
    """Its messages may have lapsed: the next batch probes."""
    flow, ticket, other = _flow(5, places=2), Ticket(), Ticket()
    flow.refused(ticket, gone=True)

    flow.leave(ticket)

    assert flow.may_start(other)
    flow.start(other)
    assert not flow.may_start(ticket)


def test_without_a_batch_that_could_probe_the_function_has_to_be_asked() -> None:
    """Otherwise nothing would ever be received again."""
    flow = _flow(5, places=1)
    flow.refused(Ticket(), gone=True)
    assert not flow.stranded

    flow.places = 0

    assert flow.stranded
    flow.reopen()
    assert flow.may_poll(0)
