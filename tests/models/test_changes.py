"""What is printed of two versions of a model."""

from typing import Any

from tests.models.changes import changes


def model(**shapes: Any) -> dict[str, Any]:
    return {"operations": {"Get": {"http": {"method": "GET"}}}, "shapes": shapes}


def test_a_limit_an_enum_a_member_and_a_requirement_that_change_are_told() -> None:
    """Each in a line; documentation is not."""
    before = model(
        Timeout={"type": "integer", "max": 900, "documentation": "old"},
        Position={"type": "string", "enum": ["LATEST"]},
        Record={"type": "structure", "required": ["Key"], "members": {"Key": {"shape": "Text"}}},
        Gone={"type": "string"},
    )
    after = model(
        Timeout={"type": "integer", "max": 5400, "documentation": "new"},
        Position={"type": "string", "enum": ["LATEST", "TRIM_HORIZON"]},
        Record={
            "type": "structure",
            "members": {"Key": {"shape": "Text", "documentation": "x"}, "Data": {"shape": "Blob"}},
        },
        Came={"type": "string"},
    )
    after["operations"]["List"] = {}

    assert list(changes(before, after)) == [
        "operation List: new",
        "shape Came: new",
        "shape Gone: gone",
        "shape Position: enum +TRIM_HORIZON",
        "member Record Data: new",
        "shape Record: required -Key",
        "shape Timeout: max 900 -> 5400",
    ]


def test_a_model_is_the_same_as_itself() -> None:
    """Nothing is told."""
    assert list(changes(model(A={"type": "string"}), model(A={"type": "string"}))) == []
