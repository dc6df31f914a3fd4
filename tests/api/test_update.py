"""UpdateEventSourceMapping and DeleteEventSourceMapping: a patch, its States, and what it is refused for."""

from dataclasses import replace
from typing import Any

import pytest

from mappings.errors import InvalidParameterValueException
from tests.api.stage import DYNAMODB, KINESIS, MAPPINGS, NOW, QUEUE, Stage

UNKNOWN = "5f0e6a6c-0d5b-4c4b-9a53-2f4f3b0f8a11"
DENIED = InvalidParameterValueException("denied")
FILTERS = {"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]}


async def test_what_is_absent_stays_and_what_is_given_changes() -> None:
    """202, with the new settings at once."""
    stage = Stage()
    uuid = await stage.created(
        BatchSize=5, FilterCriteria=FILTERS, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    stage.now += 60

    reply = await stage.update(uuid, BatchSize=7, FilterCriteria=None)

    assert reply.status == 202
    assert reply.body == {
        **(await stage.call("GET", f"{MAPPINGS}/{uuid}")).body,
        "BatchSize": 7,
        "FilterCriteria": FILTERS,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "State": "Updating",
        "LastModified": NOW + 60,
    }


@pytest.mark.parametrize(
    ("arn", "made", "clearing", "member"),
    [
        (QUEUE, {"ScalingConfig": {"MaximumConcurrency": 5}}, {"ScalingConfig": {}}, "ScalingConfig"),
        (QUEUE, {"FilterCriteria": FILTERS}, {"FilterCriteria": {}}, "FilterCriteria"),
        (QUEUE, {"FilterCriteria": FILTERS}, {"FilterCriteria": {"Filters": []}}, "FilterCriteria"),
        (
            QUEUE,
            {"ProvisionedPollerConfig": {"MinimumPollers": 2}},
            {"ProvisionedPollerConfig": {}},
            "ProvisionedPollerConfig",
        ),
    ],
)
async def test_an_empty_value_clears(
    arn: str, made: dict[str, Any], clearing: dict[str, Any], member: str
) -> None:
    """The member is not shown any more."""
    stage = Stage()
    uuid = await stage.created(arn, **made)

    reply = await stage.update(uuid, **clearing)

    assert reply.status == 202
    assert member not in reply.body


async def test_response_types_and_a_destination_can_be_taken_away() -> None:
    """By an empty list, and by an empty destination."""
    stage = Stage()
    destination = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:failed"}}
    uuid = await stage.created(
        KINESIS, FunctionResponseTypes=["ReportBatchItemFailures"], DestinationConfig=destination
    )

    reply = await stage.update(
        uuid, FunctionResponseTypes=[], DestinationConfig={"OnFailure": {"Destination": ""}}
    )

    assert (reply.body["FunctionResponseTypes"], reply.body["DestinationConfig"]) == ([], {"OnFailure": {}})


@pytest.mark.parametrize(
    ("arn", "enabled", "members", "state"),
    [
        (QUEUE, True, {"Enabled": False}, "Disabling"),
        (QUEUE, False, {"Enabled": True}, "Enabling"),
        (QUEUE, True, {"BatchSize": 5}, "Updating"),
        (QUEUE, True, {"Enabled": True}, "Updating"),
        (QUEUE, False, {"BatchSize": 5}, "Disabled"),
        (KINESIS, True, {"Enabled": False}, "Disabling"),
        (KINESIS, False, {"BatchSize": 5}, "Updating"),
        (DYNAMODB, False, {"Enabled": True, "BatchSize": 5}, "Enabling"),
    ],
)
async def test_the_state_in_the_answer_is_that_of_aws(
    arn: str,
    enabled: bool,  # noqa: FBT001 - a parameter of the table
    members: dict[str, Any],
    state: str,
) -> None:
    """It comes to rest when the pollers have followed."""
    stage = Stage()
    uuid = await stage.created(arn, Enabled=enabled)

    reply = await stage.update(uuid, **members)

    assert (reply.status, reply.body["State"]) == (202, state)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_mapping_in_transition_is_in_use(method: str) -> None:
    """400 with `Message`; clients such as Terraform try again."""
    stage = Stage()
    uuid = (await stage.create()).body["UUID"]

    reply = await stage.call(method, f"{MAPPINGS}/{uuid}", {} if method == "PUT" else None)

    verb = "update" if method == "PUT" else "delete"
    assert (reply.status, reply.code) == (400, "ResourceInUseException")
    assert reply.body == {
        "Type": "User",
        "Message": f"Cannot {verb} the event source mapping because it is in use.",
    }


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_uuid_is_not_found(method: str) -> None:
    """404 with `Message`."""
    reply = await Stage().call(method, f"{MAPPINGS}/{UNKNOWN}", {} if method == "PUT" else None)

    assert (reply.status, reply.code) == (404, "ResourceNotFoundException")
    assert reply.body == {"Type": "User", "Message": "The resource you requested does not exist."}


async def test_a_deleted_mapping_is_deleting_and_then_gone() -> None:
    """202 with the mapping; 404 once its pollers have ended."""
    stage = Stage()
    uuid = await stage.created()

    reply = await stage.call("DELETE", f"{MAPPINGS}/{uuid}")
    between = await stage.call("GET", f"{MAPPINGS}/{uuid}")
    await stage.settle()
    after = await stage.call("GET", f"{MAPPINGS}/{uuid}")

    assert (reply.status, reply.body["State"]) == (202, "Deleting")
    assert (between.status, between.body["State"]) == (200, "Deleting")
    assert after.status == 404


async def test_made_again_it_is_another_mapping() -> None:
    """A fresh UUID, so that no old position is taken for its own."""
    stage = Stage()
    first = await stage.created()
    await stage.call("DELETE", f"{MAPPINGS}/{first}")
    await stage.settle()

    assert await stage.created() != first


async def test_a_batch_that_needs_a_window_is_judged_after_merging() -> None:
    """The window that is there already counts, and may not be taken away under the batch size."""
    stage = Stage()
    uuid = await stage.created(MaximumBatchingWindowInSeconds=1)

    larger = await stage.update(uuid, BatchSize=100)
    await stage.settle()
    without = await stage.update(uuid, MaximumBatchingWindowInSeconds=0)

    assert larger.status == 202
    assert without.message == (
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    )


async def test_another_function_is_shown_at_once_and_checked() -> None:
    """Its existence and the queue's visibility; an update without it asks nobody."""
    stage = Stage()
    uuid = await stage.created()
    stage.world.asked.clear()

    await stage.update(uuid, BatchSize=5)
    asked_before = list(stage.world.asked)
    await stage.settle()
    reply = await stage.update(uuid, FunctionName="resize")

    assert asked_before == []
    assert reply.body["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:resize"
    assert stage.world.asked == ["function", "source"]


async def test_a_function_that_does_not_exist_is_refused() -> None:
    """The mapping stays as it was."""
    stage = Stage()
    uuid = await stage.created()

    reply = await stage.update(uuid, FunctionName="nobody", BatchSize=5)

    assert reply.message == "Function does not exist"
    assert (await stage.call("GET", f"{MAPPINGS}/{uuid}")).body["BatchSize"] == 10


async def test_a_destination_is_asked_only_when_it_changes() -> None:
    """Rights are not looked at again by other updates."""
    stage = Stage()
    first = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:one"}}
    second = {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:two"}}
    uuid = await stage.created(KINESIS, DestinationConfig=first)
    stage.world.refusals = {"destination": DENIED}

    same = await stage.update(uuid, BatchSize=5, DestinationConfig=first)
    await stage.settle()
    other = await stage.update(uuid, DestinationConfig=second)

    assert (same.status, other.message) == (202, "denied")


async def test_an_update_that_meets_another_mapping_is_a_conflict() -> None:
    """The source and function it would have are taken."""
    stage = Stage()
    uuid = await stage.created()
    other = await stage.created(function="resize")

    reply = await stage.update(uuid, FunctionName="resize")

    assert (reply.status, reply.code) == (409, "ResourceConflictException")
    assert reply.message.endswith(f"existing mapping with UUID {other}")


@pytest.mark.parametrize(
    "member", ["EventSourceArn", "StartingPosition", "StartingPositionTimestamp", "Tags", "Topics"]
)
async def test_what_cannot_be_updated_is_refused_by_its_name(member: str) -> None:
    """It is not passed over."""
    stage = Stage()
    uuid = await stage.created(KINESIS)

    reply = await stage.update(uuid, **{member: "x"})

    assert reply.code == "ValidationException"
    assert f"'{member[0].lower()}{member[1:]}'" in reply.message


async def test_a_write_in_between_is_not_lost() -> None:
    """The State that settles while an update is checked is seen, and the update is made over it."""
    stage = Stage()
    uuid = await stage.created()
    stored = await stage.store.get(uuid)
    assert stored is not None

    async def tag() -> None:
        await stage.store.replace(replace(stored, tags={"a": "b"}))

    stage.world.meanwhile = tag
    reply = await stage.update(uuid, FunctionName="resize")
    after = await stage.store.get(uuid)

    assert reply.status == 202
    assert after is not None
    assert (after.tags, after.mapping.function_name) == ({"a": "b"}, "resize")
