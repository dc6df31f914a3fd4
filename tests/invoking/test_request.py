"""What a call of Invoke may carry: any JSON that Lambda's own parser takes, and nothing else."""

import base64

import pytest

from mappings.calls import Call
from mappings.errors import InvalidRequestContentException
from poller.invoking.request import InvocationType, read_invoke


def call(payload: bytes = b"", **parameters: object) -> Call:
    """A call whose declared constraints are kept."""
    return Call(
        operation="Invoke", status=200, parameters={"FunctionName": "audit", **parameters}, payload=payload
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b' {"a" : 1.50} ',
        b'{"a":1,"a":2}',
        b"123456789012345678901234567890",
        b'"\\ud800"',
        b'"\\u0000"',
        b"[" * 500 + b"]" * 500,
    ],
    ids=lambda payload: payload[:20].decode(),
)
def test_any_json_is_handed_over_as_it_was_sent(payload: bytes) -> None:
    """To the byte: numbers, blanks and repeated keys are the handler's to read."""
    assert read_invoke(call(payload)).payload == payload


@pytest.mark.parametrize(
    "payload",
    [
        b" ",
        b"nope",
        b"{'a':1}",
        b"[1,]",
        b"NaN",
        b"Infinity",
        b"1 2",
        b'"\xc3"',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16-le"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"1" * 5000,
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_what_is_no_json_is_refused_and_never_quoted(payload: bytes) -> None:
    """However deep or large: a sentence, and no crash."""
    with pytest.raises(InvalidRequestContentException) as refused:
        read_invoke(call(payload))

    assert refused.value.message.startswith("Could not parse request body into json: Could not parse payload")
    assert len(refused.value.message) < 250


def test_a_call_without_parameters_waits_for_the_answer() -> None:
    """RequestResponse, no tail, no context, an empty object."""
    request = read_invoke(call())

    assert request.type is InvocationType.REQUEST_RESPONSE
    assert (request.payload, request.client_context, request.tail) == (b"{}", "", False)


def test_a_client_context_becomes_ascii() -> None:
    """It goes to the runtime in a header."""
    text = base64.b64encode('{"custom":{"k":"é\\n"}}'.encode()).decode()

    assert read_invoke(call(ClientContext=text)).client_context == '{"custom":{"k":"\\u00e9\\n"}}'


@pytest.mark.parametrize("context", [b"[]", b'"a"', b"1", b"null", b"{", b"\xff"])
def test_a_client_context_is_an_object(context: bytes) -> None:
    """The runtime could make nothing of anything else."""
    with pytest.raises(InvalidRequestContentException, match="must be a valid Base64-encoded JSON object"):
        read_invoke(call(ClientContext=base64.b64encode(context).decode()))
