"""A destination in this process, for tests and embedders."""

from poller.core.documents import Document
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
