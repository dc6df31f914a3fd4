"""Destinations in this process, for tests and embedders."""

from poller.core.documents import Document
from poller.core.invocation_records import DeadLetter, InvocationRecord
from poller.errors import DestinationError


class MemoryDestination:
    """Keeps what it was sent; refuses while it is told to."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.refusal: DestinationError | None = None
        """Raised for every document, while set."""

    async def check(self) -> None:
        """Refuse as it would refuse a document."""
        if self.refusal is not None:
            raise self.refusal

    async def send(self, document: Document) -> None:
        """Keep the document."""
        if self.refusal is not None:
            raise self.refusal
        self.documents.append(document)


class MemoryEventDestinations:
    """Keeps what each ARN was sent, of asynchronous events; refuses while it is told to."""

    def __init__(self) -> None:
        self.records: dict[str, list[InvocationRecord]] = {}
        self.letters: dict[str, list[DeadLetter]] = {}
        self.refusals: dict[str, DestinationError] = {}
        """Raised for every delivery to an ARN, while set."""

    async def tell(self, arn: str, record: InvocationRecord, *, region: str) -> None:  # noqa: ARG002
        """Keep the record."""
        self._refuse(arn)
        self.records.setdefault(arn, []).append(record)

    async def bury(self, arn: str, letter: DeadLetter) -> None:
        """Keep the letter."""
        self._refuse(arn)
        self.letters.setdefault(arn, []).append(letter)

    def _refuse(self, arn: str) -> None:
        if arn in self.refusals:
            raise self.refusals[arn]
