"""The event's exact bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.core.payload import decode_json, encode_json, encode_records, encoded_size, that_fit
from tests.core.records import record


@given(st.lists(st.integers(1, 50), max_size=8))
def test_encoded_size_is_the_length_of_the_payload(sizes: list[int]) -> None:
    """The computed size equals what joining the records gives, to the byte."""
    records = [record(i, size=size) for i, size in enumerate(sizes)]

    assert encoded_size(len(records), sum(sizes)) == len(encode_records(records))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(14, 120))
def test_what_fits_is_the_longest_prefix_within_the_limit(sizes: list[int], limit: int) -> None:
    """One record more would pass the limit; only a single oversized record may pass it."""
    records = [record(i, size=size) for i, size in enumerate(sizes)]

    count, size_bytes = that_fit(records, limit_bytes=limit, limit_count=100)

    assert count == 1 or len(encode_records(records[:count])) <= limit
    assert count == len(records) or len(encode_records(records[: count + 1])) > limit
    assert size_bytes == sum(sizes[:count])


def test_a_payload_of_exactly_the_limit_fits() -> None:
    """The limit itself is allowed; one byte less is not."""
    records = [record(1, size=10), record(2, size=10)]
    exact = len(encode_records(records))

    assert that_fit(records, limit_bytes=exact, limit_count=10) == (2, 20)
    assert that_fit(records, limit_bytes=exact - 1, limit_count=10) == (1, 10)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": b"\x00\x01"}, b'{"b":"AAE="}'),
        ({"s": "\u00e9"}, '{"s":"\u00e9"}'.encode()),
        ({"n": 1700000000.0}, b'{"n":1700000000.0}'),
        ({"s": "\ud800"}, b'{"s":"\\ud800"}'),
        ({"n": 2**70}, b'{"n":1180591620717411303424}'),
    ],
)
def test_values_become_the_json_that_lambda_writes(value: object, expected: bytes) -> None:
    """Binary is base64, text UTF-8, and what orjson refuses is passed on all the same."""
    assert encode_json(value) == expected
    assert json.loads(encode_json(value)) is not None


def test_a_value_without_place_in_json_is_refused() -> None:
    """A type nobody foresaw is an error, not text."""
    with pytest.raises(TypeError):
        encode_json({"x": object()})


@pytest.mark.parametrize("value", [{"s": "\ud800"}, {"n": 2**70}, [[[1.5]]], "x", None, True])
def test_what_was_encoded_is_decoded(value: object) -> None:
    """Also what only the standard library can write."""
    assert decode_json(encode_json(value)) == value


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "[" * 200_000, b"\xff", "9" * 5_000])
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    """Nothing a producer sends raises anything else."""
    with pytest.raises(ValueError):
        decode_json(text)
