"""A file that is wrong in any place is refused with sentences; nothing else is ever raised."""

import copy
import random
from pathlib import Path
from typing import Any

import pytest

from mappings.errors import InvalidFile
from mappings.readers import format_of
from mappings.readers.answers import Answers
from mappings.readers.folder import Folder
from mappings.readers.loading import load_documents
from mappings.spelling import in_aws_spelling
from mappings.validation import request_errors
from tests.mappings.readers.reading import DATA, NOW

VALUES: list[Any] = [
    None, True, 0, -1, 1.5, "", "x", "a.b", "${self:custom}", "${opt:x, ${self:y}}", "{{resolve:a:b}}", [],
    [[]], {}, [None], {"Ref": "OrdersQueue"}, {"Ref": []}, {"Fn::GetAtt": "A.Arn"}, {"Fn::GetAtt": ["A"]},
    {"Fn::Sub": "${A}${B.C}"}, {"Fn::Sub": [1]}, {"Fn::If": ["IsProd", 1, 2]}, {"Fn::If": 3},
    {"Fn::Join": [[], 1]}, {"Fn::Select": ["a", [1]]}, {"Fn::FindInMap": [{}, [], 1]}, {"Fn::Other": 1},
    {"Condition": "IsProd"}, {"Type": "SQS"}, {"Type": "AWS::Lambda::EventSourceMapping"},
    {"Type": "AWS::Serverless::Function"}, {"name": 1, "from": {}}, ["a", {"b": None}], {"1": {"2": []}},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value within a document."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


def spoil(document: Any, dice: random.Random) -> None:
    """Put a wrong value, or a part of the document itself, into one place of it, or take the place away."""
    paths = places(document)
    *way, last = dice.choice(paths)
    holder = document
    for step in way:
        holder = holder[step]
    match dice.randrange(4):
        case 0:
            del holder[last]
        case 1:
            source: Any = document
            for step in dice.choice(paths):
                source = source[step] if not isinstance(source, str | int | float | bool | None) else source
            holder[last] = copy.deepcopy(source)
        case _:
            holder[last] = copy.deepcopy(dice.choice(VALUES))


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
def test_readers_raise_nothing_but_refusals(tmp_path: Path, path: Path) -> None:
    """Three hundred spoilt copies of each sample, seeded."""
    whole = load_documents(path.read_text())
    form = format_of(whole)
    assert form is not None
    for seed in range(300):
        dice = random.Random(seed)
        documents = copy.deepcopy(whole)
        for _ in range(dice.randint(1, 4)):
            spoil(dice.choice(documents), dice)
        try:
            if format_of(documents) is form:
                for found in form.mappings_in(documents, Answers({}).of_file("file"), Folder(tmp_path)):
                    request, problems = in_aws_spelling(found.request)
                    assert found.problems or problems or request_errors(request, now=NOW) is not None
        except InvalidFile:
            continue
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
