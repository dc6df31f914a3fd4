"""EventBridge event buses as destinations: one event for each invocation record."""

from mappings.arns import Arn
from poller.aws import Aws
from poller.core.invocation_records import LIMITS_BYTES, InvocationRecord
from poller.destinations.errors import destination_errors, entry_error


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
            "Detail": record.fitting(LIMITS_BYTES["events"]).decode(),
        }
        with destination_errors(self._bus.resource):
            client = await self._aws.client("events", self._bus.region)
            answer = await client.put_events(Entries=[entry])
        # A refused entry comes in an answer that is a success.
        if answer.get("FailedEntryCount"):
            entries = answer.get("Entries") or [{}]
            code = str(entries[0].get("ErrorCode", ""))
            raise entry_error(code)(f"PutEvents on {self._bus.resource}: {code}")
