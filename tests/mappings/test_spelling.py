"""The spellings of a request that a file may use."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from mappings.service_model import CREATE_REQUEST, members
from mappings.spelling import in_aws_spelling


def test_camel_case_becomes_awss_own_at_every_depth() -> None:
    """Structures are entered through lists; a map's keys are the user's words."""
    written = {
        "eventSourceArn": "a",
        "kmsKeyArn": "k",
        "filterCriteria": {"filters": [{"pattern": "{}"}]},
        "destinationConfig": {"onFailure": {"destination": "d"}},
        "tags": {"eventSourceArn": "kept"},
    }

    assert in_aws_spelling(written) == (
        {
            "EventSourceArn": "a",
            "KMSKeyArn": "k",
            "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
            "DestinationConfig": {"OnFailure": {"Destination": "d"}},
            "Tags": {"eventSourceArn": "kept"},
        },
        [],
    )


@pytest.mark.parametrize(
    ("key", "member"), [("eventSourceARN", "EventSourceArn"), ("kmsKeyARN", "KMSKeyArn")]
)
def test_ack_writes_arn_in_capitals(key: str, member: str) -> None:
    """A manifest of the ACK controller moves here unchanged."""
    assert in_aws_spelling({key: "a"}) == ({member: "a"}, [])


@pytest.mark.parametrize("member", members(CREATE_REQUEST))
def test_awss_own_spelling_is_left_alone(member: str) -> None:
    """What the API takes, a file takes."""
    assert in_aws_spelling({member: 1}) == ({member: 1}, [])


@pytest.mark.parametrize("key", ["batchsize", "BATCHSIZE", "Batch_Size", "batch_size"])
def test_any_other_spelling_stays_for_validation_to_refuse(key: str) -> None:
    """Lenience ends at the two forms that tools write."""
    assert in_aws_spelling({key: 1}) == ({key: 1}, [])


def test_one_member_in_two_spellings_is_a_problem() -> None:
    """Which of the two would count is nobody's guess."""
    renamed, problems = in_aws_spelling({"BatchSize": 1, "batchSize": 2})

    assert renamed == {"BatchSize": 1}
    assert problems == ["BatchSize is given twice, as BatchSize and as batchSize"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1_700_000_000, 1_700_000_000),
        (1_700_000_000.5, 1_700_000_000.5),
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000.0),
        (datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), 1_700_000_000.0),
        (datetime(2023, 11, 14, 23, 13, 20, tzinfo=timezone(timedelta(hours=1))), 1_700_000_000.0),
    ],
)
def test_a_time_becomes_epoch_seconds(value: object, seconds: float) -> None:
    """Numbers, ISO 8601 texts and YAML's own timestamps mean the same instant."""
    renamed, problems = in_aws_spelling({"startingPositionTimestamp": value})

    assert (renamed, problems) == ({"StartingPositionTimestamp": seconds}, [])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (
            "2023-11-14T22:13:20",
            "2023-11-14 22:13:20 has no time zone; write it like 2026-01-31T12:00:00Z",
        ),
        (
            datetime(2023, 11, 14),  # noqa: DTZ001 - what YAML makes of a time without zone
            "2023-11-14 00:00:00 has no time zone; write it like 2026-01-31T12:00:00Z",
        ),
        (
            date(2023, 11, 14),
            "2023-11-14 has no time zone; write it like 2026-01-31T12:00:00Z",
        ),
        (
            "yesterday",
            '"yesterday" is neither epoch seconds nor an ISO 8601 time',
        ),
    ],
)
def test_a_time_that_is_not_an_instant_is_a_problem(value: object, problem: str) -> None:
    """Without a zone the same file would mean different records on different machines."""
    assert in_aws_spelling({"StartingPositionTimestamp": value})[1] == [
        f"StartingPositionTimestamp {problem}"
    ]
