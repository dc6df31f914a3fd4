"""`--set` and `--parameters`: what they may hold, who wins, and that none goes unused."""

from pathlib import Path

import pytest

from mappings.errors import InvalidFile
from mappings.readers.answers import (
    Answer,
    Answers,
    answers_of_flags,
    answers_of_parameters,
    read_parameters,
)
from tests.mappings.readers.reading import DATA, problems_in


def test_a_flag_is_split_at_its_first_equals_sign() -> None:
    """A value may hold others, and may be empty."""
    answers = answers_of_flags(["A=b=c", "D="])

    assert {name: answer.value for name, answer in answers.items()} == {"A": "b=c", "D": ""}


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["A"], "--set A: NAME=VALUE is expected"),
        (["=b"], "--set =b: NAME=VALUE is expected"),
        (["A=1", "A=2"], "--set A: the name is given twice"),
    ],
)
def test_a_malformed_flag_is_refused(flags: list[str], problem: str) -> None:
    """With what was written."""
    with pytest.raises(InvalidFile) as refused:
        answers_of_flags(flags)

    assert refused.value.problems == (problem,)


@pytest.mark.parametrize(
    "document",
    [
        {"Stage": "prod", "Size": 5},
        [
            {"ParameterKey": "Stage", "ParameterValue": "prod"},
            {"ParameterKey": "Size", "ParameterValue": 5},
        ],
    ],
)
def test_parameters_come_as_an_object_or_as_the_list_of_the_aws_cli(document: object) -> None:
    """Both say the same."""
    found = answers_of_parameters(document, "p.json")

    assert found == {
        "Stage": Answer(value="prod", origin="p.json: Stage", direct=False, name="Stage"),
        "Size": Answer(value=5, origin="p.json: Size", direct=False, name="Size"),
    }


FORM = (
    "p.json: the file must hold an object of values by name, or a list of objects with ParameterKey and "
    "ParameterValue alone"
)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("text", FORM),
        ([{"ParameterKey": "A", "UsePreviousValue": True}], FORM),
        ([{"ParameterKey": "A", "ParameterValue": "1"}] * 2, "p.json: A is given twice"),
        ({"A": None}, "p.json: A must be a value, not null"),
    ],
)
def test_malformed_parameters_are_refused(document: object, problem: str) -> None:
    """One sentence for the form, one for each value."""
    with pytest.raises(InvalidFile) as refused:
        answers_of_parameters(document, "p.json")

    assert refused.value.problems == (problem,)


def test_a_parameters_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(InvalidFile, match=r"none.json: the file cannot be read: No such file"):
        read_parameters([str(tmp_path / "none.json")])


def test_an_answer_that_nobody_asks_for_is_a_problem() -> None:
    """Accepted and ignored is forbidden; a slip of a name would be just that."""
    assert problems_in(DATA / "terraform_plan.json", {"Stage": "prod"}) == [
        "--set Stage: no file that was read refers to Stage"
    ]


def test_what_could_not_be_read_may_be_what_asks(tmp_path: Path) -> None:
    """Then nothing is said of the answers."""
    path = tmp_path / "t.yaml"
    path.write_text("Resources: [")

    assert len(problems_in(path, {"Stage": "prod"})) == 1


def test_a_parameter_that_is_a_key_needs_what_the_key_stands_for() -> None:
    """What a deployment is given for an SSM parameter is not its value."""
    answers = Answers(
        {
            "A": Answer(value="/key", origin="p.json: A", direct=False, name="A"),
            "B": Answer(value="value", origin="--set B", direct=True, name="B"),
        }
    )

    file = answers.of_file("t.yaml")

    assert (file.get("A", direct=True), file.get("A"), file.get("B", direct=True)) == (
        None,
        "/key",
        "value",
    )
    assert list(answers.problems()) == []
