"""What destinations and dead-letter queues are told of an asynchronous event: members, order and formats."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import orjson

from poller.core.async_events import Condition, Notice, QueuedEvent, Response, Role
from poller.core.documents import milliseconds
from poller.core.payload import decode_json

# "the first 1 KB of the error message"
ERROR_MESSAGE_BYTES = 1024
# Quotas of one message, attributes included, by service; an object of S3 has none that matters here.
# Of an EventBridge entry, source, detail-type and resources count too.
LIMITS_BYTES = {
    "sqs": 1024 * 1024,
    "sns": 256 * 1024,
    "lambda": 1024 * 1024,
    "events": 256 * 1024 - 4 * 1024,
}
# An answer up to this size is kept in any case: a destination may be configured before the event ends.
KEPT_BYTES = 16 * 1024
# JSON, but no characters that SQS and SNS take. They can only stand inside strings.
_REFUSED_CHARACTERS = {char.encode(): b"\\u%04x" % ord(char) for char in ("\ufffe", "\uffff")}
_REASONS = {
    429: "Rate Exceeded.",
    413: "The payload is too large.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRecord:
    """The end of one event, told. Every try of a delivery sends the same."""

    request_id: str
    condition: Condition
    function_arn: str
    object_key: str
    """Its name in an S3 bucket."""
    members: Mapping[str, object] = field(repr=False)
    """What it says beside the payloads."""
    request_payload: bytes = field(repr=False)
    response: Response | None = field(default=None, repr=False)
    reduced: bool = False
    """Whether it is sent without payloads, however small they are."""

    @property
    def succeeded(self) -> bool:
        return self.condition is Condition.SUCCESS

    def with_payload(self) -> bytes:
        """Return the record as JSON."""
        document = self._document()
        return _sendable(orjson.dumps(_without_payloads(document) if self.reduced else document))

    def text(self) -> str:
        """Return the record as a text."""
        return self.with_payload().decode()

    def fitting(self, limit_bytes: int) -> bytes:
        """Return the record; without the payloads where it would not fit with them, as Lambda does."""
        whole = self.with_payload()
        return whole if len(whole) <= limit_bytes else replace(self, reduced=True).with_payload()

    def _document(self) -> dict[str, object]:
        document = {**self.members, "requestPayload": orjson.Fragment(self.request_payload)}
        if self.response is not None and self.response.executed_version is not None:
            document["responseContext"] = _response_context(self.response)
            if self.response.payload is None:
                return _without_payloads(document)
            document["responsePayload"] = _response_payload(self.response.payload)
        return document


def invocation_record(event: QueuedEvent) -> InvocationRecord:
    """Tell of an event that has ended (semantics 6.4.5)."""
    ending = event.ending
    assert ending is not None
    arn = event.function_arn if event.qualifier else f"{event.function_arn}:$LATEST"
    ran = ending.condition is not Condition.ZERO_RESERVED_CONCURRENCY
    moment = datetime.fromtimestamp(int(ending.at), UTC)
    return InvocationRecord(
        request_id=event.request_id,
        condition=ending.condition,
        function_arn=arn,
        # AWS ends the key in a random UUID; with the request id a second try writes the same object.
        object_key=f"aws/lambda/async/{event.function}/{moment:%Y/%m/%d}/"
        f"{moment:%Y-%m-%dT%H.%M.%S}-{event.request_id}",
        members={
            "version": "1.0",
            "timestamp": milliseconds(ending.at),
            "requestContext": {
                "requestId": event.request_id,
                "functionArn": arn,
                "condition": ending.condition,
                "approximateInvokeCount": event.delivered,
            },
        },
        request_payload=event.payload,
        response=event.response if ran else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """An event that was given up, for a dead-letter queue: the event itself, and why."""

    body: str = field(repr=False)
    request_id: str
    error_code: int
    error_message: str = field(repr=False)

    def reduced(self) -> "DeadLetter":
        """Return the letter with its attributes alone.

        A message must have a body: this one is no event, and cannot be taken for one.
        """
        size = len(self.body.encode())
        return replace(self, body=f'"The event of {size} bytes does not fit into a message."')

    def fitting(self, limit_bytes: int) -> "DeadLetter":
        """Return the letter; with its attributes alone where it would not fit with its body."""
        size = len(self.body.encode()) + sum(
            len(text.encode())
            for name, attribute in self.attributes().items()
            for text in (name, *attribute.values())
        )
        return self if size <= limit_bytes else self.reduced()

    def attributes(self) -> Mapping[str, Mapping[str, str]]:
        """Return the message attributes, as SQS and SNS take them."""
        return {
            "RequestID": {"DataType": "String", "StringValue": self.request_id},
            "ErrorCode": {"DataType": "Number", "StringValue": str(self.error_code)},
            "ErrorMessage": {"DataType": "String", "StringValue": self.error_message},
        }


def dead_letter(event: QueuedEvent) -> DeadLetter:
    """Tell of an event that was given up (semantics 6.4.6)."""
    response = event.response or Response(status_code=429 if event.refused or not event.delivered else 500)
    return DeadLetter(
        body=_sendable(event.payload).decode(),
        request_id=event.request_id,
        error_code=response.status_code,
        error_message=_shortened(_error_message(event, response)),
    )


def _error_message(event: QueuedEvent, response: Response) -> str:
    if event.ending is not None and event.ending.condition is Condition.ZERO_RESERVED_CONCURRENCY:
        return "Function not invoked. Function is configured with zero reserved concurrent executions"
    if response.executed_version is None:
        return _REASONS.get(response.status_code, "The function could not be invoked.")
    message = response.message if response.payload is None else _message_in(response.payload)
    return message or response.function_error or "Unhandled"


def _message_in(payload: bytes) -> str | None:
    try:
        answer = decode_json(payload)
    except ValueError:
        return None
    message = answer.get("errorMessage") if isinstance(answer, dict) else None
    return message if isinstance(message, str) else None


def _shortened(text: str) -> str:
    """Cut to what an attribute may hold; characters that no message may have are replaced."""
    allowed = "".join(
        char if char.isprintable() or char in "\t\n\r" else "\N{REPLACEMENT CHARACTER}" for char in text
    )
    return allowed.encode(errors="replace")[:ERROR_MESSAGE_BYTES].decode(errors="ignore")


def kept(event: QueuedEvent, told: Iterable[Notice]) -> QueuedEvent:
    """Return an event without the payload of an answer that no destination could take.

    Args:
        event: After its invocation.
        told: To where its end is sent, or may be.
    """
    response = event.response
    if response is None or response.payload is None:
        return event
    size = len(event.payload) + len(response.payload)
    if len(response.payload) <= KEPT_BYTES or any(_takes(notice, size) for notice in told):
        return event
    message = _message_in(response.payload)
    shortened = None if message is None else _shortened(message)
    return replace(event, response=replace(response, payload=None, message=shortened))


def _takes(notice: Notice, size: int) -> bool:
    """Whether a destination takes an answer of so many bytes; a dead letter holds none."""
    service = notice.arn.split(":")[2] if notice.arn else ""
    return notice.role is not Role.DEAD_LETTER and size <= LIMITS_BYTES.get(service, size)


def _without_payloads(document: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if not name.endswith("Payload")}


def _sendable(text: bytes) -> bytes:
    """Spell the same JSON without characters that a message may not have."""
    for char, escape in _REFUSED_CHARACTERS.items():
        text = text.replace(char, escape)
    return text


def _response_context(response: Response) -> Mapping[str, object]:
    context: dict[str, object] = {
        "statusCode": response.status_code,
        "executedVersion": response.executed_version,
    }
    if response.function_error is not None:
        context["functionError"] = response.function_error
    return context


def _response_payload(payload: bytes) -> object:
    """Return what the function answered as a JSON value; what is no JSON, of an HTTP function, as a text."""
    try:
        decode_json(payload)
    except ValueError:
        return payload.decode(errors="replace")
    return orjson.Fragment(payload)
