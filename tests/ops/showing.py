"""A stage's mapping as the ops port shows it."""

from collections.abc import Sequence

from mappings.model import EventSourceMapping
from mappings.states import State
from mappings.store import StoredMapping
from poller.exposition import Exposition
from poller.runner import Runner
from poller.status import MappingView, views_of
from tests.ops.reading import Samples, samples

TEXT = "text/plain"


def scrape(*runners: Runner, shards: bool = True, disabled: Sequence[EventSourceMapping] = ()) -> Samples:
    """All metrics of these runners."""

    def look() -> Sequence[MappingView]:
        running = [_stored(r.mapping, State.ENABLED if r.polling else State.CREATING) for r in runners]
        return views_of([*running, *(_stored(mapping, State.DISABLED) for mapping in disabled)], runners)

    text, _ = Exposition(look, dict, lag_s=lambda: 0.5, version="1", shards=shards).render(TEXT)
    return samples(text.decode())


def _stored(mapping: EventSourceMapping, state: State) -> StoredMapping:
    return StoredMapping(mapping=mapping, state=state, created_at=0.0, last_modified=0.0)
