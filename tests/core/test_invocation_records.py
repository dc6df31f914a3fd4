"""Invocation records and dead letters: members, order, formats, and what does not fit."""

import json
from dataclasses import replace

import pytest

from poller.core.async_events import Condition, Ending, QueuedEvent, Response
from poller.core.event_time import Age, Moment
from poller.core.invocation_records import ERROR_MESSAGE_BYTES, dead_letter, invocation_record

ARN = "arn:aws:lambda:eu-west-1:000000000000:function:audit"
EVENT = QueuedEvent(
    request_id="e6d1b5a8-0000-4000-8000-000000000001",
    function="audit",
    qualifier=None,
    function_arn=ARN,
    payload='{ "id" : 1.0, "text":"é" }'.encode(),
    accepted_at=1_704_067_200.0,
    due_at=1_704_067_200.0,
    age=Age(until=Moment(at=1_704_067_200.0, clock="wall/1")),
    delivered=3,
    failed=3,
    response=Response(
        status_code=200,
        executed_version="$LATEST",
        function_error="Unhandled",
        payload=b'{"errorMessage":"no","errorType":"ValueError"}',
    ),
    ending=Ending(condition=Condition.RETRIES_EXHAUSTED, at=1_704_067_380.123),
)


def ended(condition: Condition, **fields: object) -> QueuedEvent:
    """An event with another end."""
    ending = Ending(condition=condition, at=1_704_067_380.123)
    return replace(EVENT, ending=ending, **fields)  # type: ignore[arg-type]


def test_a_failure_is_told_as_lambda_tells_it() -> None:
    """To the byte: the order of members, milliseconds, and the payload as it was sent."""
    assert invocation_record(EVENT).text() == (
        '{"version":"1.0","timestamp":"2024-01-01T00:03:00.123Z",'
        '"requestContext":{"requestId":"e6d1b5a8-0000-4000-8000-000000000001",'
        f'"functionArn":"{ARN}:$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3}},'
        '"requestPayload":{ "id" : 1.0, "text":"é" },'
        '"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
        '"responsePayload":{"errorMessage":"no","errorType":"ValueError"}}'
    )


def test_a_success_has_no_function_error() -> None:
    """The member is absent, not null; the ARN ends in the qualifier that was asked for."""
    success = ended(
        Condition.SUCCESS,
        qualifier="live",
        function_arn=f"{ARN}:live",
        delivered=1,
        response=Response(status_code=200, executed_version="3", payload=b'"done"'),
    )
    document = json.loads(invocation_record(success).text())

    assert document["requestContext"]["functionArn"] == f"{ARN}:live"
    assert document["requestContext"]["condition"] == "Success"
    assert document["responseContext"] == {"statusCode": 200, "executedVersion": "3"}
    assert document["responsePayload"] == "done"


@pytest.mark.parametrize(
    "event",
    [
        ended(Condition.ZERO_RESERVED_CONCURRENCY, delivered=0, response=None),
        ended(Condition.EVENT_AGE_EXCEEDED, delivered=0, response=Response(status_code=429)),
    ],
)
def test_a_function_that_never_ran_gave_no_response(event: QueuedEvent) -> None:
    """Neither its context nor its payload is there."""
    document = json.loads(invocation_record(event).text())

    assert "responseContext" not in document
    assert "responsePayload" not in document
    assert document["requestContext"]["approximateInvokeCount"] == 0


@pytest.mark.parametrize(
    ("payload", "shown"), [(b"plain", "plain"), (b"", ""), (b"\xff", "\N{REPLACEMENT CHARACTER}")]
)
def test_an_answer_that_is_no_json_is_shown_as_a_text(payload: bytes, shown: str) -> None:
    """An HTTP function may answer anything."""
    event = ended(
        Condition.SUCCESS, response=Response(status_code=200, executed_version="1", payload=payload)
    )

    assert json.loads(invocation_record(event).text())["responsePayload"] == shown


def test_an_object_of_a_bucket_is_named_by_function_time_and_request() -> None:
    """A second try writes the same object."""
    assert invocation_record(EVENT).object_key == (
        "aws/lambda/async/audit/2024/01/01/2024-01-01T00.03.00-e6d1b5a8-0000-4000-8000-000000000001"
    )


def test_what_does_not_fit_is_told_without_its_payloads() -> None:
    """The rest says which request it was."""
    record = invocation_record(replace(EVENT, payload=b'"' + b"x" * 1000 + b'"'))

    assert record.fitting(len(record.with_payload())) == record.with_payload()
    short = json.loads(record.fitting(len(record.with_payload()) - 1))
    assert {"requestPayload", "responsePayload"}.isdisjoint(short)
    assert short["requestContext"]["requestId"] == EVENT.request_id


def test_a_dead_letter_is_the_event_with_three_attributes() -> None:
    """The body is what was sent, to the byte."""
    letter = dead_letter(EVENT)

    assert letter.body == EVENT.payload.decode()
    assert letter.attributes() == {
        "RequestID": {"DataType": "String", "StringValue": EVENT.request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "no"},
    }


@pytest.mark.parametrize(
    ("event", "code", "message"),
    [
        (
            ended(Condition.ZERO_RESERVED_CONCURRENCY, response=None, delivered=0),
            429,
            "Function not invoked. Function is configured with zero reserved concurrent executions",
        ),
        (ended(Condition.EVENT_AGE_EXCEEDED, response=Response(status_code=429)), 429, "Rate Exceeded."),
        (
            ended(Condition.EVENT_AGE_EXCEEDED, response=Response(status_code=404)),
            404,
            "The function could not be invoked.",
        ),
    ],
)
def test_a_dead_letter_says_why_the_function_did_not_run(event: QueuedEvent, code: int, message: str) -> None:
    """The status that a caller would have had."""
    letter = dead_letter(event)

    assert (letter.error_code, letter.error_message) == (code, message)


def test_an_error_message_is_cut_at_a_kilobyte_of_whole_characters() -> None:
    """Characters that no message may hold are replaced, so that the letter can be sent at all."""
    payload = json.dumps({"errorMessage": "\x00" + "é" * 2000}).encode()
    event = replace(
        EVENT,
        response=Response(status_code=200, executed_version="1", function_error="Unhandled", payload=payload),
    )
    message = dead_letter(event).error_message

    assert len(message.encode()) in {ERROR_MESSAGE_BYTES - 1, ERROR_MESSAGE_BYTES}
    assert message.startswith("\N{REPLACEMENT CHARACTER}é")
