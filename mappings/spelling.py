"""Which spellings of a request a mapping file may use, beside that of AWS's JSON into which they are put.

For `EventSourceArn` a file may write `eventSourceArn`, as CDK does, or `eventSourceARN`, as ACK does; for a
time in epoch seconds, an ISO 8601 time with a zone.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache

from mappings.errors import shown
from mappings.service_model import CREATE_REQUEST, members, shape

_TIMESTAMP = "StartingPositionTimestamp"


def in_aws_spelling(request: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """Return the request with its members renamed, and a sentence for each problem of spelling."""
    problems: list[str] = []
    renamed = _renamed_structure(CREATE_REQUEST, request, problems)
    if _TIMESTAMP in renamed:
        renamed[_TIMESTAMP] = _epoch_seconds(renamed[_TIMESTAMP], problems)
    return renamed, problems


def _renamed(name: str, value: object, problems: list[str]) -> object:
    # The keys of a map (Tags) are the user's own words, so no map is entered.
    match shape(name)["type"], value:
        case "structure", Mapping():
            return _renamed_structure(name, value, problems)
        case "list", list():
            item = shape(name)["member"]["shape"]
            return [_renamed(item, each, problems) for each in value]
        case _:
            return value


def _renamed_structure(name: str, value: Mapping[str, object], problems: list[str]) -> dict[str, object]:
    known = members(name)
    written: dict[str, str] = {}
    renamed: dict[str, object] = {}
    for key, item in value.items():
        member = _spellings(name).get(key, key)
        if member in written:
            problems.append(f"{member} is given twice, as {written[member]} and as {key}")
            continue
        written[member] = key
        # An unknown member keeps its spelling, so that validation refuses it as it was written.
        renamed[member] = _renamed(known[member], item, problems) if member in known else item
    return renamed


@cache
def _spellings(name: str) -> Mapping[str, str]:
    spellings: dict[str, str] = {}
    for member in members(name):
        camel = _camel(member)
        spellings |= {camel: member, camel.replace("Arn", "ARN"): member}
    return spellings


@cache
def camel_spelling(name: str = CREATE_REQUEST) -> Mapping[str, str]:
    """Return each member of a structure, and of those inside of it, as ACK spells it."""
    spelled: dict[str, str] = {}
    for member, inner in members(name).items():
        while shape(inner)["type"] == "list":
            inner = shape(inner)["member"]["shape"]  # noqa: PLW2901  # down to what the lists hold
        if shape(inner)["type"] == "structure":
            spelled |= camel_spelling(inner)
        spelled[member] = _camel(member).replace("Arn", "ARN")
    return spelled


def _camel(member: str) -> str:
    return re.sub(r"^[A-Z]+(?=[A-Z][a-z])|^[A-Z]+", lambda found: found[0].lower(), member)


def _epoch_seconds(value: object, problems: list[str]) -> object:
    """Return a time as AWS's JSON has it; what does not look like one is left for validation to refuse."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            problems.append(f"{_TIMESTAMP} {shown(value)} is neither epoch seconds nor an ISO 8601 time")
            return value
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.timestamp()
    if isinstance(value, date):
        problems.append(f"{_TIMESTAMP} {value} has no time zone; write it like 2026-01-31T12:00:00Z")
    return value
