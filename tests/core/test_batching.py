"""When a batch closes and why."""

from hypothesis import given
from hypothesis import strategies as st

from poller.core.batching import Batcher, BatchLimits, Trigger, batch_id
from tests.core.records import numbers, record


def _batcher(size: int = 3, window_s: float = 0.0, payload_bytes: int = 10_000) -> Batcher:
    return Batcher(BatchLimits(size=size, window_s=window_s, payload_bytes=payload_bytes), scope="m/s")


def test_without_a_window_whatever_is_there_goes_at_once() -> None:
    """Window 0 does not wait for a full batch."""
    batcher = _batcher()
    batcher.add([record(1)], now=5.0)

    batch = batcher.take(5.0)

    assert batch is not None
    assert (numbers(batch.records), batch.trigger) == ([1], Trigger.WINDOW)


def test_a_full_batch_goes_before_its_window_ends() -> None:
    """Size closes first; the rest stays, in order."""
    batcher = _batcher(size=2, window_s=60)
    batcher.add([record(n) for n in (1, 2, 3)], now=0.0)

    batch = batcher.take(0.0)

    assert batch is not None
    assert (numbers(batch.records), batch.trigger) == ([1, 2], Trigger.SIZE)
    assert len(batcher) == 1
    assert batcher.take(59.9) is None


def test_a_window_closes_at_its_end_and_not_before() -> None:
    """The window runs from the first record gathered."""
    batcher = _batcher(window_s=2)
    batcher.add([record(1)], now=10.0)
    batcher.add([record(2)], now=11.5)

    assert batcher.deadline() == 12.0
    assert batcher.take(11.999) is None
    batch = batcher.take(12.0)
    assert batch is not None
    assert (numbers(batch.records), batch.trigger) == ([1, 2], Trigger.WINDOW)


def test_the_window_starts_again_when_the_previous_invocation_completes() -> None:
    """What was gathered during an invocation waits a whole window from its end."""
    batcher = _batcher(window_s=2)
    batcher.add([record(1)], now=10.0)

    batcher.restart_window(now=11.0)

    assert batcher.take(12.5) is None
    assert batcher.take(13.0) is not None


def test_a_batch_closes_before_the_payload_passes_its_limit() -> None:
    """The record that would pass the limit opens the next batch."""
    batcher = _batcher(size=100, window_s=60, payload_bytes=60)
    batcher.add([record(n, size=20) for n in (1, 2, 3)], now=0.0)

    batch = batcher.take(0.0)

    assert batch is not None
    assert (numbers(batch.records), batch.trigger) == ([1, 2], Trigger.BYTES)


def test_a_record_larger_than_a_payload_goes_alone() -> None:
    """It must not block the records around it."""
    batcher = _batcher(size=100, payload_bytes=60)
    batcher.add([record(1), record(2, size=500), record(3)], now=0.0)

    batches = [batcher.take(0.0) for _ in range(3)]

    assert [numbers(b.records) for b in batches if b] == [[1], [2], [3]]


def test_the_end_of_a_shard_flushes_what_is_left() -> None:
    """No window is waited for when nothing more will come."""
    batcher = _batcher(window_s=300)
    batcher.add([record(1)], now=0.0)

    batch = batcher.take(0.0, flush=True)

    assert batch is not None
    assert batch.trigger is Trigger.SHARD_END


@given(
    st.lists(st.lists(st.integers(1, 40), max_size=6), max_size=6),
    st.integers(1, 5),
    st.integers(60, 200),
)
def test_every_record_leaves_once_in_order_within_the_limits(
    chunks: list[list[int]], size: int, payload_bytes: int
) -> None:
    """Whatever comes in, batches are a partition of it in order, and none is too large."""
    batcher = _batcher(size=size, payload_bytes=payload_bytes)
    out: list[int] = []
    number = 0
    for chunk in chunks:
        batcher.add([record(number + i, size=s) for i, s in enumerate(chunk)], now=0.0)
        number += len(chunk)
        while batch := batcher.take(0.0):
            assert 1 <= len(batch.records) <= size
            out += numbers(batch.records)

    assert out == list(range(number))


def test_room_is_what_the_next_batch_can_still_take() -> None:
    """A poller asks for no more than that."""
    batcher = _batcher(size=3, window_s=60)
    batcher.add([record(1)], now=0.0)

    assert batcher.room == 2


def test_a_batch_id_names_the_content_and_looks_like_a_uuid() -> None:
    """The same records give the same id; another scope, range or count gives another."""
    records = [record(1), record(2)]

    assert batch_id("m/s", records) == batch_id("m/s", [record(1), record(2)])
    assert len({batch_id("m/s", records), batch_id("m/t", records), batch_id("m/s", records[:1])}) == 3
    assert [len(part) for part in batch_id("m/s", records).split("-")] == [8, 4, 4, 4, 12]
