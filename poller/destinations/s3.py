"""S3 buckets as on-failure destinations: one object for each document, records included."""

from poller.aws import Aws
from poller.core.documents import Told
from poller.destinations.errors import destination_errors


class S3Destination:
    """One bucket."""

    def __init__(self, bucket: str, *, region: str, aws: Aws) -> None:
        """Make a destination; `region` is where to ask first.

        A bucket's ARN does not name its region. S3 redirects a request for a bucket that lies elsewhere; the
        SDK follows and remembers.
        """
        self._bucket = bucket
        self._region = region
        self._aws = aws

    async def check(self) -> None:
        """Ask for the bucket, which takes the right to list it, as AWS wants it here too."""
        with destination_errors(self._bucket):
            client = await self._aws.client("s3", self._region)
            await client.head_bucket(Bucket=self._bucket)

    async def send(self, document: Told) -> None:
        """Write the document; a second try writes the same object."""
        with destination_errors(self._bucket):
            client = await self._aws.client("s3", self._region)
            await client.put_object(
                Bucket=self._bucket,
                Key=document.object_key,
                Body=document.with_payload(),
                ContentType="application/octet-stream",
            )
