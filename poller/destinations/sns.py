"""SNS topics as destinations: one notification for each document."""

from mappings.arns import Arn
from poller.aws import Aws
from poller.core.documents import Told
from poller.destinations.errors import destination_errors
from poller.destinations.sqs import MessageAttributes


class SnsDestination:
    """One standard topic."""

    def __init__(self, topic: Arn, aws: Aws) -> None:
        self._topic = topic
        self._aws = aws

    async def check(self) -> None:
        """Nothing can be asked of a topic with the right to publish alone."""

    async def send(self, document: Told) -> None:
        """Publish the document, without the records."""
        await self.publish(document.text())

    async def publish(self, message: str, attributes: MessageAttributes | None = None) -> None:
        """Publish a notification."""
        with destination_errors(self._topic.resource):
            client = await self._aws.client("sns", self._topic.region)
            await client.publish(
                TopicArn=str(self._topic),
                Message=message,
                **({"MessageAttributes": attributes} if attributes else {}),
            )
