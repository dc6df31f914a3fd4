"""What an on-failure destination is told of a discard: the document, its members, order and formats."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from mappings.arns import EventSource, SourceKind
from mappings.model import EventSourceMapping
from poller.core.batching import batch_id
from poller.core.discards import Discard, ResponseContext
from poller.core.payload import encode_json, encode_records
from poller.core.records import Record
from poller.core.timewindow import TimeWindow


class Told(Protocol):
    """What a queue, topic or bucket can be sent."""

    @property
    def object_key(self) -> str:
        """Its name in an S3 bucket."""
        ...

    def text(self) -> str:
        """Return it as a message."""
        ...

    def with_payload(self) -> bytes:
        """Return it with all there is, for a destination without a limit."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One discard, told. Made once for each discard, so that every try of a delivery sends the same."""

    id: str
    """UUID made of mapping, shard and records: whoever gets a discard again after a crash can tell."""
    object_key: str
    """Its name in an S3 bucket."""
    members: Mapping[str, object]
    records: Sequence[Record] = field(repr=False)
    event_members: bytes = field(default=b"", repr=False)
    """What the event held beside its records, encoded."""

    def text(self) -> str:
        """The document without the records: a queue or topic holds little, and the stream still has them."""
        return encode_json(self.members).decode()

    def with_payload(self) -> bytes:
        """The document with the event as a JSON string, for a destination without a limit."""
        payload = encode_records(self.records, self.event_members).decode()
        return encode_json({**self.members, "payload": payload})


def failure_document(
    discard: Discard, *, mapping: EventSourceMapping, shard: str, wall_now: float
) -> Document:
    """Tell of a discard, as AWS does (semantics 3.9, 4.26).

    Args:
        discard: What is given up.
        mapping: Whose stream it was read from; a queue's discards are its own redrive policy's.
        shard: Id of the shard.
        wall_now: Epoch seconds.
    """
    identity = _identity(discard, mapping_uuid=mapping.uuid, shard=shard)
    return Document(
        id=identity,
        object_key=object_key(mapping.uuid, shard=shard, wall_now=wall_now, identity=identity),
        members=_members(discard, mapping=mapping, shard=shard, wall_now=wall_now),
        records=discard.records,
        event_members=discard.members,
    )


def object_key(mapping_uuid: str, *, shard: str, wall_now: float, identity: str) -> str:
    """Where a document lies in a bucket (semantics 3.9.8).

    AWS ends the key in a random UUID; `identity` stands there, so that a document written twice shows.
    """
    now = datetime.fromtimestamp(int(wall_now), UTC)
    return f"aws/lambda/{mapping_uuid}/{shard}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{identity}"


def _identity(discard: Discard, *, mapping_uuid: str, shard: str) -> str:
    """Made of the records alone: the request id of a batch also names each prefix that is cut off it."""
    if not discard.records:
        return discard.request_id
    return batch_id(f"{mapping_uuid}/{shard}", discard.records)


def _members(
    discard: Discard, *, mapping: EventSourceMapping, shard: str, wall_now: float
) -> Mapping[str, object]:
    batch_info, moment = _BY_KIND[mapping.event_source.kind]
    return {
        "requestContext": {
            "requestId": discard.request_id,
            "functionArn": mapping.function_arn,
            "condition": discard.condition,
            # At least 1, even for records that were too old for their first invocation (semantics 3.6.6).
            "approximateInvokeCount": max(discard.invoke_count, 1),
        },
        **_response(discard.response),
        "version": "1.0",
        "timestamp": milliseconds(wall_now),
        batch_info: _batch_info(discard.records, source=mapping.event_source, shard=shard, moment=moment),
        **_time_window_info(discard.window),
    }


def _response(response: ResponseContext | None) -> Mapping[str, object]:
    """The member is absent where the function gave no answer; its functionError may be null (9.2, 9.3)."""
    if response is None:
        return {}
    return {
        "responseContext": {
            "statusCode": response.status_code,
            "executedVersion": response.executed_version,
            "functionError": response.function_error,
        }
    }


def _time_window_info(window: TimeWindow | None) -> Mapping[str, object]:
    return {} if window is None else {"timeWindowInfo": window.members()}


def _batch_info(
    records: Sequence[Record], *, source: EventSource, shard: str, moment: Callable[[float], str]
) -> Mapping[str, object]:
    # Of a consumer the consumer's own ARN, as in its events (semantics 3.3.6).
    stream_arn = source.arn
    if not records:  # the final invocation of a window may have none (semantics 3.9.11)
        return {"shardId": shard, "streamArn": stream_arn}
    return {
        "shardId": shard,
        "startSequenceNumber": records[0].item_identifier,
        "endSequenceNumber": records[-1].item_identifier,
        "approximateArrivalOfFirstRecord": moment(records[0].arrived_at),
        "approximateArrivalOfLastRecord": moment(records[-1].arrived_at),
        "batchSize": len(records),
        "streamArn": stream_arn,
    }


def milliseconds(epoch_s: float) -> str:
    """Return a moment as Lambda writes it in documents, such as 2024-01-01T00:00:00.123Z."""
    # Rounded first: the binary form of a whole millisecond often lies just below it.
    return _moment(round(epoch_s, 3), "milliseconds")


def _seconds(epoch_s: float) -> str:
    return _moment(int(epoch_s), "seconds")


def _moment(epoch_s: float, precision: str) -> str:
    text = datetime.fromtimestamp(epoch_s, UTC).isoformat(timespec=precision)
    return text.replace("+00:00", "Z")


# The name of the batch's member, and how precise its times are (semantics 3.9.3).
_BY_KIND: Mapping[SourceKind, tuple[str, Callable[[float], str]]] = {
    SourceKind.KINESIS: ("KinesisBatchInfo", milliseconds),
    SourceKind.DYNAMODB: ("DDBStreamBatchInfo", _seconds),
}
