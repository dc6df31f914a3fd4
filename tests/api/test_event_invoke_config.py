"""PutFunctionEventInvokeConfig, Update, Get, Delete and List, called as HTTP calls them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from mappings.api import LambdaApi
from mappings.arns import FunctionName
from mappings.directory import FunctionDirectory
from mappings.event_invoke_operations import EventInvokeOperations
from mappings.functions import Function, HandlerFunction, LambdaFunction, UrlFunction
from mappings.handlers import event_invoke_handlers
from mappings.stores.event_invoke_memory import MemoryEventInvokeConfigStore
from tests.api.stage import NOW, Reply, send

QUEUE = "arn:aws:sqs:us-east-1:123456789012:ended"
BUCKET = "arn:aws:s3:::ended"
ARN = "arn:aws:lambda:us-east-1:000000000000:function"
FUNCTIONS: Mapping[str, Function] = {
    "audit": HandlerFunction(name="audit", handler="app:handler", aliases=(("live", "3"),)),
    "resize": UrlFunction(name="resize", url="http://127.0.0.1:1/"),
    "billing": LambdaFunction(name="billing", function=FunctionName(name="billing")),
}


@dataclass
class Configs:
    """The operations over a store in memory."""

    now: float = NOW
    directory: FunctionDirectory = field(default_factory=lambda: FunctionDirectory(FUNCTIONS))

    def __post_init__(self) -> None:
        operations = EventInvokeOperations(
            MemoryEventInvokeConfigStore(), self.directory, wall=lambda: self.now
        )
        self.api = LambdaApi(event_invoke_handlers(operations))

    async def call(self, method: str, name: str = "audit", body: object = None, **query: Any) -> Reply:
        """Send a request."""
        path = f"/2019-09-25/functions/{name}/event-invoke-config"
        return await send(self.api, method, path, body, **query)

    async def list(self, name: str = "audit", **query: Any) -> Reply:
        """Send a List request."""
        return await send(self.api, "GET", f"/2019-09-25/functions/{name}/event-invoke-config/list", **query)


@pytest.fixture
def configs() -> Configs:
    """Nothing is set."""
    return Configs()


async def test_a_put_is_answered_with_what_is_set(configs: Configs) -> None:
    """Limits only where they were given; the ARN is that of the version."""
    body = {"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}
    reply = await configs.call("PUT", body=body)

    assert reply.status == 200
    assert reply.body == {
        "LastModified": NOW,
        "FunctionArn": f"{ARN}:audit:$LATEST",
        "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": QUEUE}},
    }
    assert (await configs.call("GET")).body == reply.body


async def test_a_put_takes_back_what_it_does_not_give(configs: Configs) -> None:
    """An update leaves it."""
    await configs.call("PUT", body={"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 60})
    configs.now += 5
    updated = await configs.call("POST", body={"MaximumRetryAttempts": 2})
    assert (updated.body["MaximumRetryAttempts"], updated.body["MaximumEventAgeInSeconds"]) == (2, 60)
    assert updated.body["LastModified"] == NOW + 5

    put = await configs.call("PUT", body={"MaximumRetryAttempts": 0})
    assert "MaximumEventAgeInSeconds" not in put.body


async def test_an_empty_destination_is_none(configs: Configs) -> None:
    """So a client takes one back."""
    await configs.call("PUT", body={"DestinationConfig": {"OnSuccess": {"Destination": QUEUE}}})
    reply = await configs.call("POST", body={"DestinationConfig": {"OnSuccess": {"Destination": ""}}})

    assert reply.body["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}


async def test_each_qualifier_has_settings_of_its_own(configs: Configs) -> None:
    """By the query or the name; a listing shows them all, page by page."""
    await configs.call("PUT", body={"MaximumRetryAttempts": 0})
    await configs.call("PUT", "audit%3Alive", body={"MaximumRetryAttempts": 1})
    await configs.call("PUT", body={"MaximumRetryAttempts": 2}, Qualifier="3")

    assert (await configs.call("GET", Qualifier="live")).body["MaximumRetryAttempts"] == 1
    first = (await configs.list(MaxItems=2)).body
    second = (await configs.list(MaxItems=2, Marker=first["NextMarker"])).body
    assert [each["FunctionArn"] for each in first["FunctionEventInvokeConfigs"]] == [
        f"{ARN}:audit:$LATEST",
        f"{ARN}:audit:3",
    ]
    assert [each["FunctionArn"] for each in second["FunctionEventInvokeConfigs"]] == [f"{ARN}:audit:live"]
    assert "NextMarker" not in second


async def test_a_delete_leaves_nothing(configs: Configs) -> None:
    """204, and then there is nothing to get, update or delete."""
    await configs.call("PUT", body={"MaximumRetryAttempts": 0})

    assert (await configs.call("DELETE")).status == 204
    for method, body in (("GET", None), ("DELETE", None), ("POST", {"MaximumRetryAttempts": 0})):
        reply = await configs.call(method, body=body)
        assert (reply.status, reply.code) == (404, "ResourceNotFoundException")
        assert reply.message == f"The function {ARN}:audit:$LATEST doesn't have an EventInvokeConfig"


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("name", ["nothing", "audit%3Anothing"])
async def test_a_function_that_is_not_there_has_no_settings(configs: Configs, method: str, name: str) -> None:
    """Nor has a qualifier that no file declares."""
    body = None if method == "DELETE" else {"MaximumRetryAttempts": 0}
    reply = await configs.call(method, name, body)

    assert (reply.status, reply.message) == (404, "The function doesn't exist.")


@pytest.mark.parametrize(
    ("name", "body", "code", "message"),
    [
        (
            "audit",
            {},
            "InvalidParameterValueException",
            "You must specify at least one of error handling or destination setting.",
        ),
        (
            "audit",
            {"MaximumRetryAttempts": 3},
            "ValidationException",
            (
                "1 validation error detected: Value '3' at 'maximumRetryAttempts' failed to satisfy "
                "constraint: Member must have value less than or equal to 2"
            ),
        ),
        (
            "audit",
            {"MaximumEventAgeInSeconds": 59},
            "ValidationException",
            (
                "1 validation error detected: Value '59' at 'maximumEventAgeInSeconds' failed to satisfy "
                "constraint: Member must have value greater than or equal to 60"
            ),
        ),
        (
            "audit",
            {"DestinationConfig": {"OnSuccess": {"Destination": BUCKET}}},
            "InvalidParameterValueException",
            (
                "The provided destination config DestinationConfig("
                f"onSuccess=OnSuccess(destination={BUCKET}), onFailure=null) is invalid."
            ),
        ),
        (
            "audit",
            {"DestinationConfig": {"OnFailure": {"Destination": f"{QUEUE}.fifo"}}},
            "InvalidParameterValueException",
            (
                "The provided destination config DestinationConfig(onSuccess=null, "
                f"onFailure=OnFailure(destination={QUEUE}.fifo)) is invalid."
            ),
        ),
        (
            "audit",
            {"DestinationConfig": {"OnFailure": {"Destination": f"{ARN}:audit"}}},
            "InvalidParameterValueException",
            "You can't specify the function as a destination for itself.",
        ),
        (
            "audit",
            {"DestinationConfig": {"OnFailure": {"Destination": f"{ARN}:nothing"}}},
            "InvalidParameterValueException",
            f"The destination ARN {ARN}:nothing is invalid.",
        ),
        (
            "billing",
            {"MaximumRetryAttempts": 0},
            "InvalidParameterValueException",
            (
                "The function billing is one of AWS Lambda, which invokes it asynchronously itself: "
                "set its event invoke config there."
            ),
        ),
    ],
)
async def test_what_cannot_be_is_refused(
    configs: Configs, name: str, body: object, code: str, message: str
) -> None:
    """In AWS's words where they are known."""
    reply = await configs.call("PUT", name, body)

    assert (reply.status, reply.code, reply.message) == (400, code, message)
    assert (await configs.call("GET", name)).status == 404


@pytest.mark.parametrize(
    "destination",
    [
        QUEUE,
        BUCKET,
        "arn:aws:sns:us-east-1:123456789012:ended",
        "arn:aws:events:us-east-1:123456789012:event-bus/default",
        f"{ARN}:resize",
        "arn:aws:lambda:us-east-1:123456789012:function:elsewhere:live",
    ],
)
async def test_failures_may_be_told_to(configs: Configs, destination: str) -> None:
    """A queue, a bucket, a topic, a bus, a function of the files, a function of AWS Lambda."""
    body = {"DestinationConfig": {"OnFailure": {"Destination": destination}}}

    assert (await configs.call("PUT", body=body)).status == 200


async def test_a_marker_that_is_none_is_refused(configs: Configs) -> None:
    """It is no place in a listing."""
    reply = await configs.list(Marker="%%%")

    assert (reply.status, reply.message) == (400, "Invalid Marker")
