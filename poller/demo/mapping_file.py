"""The mapping file of the demo: what a user would write for the same job."""

from pathlib import Path

from poller.demo.sources import Sources

ORDERS_FUNCTION = "bill"
CLICKS_FUNCTION = "count"
CARTS_FUNCTION = "index"


def write_mapping_file(path: Path, *, sources: Sources) -> None:
    """Write three mappings, each with a function hosted by the poller."""
    path.write_text(
        f"""\
functions:
  {ORDERS_FUNCTION}: {{handler: "poller.demo.handlers:bill_orders", concurrency: 2}}
  {CLICKS_FUNCTION}: {{handler: "poller.demo.handlers:count_clicks", concurrency: 2}}
  {CARTS_FUNCTION}: {{handler: "poller.demo.handlers:index_carts"}}
mappings:
  - EventSourceArn: {sources.queue_arn}
    FunctionName: {ORDERS_FUNCTION}
    BatchSize: 10
  - EventSourceArn: {sources.stream_arn}
    FunctionName: {CLICKS_FUNCTION}
    StartingPosition: TRIM_HORIZON
    BatchSize: 500
    MaximumBatchingWindowInSeconds: 1
  - EventSourceArn: {sources.table_stream_arn}
    FunctionName: {CARTS_FUNCTION}
    StartingPosition: TRIM_HORIZON
    BatchSize: 100
    MaximumBatchingWindowInSeconds: 1
"""
    )
