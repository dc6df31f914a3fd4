"""The address of a table, as POLLER_STATE gives it."""

import pytest

from poller.errors import StartError
from poller.settings import read_settings
from poller.table_address import TableAddress


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("dynamodb://fleet", TableAddress(table="fleet")),
        ("dynamodb://fleet?namespace=blue", TableAddress(table="fleet", namespace="blue")),
        (
            "dynamodb://a.b-c_d?namespace=x&region=eu-west-1",
            TableAddress(table="a.b-c_d", namespace="x", region="eu-west-1"),
        ),
    ],
)
def test_an_address_is_read_and_written(url: str, address: TableAddress) -> None:
    """Table, namespace and region."""
    assert TableAddress.parse(url) == address
    assert str(address) == url
    assert read_settings({"state": url}, {}).state == url


@pytest.mark.parametrize(
    "url",
    [
        "dynamodb://",
        "dynamodb://ab",
        "dynamodb:///fleet",
        "dynamodb://fleet/x",
        "dynamodb://fleet?colour=red",
        "dynamodb://fleet?namespace=a&namespace=b",
        "dynamodb://fleet?namespace=",
        "dynamodb://fleet?namespace=a/b",
        "dynamodb://fleet?region=",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """With what is wrong, before anything starts."""
    with pytest.raises(StartError, match="POLLER_STATE"):
        read_settings({}, {"POLLER_STATE": url})


@pytest.mark.parametrize("text", ["0.5", "301", "ten"])
def test_a_lease_length_out_of_range_is_refused(text: str) -> None:
    """Too short to be renewed, or so long that a crash stops its shards for minutes."""
    with pytest.raises(StartError, match="POLLER_LEASE"):
        read_settings({}, {"POLLER_LEASE": text})
