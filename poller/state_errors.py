"""What a file or a table raises, as what a state store raises."""

from collections.abc import Iterator
from contextlib import contextmanager

from mappings.errors import StoreRefused, StoreUnavailable
from poller.errors import StateRefused, StateUnavailable


@contextmanager
def state_errors() -> Iterator[None]:
    """Turn the errors of a store, inside of it, into those of a state."""
    try:
        yield
    except StoreUnavailable as error:
        raise StateUnavailable(str(error)) from error
    except StoreRefused as error:
        raise StateRefused(str(error)) from error
