"""What is written down again means the same: as a mapping file and as input of the AWS CLI."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mappings.errors import InvalidFile
from mappings.files import MappingSet, read_mapping_files
from mappings.validation import mapping_from_request
from mappings.writing import as_cli_inputs, as_json, as_mapping_file
from tests.mappings.readers.reading import DATA

NOW = 1_800_000_000.0
ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
QUEUES = st.sampled_from([ARN.format("sqs", name) for name in ("orders", "refunds", "on", "1e3")])
STREAMS = st.sampled_from(
    [ARN.format("kinesis", "stream/clicks"), ARN.format("dynamodb", "table/a/stream/2026-01-01T00:00:00.000")]
)
NAMES = st.sampled_from(["audit", "audit:live", "null", "0123", ARN.format("lambda", "function:f:$LATEST")])
TEXTS = st.text(max_size=20)
PATTERNS = st.builds(lambda text: json.dumps({"body": {"a": [text]}}, ensure_ascii=False), TEXTS)
STREAM_PATTERNS = st.builds(lambda text: json.dumps({"eventName": [text]}, ensure_ascii=False), TEXTS)


def filters(patterns: st.SearchStrategy[str]) -> st.SearchStrategy[Mapping[str, object]]:
    one = st.fixed_dictionaries({"Pattern": patterns})
    return st.fixed_dictionaries({}, optional={"Filters": st.lists(one, max_size=3)})


COMMON = {
    "Enabled": st.booleans(),
    "FunctionResponseTypes": st.sampled_from([[], ["ReportBatchItemFailures"]]),
    "KMSKeyArn": st.just(""),
}
REQUESTS = st.one_of(
    st.fixed_dictionaries(
        {"EventSourceArn": QUEUES, "FunctionName": NAMES},
        optional={
            **COMMON,
            "BatchSize": st.integers(1, 10),
            "FilterCriteria": filters(PATTERNS),
            "MaximumBatchingWindowInSeconds": st.integers(0, 300),
            "ScalingConfig": st.builds(lambda most: {"MaximumConcurrency": most}, st.integers(2, 1000)),
        },
    ),
    st.fixed_dictionaries(
        {
            "EventSourceArn": STREAMS,
            "FunctionName": NAMES,
            "StartingPosition": st.sampled_from(["LATEST", "TRIM_HORIZON"]),
        },
        optional={
            **COMMON,
            "BatchSize": st.integers(1, 10_000),
            "BisectBatchOnFunctionError": st.booleans(),
            "DestinationConfig": st.sampled_from(
                [{}, {"OnFailure": {"Destination": ARN.format("sns", "dead")}}]
            ),
            "FilterCriteria": filters(STREAM_PATTERNS),
            "MaximumRecordAgeInSeconds": st.just(-1) | st.integers(60, 604_800),
            "MaximumRetryAttempts": st.integers(-1, 10_000) | st.none(),
            "ParallelizationFactor": st.integers(1, 10),
        },
    ),
    st.fixed_dictionaries(
        {
            "EventSourceArn": st.just(ARN.format("kinesis", "stream/clicks")),
            "FunctionName": NAMES,
            "StartingPosition": st.just("AT_TIMESTAMP"),
            "StartingPositionTimestamp": st.floats(0, NOW) | st.integers(0, int(NOW)),
        }
    ),
)


def set_of(text: str) -> MappingSet:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mappings.yaml"
        path.write_text(text, encoding="utf-8")
        return read_mapping_files([path], now=NOW)


def set_of_requests(*requests: Mapping[str, object]) -> MappingSet:
    mappings = tuple(mapping_from_request(request, now=NOW) for request in requests)
    places = {f"place {index}": request for index, request in enumerate(requests)}
    return MappingSet(functions={}, mappings=mappings, requests=places)


@given(request=REQUESTS)
def test_what_is_exported_makes_an_equal_mapping(request: Mapping[str, object]) -> None:
    """Every value survives, and nothing that was not set is added."""
    whole = set_of_requests(request)

    (exported,) = as_cli_inputs(whole).values()

    again = json.loads(as_json(exported))
    assert mapping_from_request(again, now=NOW) == whole.mappings[0]
    assert again == {name: value for name, value in request.items() if value is not None}


@given(request=REQUESTS)
def test_what_is_imported_reads_back_as_the_same_mapping(request: Mapping[str, object]) -> None:
    """The strict rules of a mapping file hold for what we write: no aliases, no nulls, every text quoted."""
    whole = set_of_requests(request)

    assert set_of(as_mapping_file(whole)).mappings == whole.mappings


def test_all_samples_read_back_as_they_were_understood() -> None:
    """Every format, into one file, with the place of each mapping in a comment."""
    path = DATA / "terraform_plan.json"
    whole = read_mapping_files([path], now=NOW)

    text = as_mapping_file(whole)

    assert set_of(text).mappings == whole.mappings
    assert f"# {path}: aws_lambda_event_source_mapping.images\n" in text


FUNCTIONS = f"""
functions:
  audit: {{handler: "app.audit:handler", timeout: 10}}
  billing: {{lambda: "{ARN.format("lambda", "function:billing:live")}"}}
mappings:
  - {{EventSourceArn: "{ARN.format("sqs", "a")}", FunctionName: audit, batchSize: 5}}
  - {{EventSourceArn: "{ARN.format("sqs", "a")}", FunctionName: billing}}
  - {{EventSourceArn: "{ARN.format("sqs", "b.fifo")}", FunctionName: "other:live"}}
"""


def test_functions_are_kept_in_a_mapping_file() -> None:
    """The file is whole: it can take the place of those it was made of."""
    whole = set_of(FUNCTIONS)

    again = set_of(as_mapping_file(whole))

    assert (again.functions, again.mappings) == (whole.functions, whole.mappings)


def test_a_file_of_functions_alone_stays_one() -> None:
    """Such a file waits for mappings that are made through the API."""
    whole = set_of("functions: {audit: {handler: 'app:handler'}}")

    assert set_of(as_mapping_file(whole)).functions == whole.functions
    assert as_cli_inputs(whole) == {}


def test_an_exported_function_is_what_it_is_at_aws() -> None:
    """There, the names of a file mean nothing; each mapping has a file name of its own."""
    exported = as_cli_inputs(set_of(FUNCTIONS))

    assert {name: each["FunctionName"] for name, each in exported.items()} == {
        "a-audit.json": "audit",
        "a-billing.json": ARN.format("lambda", "function:billing:live"),
        "b.fifo-other-live.json": "other:live",
    }
    assert exported["a-audit.json"] == {
        "EventSourceArn": ARN.format("sqs", "a"),
        "FunctionName": "audit",
        "BatchSize": 5,
    }


def test_mappings_of_one_name_get_files_of_their_own() -> None:
    """Regions and accounts are not part of the name."""
    other = ARN.format("sqs", "a").replace("eu-west-1", "us-east-1")
    requests = [{"EventSourceArn": arn, "FunctionName": "f"} for arn in (ARN.format("sqs", "a"), other)]

    assert list(as_cli_inputs(set_of_requests(*requests))) == ["a-f.json", "a-f.2.json"]


def test_a_place_cannot_leave_its_comment() -> None:
    """A name with a line break would be read as a line of the file."""
    whole = set_of_requests({"EventSourceArn": ARN.format("sqs", "a"), "FunctionName": "f"})
    hostile = MappingSet(
        functions={},
        mappings=whole.mappings,
        requests={"a\nfunctions: {}\x85b": next(iter(whole.requests.values()))},
    )

    assert list(yaml.safe_load(as_mapping_file(hostile))) == ["mappings"]


def test_an_empty_set_is_no_file() -> None:
    """Reading refuses it before anything is written."""
    with pytest.raises(InvalidFile, match="neither a mapping nor a function is given"):
        set_of("mappings: []")
