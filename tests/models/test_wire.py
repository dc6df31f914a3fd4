"""Every struct that answers are read into is held against botocore's models of the locked version."""

from dataclasses import dataclass, field
from typing import Any

import botocore.loaders
import msgspec
import pytest

from poller.sources import wire


@dataclass(frozen=True)
class Held:
    """A struct, the shape it reads, and where the two differ on purpose."""

    struct: type[msgspec.Struct]
    service: str
    shape: str
    needed: frozenset[str] = frozenset()
    """Required here and not in the model: nothing could be done without it."""
    left: frozenset[str] = field(default=frozenset())
    """Members of the model that no event has."""


HELD = [
    Held(wire.Message, "sqs", "Message", needed=frozenset({"MessageId", "ReceiptHandle"})),
    Held(wire.Messages, "sqs", "ReceiveMessageResult"),
    Held(
        wire.Failure,
        "sqs",
        "BatchResultErrorEntry",
        left=frozenset({"Message"}),
    ),
    Held(wire.Success, "sqs", "DeleteMessageBatchResultEntry"),
    Held(wire.Success, "sqs", "ChangeMessageVisibilityBatchResultEntry"),
    Held(wire.Settled, "sqs", "DeleteMessageBatchResult"),
    Held(wire.Settled, "sqs", "ChangeMessageVisibilityBatchResult"),
    Held(wire.Opened, "kinesis", "GetShardIteratorOutput"),
    Held(wire.Opened, "dynamodbstreams", "GetShardIteratorOutput"),
    Held(wire.KinesisRecord, "kinesis", "Record"),
    Held(wire.KinesisPage, "kinesis", "GetRecordsOutput", left=frozenset({"ChildShards"})),
    Held(
        wire.Change,
        "dynamodbstreams",
        "StreamRecord",
        needed=frozenset({"SequenceNumber"}),
    ),
    Held(
        wire.TableRecord,
        "dynamodbstreams",
        "Record",
        needed=frozenset({"dynamodb"}),
        left=frozenset({"eventSource", "eventVersion"}),
    ),
    Held(wire.TablePage, "dynamodbstreams", "GetRecordsOutput"),
]


def shape_of(service: str, name: str) -> dict[str, Any]:
    loader = botocore.loaders.Loader(include_default_search_paths=True)
    found: dict[str, Any] = loader.load_service_model(service, "service-2")["shapes"][name]
    return found


@pytest.mark.parametrize("held", HELD, ids=lambda held: f"{held.service}.{held.shape}")
def test_a_struct_reads_the_members_that_the_model_has(held: Held) -> None:
    """A member that comes in a newer model fails here: it belongs into the event, or into `left`."""
    members = set(shape_of(held.service, held.shape)["members"])
    read = {each.encode_name for each in msgspec.structs.fields(held.struct)}

    assert read | held.left == members
    assert not read & held.left


@pytest.mark.parametrize("held", HELD, ids=lambda held: f"{held.service}.{held.shape}")
def test_a_struct_requires_no_more_than_the_model(held: Held) -> None:
    """A member that the model calls optional may be absent: a shard must not stand still for it."""
    required = {each.encode_name for each in msgspec.structs.fields(held.struct) if each.required}

    assert required <= set(shape_of(held.service, held.shape).get("required", [])) | held.needed


def test_every_struct_is_held_against_a_model() -> None:
    """Also one that is added; system attributes are an enum of names."""
    structs = {
        each
        for each in vars(wire).values()
        if isinstance(each, type) and issubclass(each, msgspec.Struct) and each is not msgspec.Struct
    }
    names = {each.encode_name for each in msgspec.structs.fields(wire.Attributes)}

    assert structs == {each.struct for each in HELD} | {wire.Attributes}
    assert names <= set(shape_of("sqs", "MessageSystemAttributeName")["enum"])
