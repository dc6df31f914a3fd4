"""The outcome tables of ReportBatchItemFailures (semantics 2.4.3 and 3.8.3)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.core.responses import InvalidResponse, failed_items

KNOWN = {"1", "2", "3"}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"  ",
        b"null",
        b"{}",
        b"[]",
        b'""',
        b'{"batchItemFailures":[]}',
        b'{"batchItemFailures":null}',
        b'{"foo":1}',
    ],
)
def test_complete_success(payload: bytes) -> None:
    """Nothing reported is nothing failed."""
    assert failed_items(payload, KNOWN) == frozenset()


@pytest.mark.parametrize(
    ("payload", "failed"),
    [
        (b'{"batchItemFailures":[{"itemIdentifier":"2"}]}', {"2"}),
        (b'{"batchItemFailures":[{"itemIdentifier":"2"},{"itemIdentifier":"2"}]}', {"2"}),
        (b'{"batchItemFailures":[{"itemIdentifier":"3","more":1},{"itemIdentifier":"1"}],"x":0}', {"1", "3"}),
    ],
)
def test_partial_failure(payload: bytes, failed: set[str]) -> None:
    """The listed items failed; listing one twice is harmless."""
    assert failed_items(payload, KNOWN) == failed


@pytest.mark.parametrize(
    "payload",
    [
        b"not json",
        b'{"batchItemFailures":[{"itemIdentifier":"2"}]',
        b'"ok"',
        b"true",
        b"false",
        b"0",
        b"7",
        b"[1]",
        b"NaN",
        b'{"batchItemFailures":{}}',
        b'{"batchItemFailures":"2"}',
        b'{"batchItemFailures":[{"itemIdentifier":""}]}',
        b'{"batchItemFailures":[{"itemIdentifier":null}]}',
        b'{"batchItemFailures":[{"itemIdentifier":2}]}',
        b'{"batchItemFailures":[{"id":"2"}]}',
        b'{"batchItemFailures":[{}]}',
        b'{"batchItemFailures":["2"]}',
        b'{"batchItemFailures":[{"itemIdentifier":"9"}]}',
        b'{"batchItemFailures":[{"itemIdentifier":"1"},{"itemIdentifier":"9"}]}',
        b"[" * 100_000,
        b'{"batchItemFailures":' + b"9" * 5_000,
    ],
    ids=lambda payload: repr(payload[:48]),
)
def test_invalid_responses_fail_the_whole_batch(payload: bytes) -> None:
    """One bad entry, or no JSON at all, poisons the response."""
    with pytest.raises(InvalidResponse):
        failed_items(payload, KNOWN)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(payload: bytes) -> None:
    """Whatever a function returns is success, partial failure or an invalid response."""
    with contextlib.suppress(InvalidResponse):
        assert failed_items(payload, KNOWN) <= KNOWN
