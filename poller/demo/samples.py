"""The sample data: which records the demo produces, the same ones in each run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# moto's queue takes longer for each message the more of them it holds; its streams are fast.
ORDERS = 400
CLICKS = 8_000
CART_CHANGES = 1_500

VISITORS = 200
PAGES = 40
# More than the 25 writes of one BatchWriteItem, which may not hold a key twice.
CARTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One record to be produced."""

    id: str
    """By which the function's side knows it again."""
    key: str
    """What it belongs to: partition key of a stream, primary key of a table."""
    content: Mapping[str, str | int]


def orders() -> Sequence[Sample]:
    """Messages for the queue."""
    return [
        _sample("order", n, key=f"visitor-{n % VISITORS}", quantity=n % 5 + 1, price_cents=199 + n % 800)
        for n in range(ORDERS)
    ]


def clicks() -> Sequence[Sample]:
    """Records for the Kinesis stream."""
    return [_sample("click", n, key=f"visitor-{n % VISITORS}", page=f"/p/{n % PAGES}") for n in range(CLICKS)]


def cart_changes() -> Sequence[Sample]:
    """Writes to the table; each cart is written several times."""
    return [_sample("change", n, key=f"cart-{n % CARTS}", items=n // CARTS + 1) for n in range(CART_CHANGES)]


def _sample(kind: str, number: int, *, key: str, **content: str | int) -> Sample:
    id_ = f"{kind}-{number:05}"
    return Sample(id=id_, key=key, content={"id": id_, **content})
