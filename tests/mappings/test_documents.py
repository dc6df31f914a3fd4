"""What a file may hold as text: everything ambiguous is refused, with its place."""

from pathlib import Path

import pytest

from mappings.documents import MAXIMUM_BYTES, read_document
from mappings.errors import InvalidFile


def problem_in(tmp_path: Path, text: str | bytes, name: str = "mappings.yaml") -> str:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidFile) as refused:
        read_document(path)
    (problem,) = refused.value.problems
    assert "\n" not in problem
    return problem


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "mappings:\n  - BatchSize: 10\n    Enabled: true\n    FunctionName: 'f'\n"),
        ("a.yaml", '{"mappings": [{"BatchSize": 10, "Enabled": true, "FunctionName": "f"}]}'),
        ("a.json", '{"mappings": [{"BatchSize": 10, "Enabled": true, "FunctionName": "f"}]}'),
        ("a.json", '\ufeff{"mappings": [{"BatchSize": 10, "Enabled": true, "FunctionName": "f"}]}'),
    ],
)
def test_yaml_and_json_give_the_same_data(tmp_path: Path, name: str, text: str) -> None:
    """The form does not matter, nor does a byte order mark."""
    (tmp_path / name).write_text(text, encoding="utf-8")

    assert read_document(tmp_path / name) == {
        "mappings": [{"BatchSize": 10, "Enabled": True, "FunctionName": "f"}]
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", 'line 3, column 1: the key "a" is given twice'),
        ("a:\n  - b: &x 1\n", "line 2, column 8: anchors and aliases are not accepted"),
        ("a: *x\n", "line 1, column 4: anchors and aliases are not accepted"),
        ("a: !Ref Queue\n", "line 1, column 4: the tag !Ref is not accepted"),
        ("a: !!set {}\n", "line 1, column 4: the tag tag:yaml.org,2002:set is not accepted"),
        ("1: a\n", "line 1, column 1: a key must be a string; quote it if it is meant as one"),
        ("on: a\n", "line 1, column 1: a key must be a string; quote it if it is meant as one"),
        ("<<: {a: 1}\n", "line 1, column 1: a key must be a string; quote it if it is meant as one"),
        ("? [a]\n: b\n", "line 1, column 3: a key must be a string; quote it if it is meant as one"),
        ("a:\n", 'line 1, column 1: the key "a" has no value'),
        ("a: ~\n", 'line 1, column 1: the key "a" has no value'),
        ("a: [1\n", "line 2, column 1: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: but found another document"),
        ("a: 2026-02-30\n", "a value cannot be read: day is out of range for month"),
        ("a: \x01\n", "not YAML: a character at position 3 is not allowed"),
        ("[" * 33 + "]" * 33, "line 1, column 33: nested too deeply"),
    ],
)
def test_ambiguous_or_broken_yaml_is_refused_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    """One sentence, with line and column where they are known."""
    assert problem_in(tmp_path, text) == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "a": 2}', 'the key "a" is given twice in one object'),
        ('{"a": null}', 'the key "a" has no value'),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": 1', "line 1, column 8: not JSON: Expecting ',' delimiter"),
        ("[" * 100_000, "the file is nested too deeply"),
    ],
)
def test_ambiguous_or_broken_json_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """JSON follows the same rules as YAML."""
    assert problem_in(tmp_path, text, "mappings.json") == problem


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.yaml", b"a: " + b"x" * MAXIMUM_BYTES, "the file is larger than 1 MiB"),
        ("a.yaml", b"a: \xff", "the file is not UTF-8 text, at byte 3"),
        ("a.json", b'{"a": ' + b"9" * 5000 + b"}", "a value cannot be read: Exceeds the limit (4300 digits)"),
        ("a.yaml", b"a: " + b"9" * 5000, "a value cannot be read: Exceeds the limit (4300 digits)"),
    ],
)
def test_a_file_that_is_no_mapping_file_is_refused(
    tmp_path: Path, name: str, text: bytes, problem: str
) -> None:
    """Size and encoding are limited before anything is parsed, numbers before they are computed."""
    assert problem_in(tmp_path, text, name).startswith(problem)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The reason is the operating system's own."""
    with pytest.raises(InvalidFile, match="the file cannot be read: No such file or directory"):
        read_document(tmp_path / "none.yaml")
