"""How these tests read a file: through the set of files, as every command does."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mappings.errors import InvalidFile
from mappings.files import MappingSet, file_names, read_mapping_files
from mappings.readers.answers import Given, answers_of_flags

NOW = 1_800_000_000.0
DATA = Path(__file__).parent / "data"
CASES = Path(__file__).parent / "cases"
ACCOUNT = {"AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012"}
SQS = "arn:aws:sqs:eu-west-1:123456789012"
KINESIS = "arn:aws:kinesis:eu-west-1:123456789012:stream"
SNS = "arn:aws:sns:eu-west-1:123456789012"
TABLE_STREAM = "arn:aws:dynamodb:eu-west-1:123456789012:table/images/stream/2026-01-01T00:00:00.000"


def requests_in(path: Path, answers: Mapping[str, str] | None = None) -> dict[str, Mapping[str, object]]:
    """Return the requests by their places, without the name of the file."""
    found = read([path], answers)
    return {place.removeprefix(f"{path}: "): request for place, request in found.requests.items()}


def read(
    paths: Sequence[Path], answers: Mapping[str, str] | None = None, *, skip: Sequence[str] = ()
) -> MappingSet:
    """Read files as one set."""
    flags = [f"{name}={value}" for name, value in (answers or {}).items()]
    return read_mapping_files(
        paths, now=NOW, given=Given(answers=answers_of_flags(flags, file_names(paths)), skip=frozenset(skip))
    )


def refused(
    paths: Sequence[Path], answers: Mapping[str, str] | None = None, *, skip: Sequence[str] = ()
) -> list[str]:
    """Return the problems of a set of files, each on one line and without the folder of the first."""
    with pytest.raises(InvalidFile) as error:
        read(paths, answers, skip=skip)
    return [problem.replace(f"{paths[0].parent}/", "") for problem in error.value.problems]


def same_mappings(one: Mapping[str, Mapping[str, object]], other: Mapping[str, Mapping[str, object]]) -> bool:
    """Return whether two files mean the same mappings, wherever they stand."""
    return sorted(map(repr, map(_sorted, one.values()))) == sorted(map(repr, map(_sorted, other.values())))


def _sorted(request: Mapping[str, object]) -> list[tuple[str, object]]:
    return sorted(request.items())


def problems_in(path: Path, answers: Mapping[str, str] | None = None) -> list[str]:
    """Return the problems, each on one line and without the name of the file."""
    with pytest.raises(InvalidFile) as error:
        requests_in(path, answers)
    assert not any("\n" in problem for problem in error.value.problems)
    return [problem.removeprefix(f"{path}: ") for problem in error.value.problems]
