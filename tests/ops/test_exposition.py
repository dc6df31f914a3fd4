"""The list of metrics, and what of it a scraper gets."""

from prometheus_client.parser import text_string_to_metric_families

from mappings.states import State
from mappings.validation import mapping_from_request
from poller import metrics
from poller.exposition import Exposition
from poller.metrics import Kind, Metric
from poller.status import MappingView, short_name
from poller.telemetry import Meter
from tests.loop.stage import QUEUE, STREAM, queue_mapping, stream_mapping

LISTED = {metric.name: metric for metric in vars(metrics).values() if isinstance(metric, Metric)}
TWICE = (MappingView(mapping=queue_mapping(), state=State.ENABLED, meter=Meter("a", "sqs")),)


def _families(accept: str = "text/plain") -> dict[str, str]:
    text, _ = Exposition(lambda: TWICE, dict, lag_s=lambda: 0.0, version="1", shards=True).render(accept)
    return {family.name: family.type for family in text_string_to_metric_families(text.decode())}


def test_every_metric_of_the_list_is_exported_with_its_type() -> None:
    """And nothing of ours that is not in the list."""
    wanted = {
        (name.removesuffix("_total") if metric.kind is Kind.COUNTER else name): str(metric.kind)
        for name, metric in LISTED.items()
    }

    assert {name: kind for name, kind in _families().items() if name.startswith("esm_")} == wanted


def test_the_process_and_its_garbage_collector_are_seen_too() -> None:
    """As with every Python program."""
    families = _families()

    assert {
        "process_resident_memory_bytes",
        "process_cpu_seconds",
        "python_gc_collections",
    } <= families.keys()


def test_names_follow_prometheus() -> None:
    """Counters end in _total, base units, nothing else does."""
    for name, metric in LISTED.items():
        assert name.endswith("_total") == (metric.kind is Kind.COUNTER), name
        assert metric.help.endswith("."), name


def test_labels_can_only_take_few_values() -> None:
    """No key, no group, no receipt; shards on two gauges alone (faults 132, S20)."""
    bounded = {"mapping", "source", "function", "outcome", "reason", "state", "operation", "version"}

    assert {name for name, metric in LISTED.items() if set(metric.labels) - bounded} == {
        "esm_iterator_age_seconds",
        "esm_behind_latest_seconds",
    }


def test_mappings_of_one_queue_and_one_function_name_are_told_apart() -> None:
    """Accounts and regions are in no short name."""
    elsewhere = QUEUE.replace("us-east-1", "eu-west-1")
    mappings = [
        mapping_from_request({"EventSourceArn": arn, "FunctionName": "f"}, now=0.0)
        for arn in (QUEUE, elsewhere)
    ]

    assert mappings[0].label == mappings[1].label
    assert short_name(mappings[0]) != short_name(mappings[1])
    assert short_name(mappings[0]).startswith("orders/f/")


def test_the_name_of_a_mapping_stays_the_same() -> None:
    """Its series go on after a restart."""
    assert short_name(stream_mapping()) == short_name(stream_mapping(BatchSize=7))
    assert STREAM.rpartition("/")[2] == short_name(stream_mapping()).partition("/")[0]


def test_openmetrics_is_spoken_where_it_is_asked_for() -> None:
    """Prometheus asks for it first."""
    accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    exposition = Exposition(lambda: TWICE, dict, lag_s=lambda: 0.0, version="1", shards=True)

    text, content_type = exposition.render(accept)

    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
