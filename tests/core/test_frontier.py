"""The contiguous prefix."""

from hypothesis import given
from hypothesis import strategies as st

from poller.core.frontier import Frontier
from tests.core.records import record


@given(st.permutations(list(range(6))))
def test_the_checkpoint_is_the_end_of_the_finished_prefix(order: list[int]) -> None:
    """In whatever order records finish, the checkpoint never passes an unfinished one, nor stays behind."""
    records = [record(n) for n in range(6)]
    frontier = Frontier()
    frontier.admit(records)
    finished: set[int] = set()
    reached = -1
    for number in order:
        frontier.resolve([records[number]])
        finished.add(number)
        position = frontier.advance()
        prefix = next((n for n in range(6) if n not in finished), 6) - 1
        reached = int(position) if position is not None else reached
        assert reached == prefix

    assert frontier.settled


def test_it_does_not_move_without_progress() -> None:
    """Asking twice gives a position once."""
    frontier = Frontier()
    first, second = record(1), record(2)
    frontier.admit([first, second])
    frontier.resolve([first])

    assert frontier.advance() == "1"
    assert frontier.advance() is None
    assert not frontier.settled


def test_records_of_one_sequence_number_are_passed_together() -> None:
    """De-aggregated records share a number: the checkpoint waits for the last of them."""
    first, twin_a, twin_b = record(1), record(2), record(2)
    frontier = Frontier()
    frontier.admit([first, twin_a, twin_b])

    frontier.resolve([first, twin_a])
    assert frontier.advance() is None
    assert frontier.halted
    frontier.resolve([twin_b])
    assert frontier.advance() == "2"
    assert not frontier.halted
