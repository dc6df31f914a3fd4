"""SQS queues as destinations: one message for each document."""

from collections.abc import Mapping

from mappings.arns import Arn
from poller.aws import NO_ACCOUNT, Aws
from poller.core.documents import Told
from poller.destinations.errors import destination_errors
from poller.errors import DestinationUnavailable

MessageAttributes = Mapping[str, Mapping[str, str]]


class SqsDestination:
    """One standard queue."""

    def __init__(self, queue: Arn, aws: Aws) -> None:
        """Make a destination; the queue is looked up by its name when it is first needed."""
        self._queue = queue
        self._aws = aws
        self._url = ""

    async def check(self) -> None:
        """Look the queue up."""
        with destination_errors(self._queue.resource):
            client = await self._aws.client("sqs", self._queue.region)
            found = await client.get_queue_url(QueueName=self._queue.resource, **self._owner())
        url = found.get("QueueUrl")
        if not url:
            raise DestinationUnavailable(f"GetQueueUrl on {self._queue.resource}: the answer names no queue")
        self._url = url

    async def send(self, document: Told) -> None:
        """Send the document, without the records, as a message."""
        await self.send_message(document.text())

    async def send_message(self, body: str, attributes: MessageAttributes | None = None) -> None:
        """Send a message."""
        if not self._url:
            await self.check()
        with destination_errors(self._queue.resource):
            client = await self._aws.client("sqs", self._queue.region)
            await client.send_message(
                QueueUrl=self._url,
                MessageBody=body,
                **({"MessageAttributes": attributes} if attributes else {}),
            )

    def _owner(self) -> dict[str, str]:
        account = self._queue.account
        return {} if account == NO_ACCOUNT else {"QueueOwnerAWSAccountId": account}
