"""Numbers that YAML 1.1 reads in its own way."""

import pytest

from mappings.documents import parse_document
from mappings.errors import InvalidFile


@pytest.mark.parametrize(
    ("text", "meant"),
    [("010", "8"), ("1:30", "90"), ("1_0", "10"), ("0b11", "3"), ("-017", "-15"), ("1:30.5", "90.5")],
)
def test_a_number_that_only_yaml_1_1_reads_so_is_refused_with_its_place(text: str, meant: str) -> None:
    """Octal, base sixty, underscores: a reader means something else."""
    with pytest.raises(InvalidFile) as refused:
        parse_document(f"a: 1\nb:\n  - {text}\n", ".yaml")

    (problem,) = refused.value.problems
    assert problem.startswith(f"line 3, column 5: {text} is the number {meant} in YAML 1.1 alone")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10", 10),
        ("-5", -5),
        ("1.5", 1.5),
        ("0.5", 0.5),
        ("1.5e+3", 1500.0),
        ("0x1F", 31),
        ('"010"', "010"),
    ],
)
def test_other_numbers_are_read(text: str, value: object) -> None:
    """As is a text in quotes."""
    assert parse_document(f"a: {text}\n", ".yaml") == {"a": value}
