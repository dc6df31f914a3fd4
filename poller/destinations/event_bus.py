"""EventBridge event buses as destinations: one event for each invocation record."""

from mappings.arns import Arn
from poller.aws import Aws
from poller.core.invocation_records import InvocationRecord
from poller.destinations.errors import code_error, destination_errors

# Quota of one entry of PutEvents.
LIMIT_BYTES = 256 * 1024
# Source, detail-type and resources count too.
_ROOM_FOR_THE_REST = 4 * 1024


class EventBusDestination:
    """One event bus."""

    def __init__(self, bus: Arn, aws: Aws) -> None:
        self._bus = bus
        self._aws = aws

    async def send(self, record: InvocationRecord) -> None:
        """Put one event, whose detail is the record."""
        outcome = "Success" if record.succeeded else "Failure"
        entry = {
            "EventBusName": str(self._bus),
            "Source": "lambda",
            "DetailType": f"Lambda Function Invocation Result - {outcome}",
            "Resources": [str(self._bus), record.function_arn],
            "Detail": record.fitting(LIMIT_BYTES - _ROOM_FOR_THE_REST).decode(),
        }
        client = await self._aws.client("events", self._bus.region)
        with destination_errors(self._bus.resource):
            answer = await client.put_events(Entries=[entry])
        # A refused entry comes in an answer that is a success.
        if answer.get("FailedEntryCount"):
            code = str(answer["Entries"][0].get("ErrorCode", ""))
            raise code_error(code)(f"PutEvents on {self._bus.resource}: {code}")
