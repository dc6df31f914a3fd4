"""The functions of the demo: plain Lambda handlers, as they would be deployed to AWS."""

import base64
import json
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from poller.demo.seen import note_seen

Event = Mapping[str, Any]

# What a function waits for, such as a payment service: without it nothing would ever be seen in flight.
WORK_S = 0.05


def bill_orders(event: Event, context: object) -> None:  # noqa: ARG001  # the form of every handler
    """Each SQS message is an order."""
    orders = [json.loads(record["body"]) for record in event["Records"]]
    cents = sum(order["quantity"] * order["price_cents"] for order in orders)
    time.sleep(WORK_S)
    print(f"billed {len(orders)} orders: {cents / 100:.2f}")  # noqa: T201  # goes to the poller's log
    note_seen(order["id"] for order in orders)


def count_clicks(event: Event, context: object) -> None:  # noqa: ARG001  # the form of every handler
    """Each Kinesis record is a click of a visitor."""
    clicks = [json.loads(base64.b64decode(record["kinesis"]["data"])) for record in event["Records"]]
    pages = Counter(click["page"] for click in clicks)
    time.sleep(WORK_S)
    print(f"counted {len(clicks)} clicks on {len(pages)} pages")  # noqa: T201  # goes to the poller's log
    note_seen(click["id"] for click in clicks)


def index_carts(event: Event, context: object) -> None:  # noqa: ARG001  # the form of every handler
    """Each record of the table's stream is a change of a cart."""
    changes = [record["dynamodb"]["NewImage"] for record in event["Records"]]
    carts = {change["cart"]["S"]: int(change["items"]["N"]) for change in changes}
    time.sleep(WORK_S)
    print(f"indexed {len(carts)} carts")  # noqa: T201  # goes to the poller's log
    note_seen(change["id"]["S"] for change in changes)
