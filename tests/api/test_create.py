"""CreateEventSourceMapping: what is answered, what is refused, and in which order."""

import re
from typing import Any

import pytest

from mappings.arns import FunctionName
from mappings.errors import InvalidParameterValueException, ServiceException
from mappings.functions import LambdaFunction
from tests.api.stage import DYNAMODB, FIFO, KINESIS, MAPPINGS, NOW, QUEUE, Stage

UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


async def test_a_queue_mapping_is_answered_with_exactly_the_members_of_aws() -> None:
    """202, State Creating, and nothing about streams."""
    reply = await Stage().create()
    uuid = reply.body["UUID"]

    assert reply.status == 202
    assert UUID_4.fullmatch(uuid)
    assert reply.body == {
        "UUID": uuid,
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}",
        "EventSourceArn": QUEUE,
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:audit",
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "LastModified": NOW,
    }


async def test_a_stream_mapping_is_answered_with_exactly_the_members_of_aws() -> None:
    """Defaults of retries and age are -1, and no destination is an empty OnFailure."""
    reply = await Stage().create(KINESIS)
    uuid = reply.body["UUID"]

    assert reply.body == {
        "UUID": uuid,
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{uuid}",
        "EventSourceArn": KINESIS,
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:audit",
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "StartingPosition": "TRIM_HORIZON",
        "TumblingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "LastProcessingResult": "No records processed",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "LastModified": NOW,
    }


@pytest.mark.parametrize(
    ("arn", "members", "shown"),
    [
        (QUEUE, {"ScalingConfig": {"MaximumConcurrency": 5}}, {"ScalingConfig": {"MaximumConcurrency": 5}}),
        (
            QUEUE,
            {"ProvisionedPollerConfig": {"MinimumPollers": 3}},
            {"ProvisionedPollerConfig": {"MinimumPollers": 3}},
        ),
        (
            QUEUE,
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]}},
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]}},
        ),
        (
            KINESIS,
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.5},
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.5},
        ),
        (
            DYNAMODB,
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::failed"}}},
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::failed"}}},
        ),
    ],
)
async def test_what_is_set_is_shown(arn: str, members: dict[str, Any], shown: dict[str, Any]) -> None:
    """Members that AWS shows only when they are set."""
    reply = await Stage().create(arn, **members)

    assert {member: reply.body[member] for member in shown} == shown


async def test_an_empty_list_of_filters_is_accepted_and_not_shown() -> None:
    """As recorded."""
    reply = await Stage().create(FilterCriteria={"Filters": []})

    assert reply.status == 202
    assert "FilterCriteria" not in reply.body


@pytest.mark.parametrize(
    ("arn", "state", "at_rest"),
    [(QUEUE, "Disabled", "Disabled"), (KINESIS, "Creating", "Disabled"), (DYNAMODB, "Creating", "Disabled")],
)
async def test_a_disabled_queue_is_disabled_at_once_and_a_stream_passes_through_creating(
    arn: str, state: str, at_rest: str
) -> None:
    """Still 202."""
    stage = Stage()
    reply = await stage.create(arn, Enabled=False)
    await stage.settle()
    later = await stage.call("GET", f"{MAPPINGS}/{reply.body['UUID']}")

    assert (reply.status, reply.body["State"], later.body["State"]) == (202, state, at_rest)


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("audit", "arn:aws:lambda:us-east-1:000000000000:function:audit"),
        ("audit:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:audit:$LATEST"),
        ("function:audit", "arn:aws:lambda:us-east-1:000000000000:function:audit"),
        (
            "arn:aws:lambda:us-east-1:000000000000:function:audit:$LATEST",
            "arn:aws:lambda:us-east-1:000000000000:function:audit:$LATEST",
        ),
        (
            "arn:aws:lambda:us-east-1:210987654321:function:elsewhere:live",
            "arn:aws:lambda:us-east-1:210987654321:function:elsewhere:live",
        ),
    ],
)
async def test_the_function_is_shown_as_it_was_qualified(name: str, arn: str) -> None:
    """A name becomes an ARN, and a qualifier stays; a hosted function has one ARN, whatever its source."""
    assert (await Stage().create(function=name)).body["FunctionArn"] == arn


@pytest.mark.parametrize(
    "name",
    [
        "123456789012:function:audit",
        "arn:aws:lambda:us-east-1:123456789012:function:audit",
        "arn:aws:lambda:eu-west-1:000000000000:function:audit",
        "arn:aws-cn:lambda:us-east-1:000000000000:function:audit",
    ],
)
async def test_a_hosted_function_does_not_answer_for_its_name_elsewhere(name: str) -> None:
    """In another account, region or partition it is another function."""
    reply = await Stage().create(function=name)

    assert (reply.status, reply.message) == (400, "Function does not exist")


async def test_two_names_of_one_function_make_one_mapping() -> None:
    """The name of a file for a function of AWS Lambda, and its ARN: every record would run twice."""
    stage = Stage()
    arn = "arn:aws:lambda:us-east-1:123456789012:function:billing-v2:live"
    billing = LambdaFunction(name="billing", function=FunctionName.parse(arn))
    stage.directory.listed = {**stage.directory.listed, "billing": billing}
    made = await stage.create(function="billing")

    again = await stage.create(function=arn)
    found = [await stage.call("GET", MAPPINGS, FunctionName=name) for name in ("billing", arn)]

    assert made.body["FunctionArn"] == arn
    assert again.code == "ResourceConflictException"
    assert [len(reply.body["EventSourceMappings"]) for reply in found] == [1, 1]


@pytest.mark.parametrize("path", [MAPPINGS, f"{MAPPINGS}/"])
async def test_the_collection_has_a_trailing_slash_or_none(path: str) -> None:
    """Older clients write one."""
    reply = await Stage().call("POST", path, {"EventSourceArn": QUEUE, "FunctionName": "audit"})

    assert reply.status == 202


# Each row breaks everything that the rows below it break, and is refused for its own reason: that is the
# order of AWS's checks (semantics 1.4.25, and that no source is told before a missing function).
DENIED = InvalidParameterValueException("denied")
PRECEDENCE: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    (
        "declared constraint",
        {"BatchSize": 0, "EventSourceArn": None, "FunctionName": "nobody"},
        {},
        "ValidationException",
        "Value '0' at 'batchSize' failed to satisfy constraint: Member must have value greater than or",
    ),
    (
        "no source",
        {"EventSourceArn": None, "FunctionName": "nobody"},
        {},
        "InvalidParameterValueException",
        "Unrecognized event source.",
    ),
    (
        "function",
        {"FunctionName": "nobody", "BatchSize": 11},
        {"source": DENIED},
        "InvalidParameterValueException",
        "Function does not exist",
    ),
    (
        "function of AWS Lambda",
        {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:x", "BatchSize": 11},
        {"function": InvalidParameterValueException("Function does not exist"), "source": DENIED},
        "InvalidParameterValueException",
        "Function does not exist",
    ),
    (
        "fields",
        {"BatchSize": 11, "FilterCriteria": {"Filters": [{"Pattern": "null"}]}},
        {"source": DENIED},
        "InvalidParameterValueException",
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
    ),
    (
        "source",
        {"FilterCriteria": {"Filters": [{"Pattern": "null"}]}},
        {"source": InvalidParameterValueException("the source said no")},
        "InvalidParameterValueException",
        "the source said no",
    ),
    (
        "filter",
        {"FilterCriteria": {"Filters": [{"Pattern": "null"}]}},
        {},
        "InvalidParameterValueException",
        "Invalid filter pattern definition.",
    ),
    ("uniqueness", {}, {}, "ResourceConflictException", "already exists"),
]


@pytest.mark.parametrize(
    ("members", "refusals", "code", "message"),
    [row[1:] for row in PRECEDENCE],
    ids=[row[0] for row in PRECEDENCE],
)
async def test_the_first_check_that_fails_is_the_answer(
    members: dict[str, Any], refusals: dict[str, Any], code: str, message: str
) -> None:
    """In AWS's order, over a mapping that exists already."""
    stage = Stage()
    await stage.created()
    stage.world.refusals = refusals
    request = {"EventSourceArn": QUEUE, "FunctionName": "audit", **members}

    reply = await stage.call("POST", MAPPINGS, request)

    assert reply.code == code
    assert message in reply.message
    assert len(await stage.store.list()) == 1


async def test_a_destination_that_refuses_is_told_before_a_filter() -> None:
    """After the source."""
    stage = Stage()
    stage.world.refusals = {"destination": DENIED}
    reply = await stage.create(
        KINESIS,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sns:us-east-1:123456789012:t"}},
        FilterCriteria={"Filters": [{"Pattern": "null"}]},
    )

    assert (reply.message, stage.world.asked) == ("denied", ["function", "source", "destination"])


async def test_a_source_that_cannot_be_asked_is_a_failure_that_clients_try_again() -> None:
    """500 with `Message`; nothing was made."""
    stage = Stage()
    stage.world.refusals = {"source": ServiceException("The event source could not be reached: x")}

    reply = await stage.create()

    assert (reply.status, reply.code) == (500, "ServiceException")
    assert reply.body == {"Type": "Service", "Message": "The event source could not be reached: x"}
    assert list(await stage.store.list()) == []


@pytest.mark.parametrize(
    ("arn", "text"),
    [
        (QUEUE, 'An event source mapping with SQS arn (" {arn} ") and function (" audit ") already exists.'),
        (FIFO, 'An event source mapping with SQS arn (" {arn} ") and function (" audit ") already exists.'),
        (
            KINESIS,
            'The event source arn (" {arn} ") and function (" audit ") provided mapping already exists.',
        ),
        (
            DYNAMODB,
            'The event source arn (" {arn} ") and function (" audit ") provided mapping already exists.',
        ),
    ],
)
async def test_a_duplicate_is_refused_in_the_words_of_its_source(arn: str, text: str) -> None:
    """409, with the UUID that stands in the way, and AWS's blanks inside the quotes."""
    stage = Stage()
    uuid = await stage.created(arn)

    reply = await stage.create(arn)

    assert (reply.status, reply.code) == (409, "ResourceConflictException")
    assert reply.body == {
        "Type": "User",
        "message": f"{text.format(arn=arn)} Please update or delete the existing mapping with UUID {uuid}",
    }


async def test_another_qualifier_is_another_function() -> None:
    """Base, $LATEST, alias and version coexist."""
    stage = Stage()
    arn = "arn:aws:lambda:us-east-1:123456789012:function:elsewhere"

    replies = [await stage.create(function=f"{arn}{name}") for name in ("", ":$LATEST", ":live", ":3")]

    assert [reply.status for reply in replies] == [202] * 4


async def test_of_two_creates_at_once_one_comes_through() -> None:
    """Also where the second begins while the first asks the source."""
    stage = Stage()
    replies = []

    async def second() -> None:
        replies.append(await stage.create())

    stage.world.meanwhile = second
    replies.append(await stage.create())

    assert sorted(reply.status for reply in replies) == [202, 409]


async def test_latest_is_what_the_source_says_the_time_is() -> None:
    """Kept with the mapping before the answer, so that nothing written after it is passed over."""
    stage = Stage()
    uuid = await stage.created(KINESIS, StartingPosition="LATEST")

    stored = await stage.store.get(uuid)

    assert stored is not None
    assert stored.latest_at == stage.world.server_time


async def test_pollers_are_told_of_what_was_made_and_not_of_what_was_refused() -> None:
    """They look again."""
    stage = Stage()
    await stage.create()
    await stage.create()

    assert stage.changes == 1


async def test_functions_only_refuses_what_is_not_listed() -> None:
    """Also by its ARN."""
    stage = Stage()
    stage.directory.functions_only = True

    reply = await stage.create(function="arn:aws:lambda:us-east-1:123456789012:function:elsewhere")

    assert reply.message == "Function does not exist"
    assert (await stage.create()).status == 202


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "SerializationException"),
        (b"[]", "SerializationException"),
        (b"\xff\xfe", "SerializationException"),
        (b'{"BatchSize": NaN}', "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b'{"FunctionName":' + b'{"a":' * 50 + b"1" + b"}" * 51, "SerializationException"),
        (b'{"FunctionName": 5}', "ValidationException"),
        (b'{"FunctionName": "audit", "Bogus": 1}', "ValidationException"),
        (b"", "ValidationException"),
        (b"null", "SerializationException"),
        # What could be stored and never be shown again, and a number that no float holds.
        (
            b'{"FunctionName": "audit", "FilterCriteria": {"Filters": [{"Pattern": "\\ud800"}]}}',
            "ValidationException",
        ),
        (
            b'{"FunctionName": "audit", "StartingPositionTimestamp": 1' + b"0" * 400 + b"}",
            "ValidationException",
        ),
    ],
)
async def test_a_body_that_is_no_request_is_a_clients_fault(raw: bytes, code: str) -> None:
    """400 in AWS's shape, whatever it is."""
    reply = await Stage().call("POST", MAPPINGS, raw=raw)

    assert (reply.status, reply.code) == (400, code)


async def test_functions_only_takes_the_very_arn_that_is_listed() -> None:
    """Its function may be invoked, whichever of its names is used."""
    stage = Stage()
    arn = "arn:aws:lambda:us-east-1:123456789012:function:billing:live"
    billing = LambdaFunction(name="billing", function=FunctionName.parse(arn))
    stage.directory.listed = {**stage.directory.listed, "billing": billing}
    stage.directory.functions_only = True

    replies = [
        await stage.create(QUEUE + name[-1], function=name)
        for name in (arn, "billing", arn.replace("live", "other"))
    ]

    assert [reply.status for reply in replies] == [202, 202, 400]


async def test_an_on_failure_without_destination_is_refused() -> None:
    """In AWS's words, and not taken for one that clears."""
    stage = Stage()
    destination = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:failed"}}
    uuid = await stage.created(KINESIS, DestinationConfig=destination)

    made = await stage.create(DYNAMODB, DestinationConfig={"OnFailure": {}})
    changed = await stage.update(uuid, DestinationConfig={"OnFailure": {}})
    kept = await stage.call("GET", f"{MAPPINGS}/{uuid}")

    text = "The Destination field is required for an OnFailure configuration."
    assert [(reply.status, reply.message) for reply in (made, changed)] == [(400, text)] * 2
    assert kept.body["DestinationConfig"] == destination


async def test_a_mapping_without_destination_can_be_updated() -> None:
    """Its answers show an empty OnFailure."""
    stage = Stage()
    uuid = await stage.created(KINESIS)

    assert (await stage.update(uuid, BatchSize=5)).body["DestinationConfig"] == {"OnFailure": {}}
