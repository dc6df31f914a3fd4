"""Mapping files as a set: what they give, and every sentence that an author can get."""

import json
from pathlib import Path

import pytest

from mappings.arns import FunctionName
from mappings.directory import FunctionDirectory
from mappings.errors import InvalidFile
from mappings.files import MappingSet, read_mapping_files
from mappings.functions import Function, HandlerFunction, LambdaFunction, UrlFunction

NOW = 1_700_000_000.0
QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
AUDIT_ARN = "arn:aws:lambda:us-east-1:000000000000:function:audit"

WHOLE = f"""
functions:
  audit:   {{handler: "app.audit:handler", timeout: 10, concurrency: 4}}
  resize:  {{url: "http://127.0.0.1:3000/events", timeout: 30}}
  billing: {{lambda: "arn:aws:lambda:eu-west-1:123456789012:function:billing:live", timeout: 60}}
mappings:
  - EventSourceArn: {QUEUE}
    FunctionName: audit
    BatchSize: 10
  - {{eventSourceArn: "{STREAM}", functionName: "resize", startingPosition: LATEST}}
  - {{EventSourceArn: "{QUEUE}", FunctionName: billing}}
  - {{EventSourceArn: "{QUEUE}", FunctionName: "elsewhere:live"}}
"""


def write(path: Path, **sections: object) -> Path:
    """Write a file with the sections; JSON is YAML too."""
    path.write_text(json.dumps(sections))
    return path


def queue_mapping(function: str = "audit", **fields: object) -> dict[str, object]:
    return {"EventSourceArn": QUEUE, "FunctionName": function, **fields}


def problems_in(*paths: Path) -> list[str]:
    """Return the problems, with the directory of the files cut away."""
    with pytest.raises(InvalidFile) as refused:
        read_mapping_files(paths, now=NOW)
    return [
        problem.replace(f"{path.parent}/", "") for path in paths[:1] for problem in refused.value.problems
    ]


def test_the_native_form_is_read_whole(tmp_path: Path) -> None:
    """The mapping file of the design gives its four mappings, in order."""
    path = tmp_path / "mappings.yaml"
    path.write_text(WHOLE)

    found = read_mapping_files([path], now=NOW)

    assert [mapping.label for mapping in found.mappings] == [
        "orders -> audit",
        "clicks -> resize",
        "orders -> billing",
        "orders -> elsewhere:live",
    ]


def functions_of(found: MappingSet) -> list[Function | None]:
    """What each mapping invokes."""
    directory = FunctionDirectory(found.functions)
    return [directory.of_file(mapping.function_name) for mapping in found.mappings]


def test_a_function_may_wait_for_mappings_of_the_api(tmp_path: Path) -> None:
    """No mapping of the files needs to have its name."""
    path = write(tmp_path / "a.yaml", functions={"audit": {"url": "http://a"}}, mappings=[])

    assert set(read_mapping_files([path], now=NOW).functions) == {"audit"}


def test_each_mapping_finds_its_function(tmp_path: Path) -> None:
    """A defined name is what the file says; any other is a function of AWS Lambda."""
    path = tmp_path / "mappings.yaml"
    path.write_text(WHOLE)

    found = read_mapping_files([str(path)], now=NOW)

    assert functions_of(found) == [
        HandlerFunction(name="audit", handler="app.audit:handler", timeout=10, concurrency=4),
        UrlFunction(name="resize", url="http://127.0.0.1:3000/events", timeout=30),
        LambdaFunction(
            name="billing",
            function=FunctionName.parse("arn:aws:lambda:eu-west-1:123456789012:function:billing:live"),
            timeout=60,
        ),
        LambdaFunction(name="elsewhere:live", function=FunctionName(name="elsewhere", qualifier="live")),
    ]


@pytest.mark.parametrize("name", ["function:audit", "audit"])
def test_a_name_without_account_is_the_defined_function(tmp_path: Path, name: str) -> None:
    """`function:audit` says no more than `audit`."""
    path = write(
        tmp_path / "a.yaml", functions={"audit": {"url": "http://a"}}, mappings=[queue_mapping(name)]
    )

    found = read_mapping_files([path], now=NOW)

    assert functions_of(found) == [UrlFunction(name="audit", url="http://a")]


def test_the_arn_of_a_function_of_ours_means_it_too(tmp_path: Path) -> None:
    """The API shows that ARN, and clients send it back."""
    path = write(
        tmp_path / "a.yaml", functions={"audit": {"url": "http://a"}}, mappings=[queue_mapping(AUDIT_ARN)]
    )

    assert functions_of(read_mapping_files([path], now=NOW)) == [UrlFunction(name="audit", url="http://a")]


def test_an_arn_means_itself_where_its_name_is_listed_as_one_of_aws_lambda(tmp_path: Path) -> None:
    """The list says what the bare name means; an ARN leaves nothing open."""
    path = write(
        tmp_path / "a.yaml",
        functions={"audit": {"lambda": "audit:live"}},
        mappings=[queue_mapping(), queue_mapping(f"{AUDIT_ARN}:3")],
    )

    listed, other = functions_of(read_mapping_files([path], now=NOW))

    assert isinstance(listed, LambdaFunction)
    assert listed.function == FunctionName.parse("audit:live")
    assert isinstance(other, LambdaFunction)
    assert other.function == FunctionName.parse(f"{AUDIT_ARN}:3")


def test_a_directory_gives_its_files_by_name_once(tmp_path: Path) -> None:
    """Other files and hidden ones are left alone, and a file named beside its directory counts once."""
    functions = {"b": {"url": "http://b"}}
    last = write(tmp_path / "2.yml", mappings=[queue_mapping("b")])
    write(tmp_path / "1.json", mappings=[queue_mapping("a")], functions=functions)
    write(tmp_path / "3.yaml", mappings=[queue_mapping("c")])
    (tmp_path / "README.md").write_text("no mappings: here: at all")
    (tmp_path / ".hidden.yaml").write_text("- broken")

    found = read_mapping_files([tmp_path, last], now=NOW)

    assert [mapping.function_name for mapping in found.mappings] == ["a", "b", "c"]
    assert list(found.functions) == ["b"]


def test_a_mounted_configmap_is_read_once(tmp_path: Path) -> None:
    """Kubernetes mounts each file as a link into a directory whose name begins with dots."""
    data = tmp_path / "..2026_01_01"
    data.mkdir()
    write(data / "mappings.yaml", mappings=[queue_mapping()])
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "mappings.yaml").symlink_to("..data/mappings.yaml")

    assert len(read_mapping_files([tmp_path], now=NOW).mappings) == 1


def test_a_time_with_zone_may_stand_for_epoch_seconds(tmp_path: Path) -> None:
    """YAML's own timestamp is taken."""
    path = tmp_path / "a.yaml"
    path.write_text(
        f"mappings: [{{EventSourceArn: '{STREAM}', FunctionName: f, StartingPosition: AT_TIMESTAMP,"
        " StartingPositionTimestamp: 2023-11-14T22:13:20Z}]"
    )

    assert read_mapping_files([path], now=NOW).mappings[0].starting_position_timestamp == NOW


@pytest.mark.parametrize(
    ("fields", "sentences"),
    [
        (
            {"BatchSize": 0, "Enabled": "no"},
            [
                "BatchSize: 0 is refused: Member must have value greater than or equal to 1",
                'Enabled: "no" is refused: Member must be of type boolean',
            ],
        ),
        (
            {"Batchsize": 1},
            ["Batchsize is not a parameter of CreateEventSourceMapping, did you mean BatchSize?"],
        ),
        ({"ParallelizationFactor": 1}, ["ParallelizationFactor does not apply to an SQS standard queue"]),
        (
            {"KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1"},
            ["KMSKeyArn is not supported yet"],
        ),
        ({"batchSize": 1, "BatchSize": 2}, ["BatchSize is given twice, as batchSize and as BatchSize"]),
        (
            {"BatchSize": 11},
            [
                (
                    "MaximumBatchingWindowInSeconds: Maximum batch window in seconds must be greater than 0 "
                    "if maximum batch size is greater than 10"
                )
            ],
        ),
    ],
)
def test_a_wrong_field_is_told_with_file_mapping_and_field(
    tmp_path: Path, fields: dict[str, object], sentences: list[str]
) -> None:
    """One sentence per problem; the index finds the mapping, its ARN and function tell which it is."""
    path = write(tmp_path / "a.yaml", mappings=[queue_mapping("other"), queue_mapping() | fields])

    place = f"a.yaml: mappings[1] ({QUEUE} -> audit)"
    assert problems_in(path) == [f"{place}: {sentence}" for sentence in sentences]


@pytest.mark.parametrize(
    ("entry", "known", "sentence"),
    [
        ("audit", "", 'a mapping must be an object, not "audit"'),
        ({}, "", "FunctionName is missing"),
        ({"FunctionName": "audit"}, " (audit)", "EventSourceArn is missing"),
        ({"eventSourceArn": QUEUE}, f" ({QUEUE})", "FunctionName is missing"),
        (
            queue_mapping(EventSourceArn="arn:aws:sqs::000000000000:orders"),
            " (arn:aws:sqs::000000000000:orders -> audit)",
            'EventSourceArn: "arn:aws:sqs::000000000000:orders" names no region',
        ),
        (
            queue_mapping(EventSourceArn="orders"),
            " (orders -> audit)",
            (
                'EventSourceArn: "orders" is not an ARN: '
                "arn:partition:service:region:account:resource is expected"
            ),
        ),
        (
            queue_mapping(EventSourceArn=STREAM),
            f" ({STREAM} -> audit)",
            "StartingPosition is required for a Kinesis stream",
        ),
        (
            queue_mapping(EventSourceArn=STREAM, StartingPositionTimestamp="2023-11-14"),
            f" ({STREAM} -> audit)",
            (
                "StartingPositionTimestamp 2023-11-14 00:00:00 has no time zone; "
                "write it like 2026-01-31T12:00:00Z"
            ),
        ),
    ],
)
def test_a_mapping_is_named_by_what_is_known_of_it(
    tmp_path: Path, entry: object, known: str, sentence: str
) -> None:
    """Even where the source, the function or both are missing or wrong."""
    path = write(tmp_path / "a.yaml", mappings=[entry])

    assert problems_in(path) == [f"a.yaml: mappings[0]{known}: {sentence}"]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ([], "the file must hold an object with the keys functions and mappings"),
        ({"mappings": {}}, "mappings must be a list, not {}"),
        ({"mappings": []}, "neither a mapping nor a function is given"),
        ({}, "neither a mapping nor a function is given"),
        (
            {"functions": [], "mappings": [queue_mapping()]},
            "functions must be an object of functions by name, not []",
        ),
        (
            {"Mappings": [], "mappings": [queue_mapping()]},
            '"Mappings" is unknown; a file has the keys functions and mappings',
        ),
        (
            {"functions": {"audit": {"handler": "x"}}, "mappings": [queue_mapping()]},
            'functions.audit: handler "x" is not of the form "package.module:function"',
        ),
        (
            {"functions": {"audti": {"handler": "a:b"}}, "mappings": [queue_mapping()]},
            "functions.audti: no mapping has this FunctionName; audit is used and not defined",
        ),
        (
            {"functions": {"audit": {"handler": "a:b"}}, "mappings": [queue_mapping("audit:live")]},
            (
                f"mappings[0] ({QUEUE} -> audit:live): FunctionName audit:live has a qualifier that the "
                "function audit in functions does not have; its aliases declare which ones there are"
            ),
        ),
        (
            {"mappings": [queue_mapping(), queue_mapping(AUDIT_ARN)]},
            (
                f"mappings[1] ({QUEUE} -> {AUDIT_ARN}): EventSourceArn and FunctionName are the same as in "
                f"a.yaml: mappings[0] ({QUEUE} -> audit)"
            ),
        ),
    ],
)
def test_a_wrong_file_is_told_with_its_place(tmp_path: Path, document: object, problem: str) -> None:
    """Sections, functions and references are checked as mappings are."""
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(document))

    assert problems_in(path) == [f"a.yaml: {problem}"]


def test_duplicates_are_found_across_files(tmp_path: Path) -> None:
    """A function and a mapping exist once in the whole set; the sentence names the first place."""
    one = write(
        tmp_path / "1.yaml", functions={"audit": {"url": "http://a"}}, mappings=[queue_mapping(BatchSize=1)]
    )
    two = write(
        tmp_path / "2.yaml", functions={"audit": {"url": "http://a"}}, mappings=[queue_mapping(BatchSize=2)]
    )

    assert problems_in(one, two) == [
        "2.yaml: functions.audit: the function is defined twice; the first is 1.yaml: functions.audit",
        (
            f"2.yaml: mappings[0] ({QUEUE} -> audit): EventSourceArn and FunctionName are the same as in "
            f"1.yaml: mappings[0] ({QUEUE} -> audit)"
        ),
    ]


def test_the_problems_of_all_files_come_together(tmp_path: Path) -> None:
    """One broken file does not hide another, nor does a broken function hide a broken mapping."""
    broken = tmp_path / "1.yaml"
    broken.write_text("a: [")
    entries = [queue_mapping(Foo=1), queue_mapping("g", Bar=1)]
    wrong = write(tmp_path / "2.yaml", functions={"f": {}}, mappings=entries)

    assert problems_in(broken, wrong, tmp_path / "3.yaml") == [
        "1.yaml: line 1, column 5: expected the node content, but found '<stream end>'",
        "2.yaml: functions.f: exactly one of handler, url and lambda must be given, not none",
        f"2.yaml: mappings[0] ({QUEUE} -> audit): Foo is not a parameter of CreateEventSourceMapping",
        f"2.yaml: mappings[1] ({QUEUE} -> g): Bar is not a parameter of CreateEventSourceMapping",
        "3.yaml: the file cannot be read: No such file or directory",
    ]


def test_a_directory_without_mapping_files_is_a_problem(tmp_path: Path) -> None:
    """An empty mount must not look like a service with nothing to do."""
    empty = tmp_path / "empty"
    empty.mkdir()

    assert problems_in(empty) == ["empty: the directory has no file that ends in .yaml, .yml or .json"]


def test_a_loop_of_links_is_a_problem_like_any_unreadable_file(tmp_path: Path) -> None:
    """A broken mount gives a sentence, not a traceback."""
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)

    assert problems_in(loop) == ["loop.yaml: the file cannot be read: Too many levels of symbolic links"]


def test_a_place_stays_on_one_line(tmp_path: Path) -> None:
    """A broken name cannot break the report into pieces."""
    path = write(tmp_path / "a.yaml", mappings=[queue_mapping("a\nb")])

    assert all("\n" not in problem for problem in problems_in(path))


def test_no_path_at_all_is_a_problem() -> None:
    """Nothing to read is nothing to poll."""
    with pytest.raises(InvalidFile, match="neither a mapping nor a function is given"):
        read_mapping_files([], now=NOW)


def test_an_on_failure_without_destination_is_none_in_a_file(tmp_path: Path) -> None:
    """AWS's own answers contain it."""
    request = {"EventSourceArn": STREAM, "FunctionName": "audit", "StartingPosition": "LATEST"}
    blank = {**request, "DestinationConfig": {"OnFailure": {}}}

    (mapping,) = read_mapping_files([write(tmp_path / "a.json", mappings=[blank])], now=NOW).mappings

    assert mapping.on_failure_destination is None
