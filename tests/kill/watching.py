"""The history of a world that somebody watches while it is written."""

from collections.abc import Callable

from tests.fakes.history import Answered, Event, History, Received


class WatchedHistory(History):
    """Tells each event to whoever waits for a moment, and keeps apart what a dead process never learned."""

    def __init__(self) -> None:
        super().__init__()
        self.watch: Callable[[Event], None] | None = None
        self.dead: set[str] = set()

    def add(self, event: Event) -> None:
        """Something has happened."""
        if isinstance(event, Answered) and event.process in self.dead:
            return  # the function ran to its end, and nobody was there to be told
        if isinstance(event, Received) and event.process in self.dead:
            event = event._replace(told=False)  # a long poll that outlived its process
        super().add(event)
        if self.watch is not None:
            self.watch(event)
