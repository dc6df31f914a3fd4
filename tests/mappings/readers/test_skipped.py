"""`--skip PLACE` leaves one mapping out, whatever is wrong with it, and says so."""

from pathlib import Path

import pytest

from mappings.files import MappingSet
from tests.mappings.readers.reading import CASES, SQS, read, refused

A, B = CASES / "shop_a.yaml", CASES / "shop_b.yaml"
PLACE = "Resources.Worker.Events.Q"


@pytest.mark.parametrize("spelling", ["{file}:{place}", "{file}: {place}"])
def test_a_place_of_one_file_is_left_out(spelling: str) -> None:
    """Its question is not asked; the other file keeps its mapping."""
    found = read([A, B], {f"{B}:Worker": "shop"}, skip=[spelling.format(file=A, place=PLACE)])

    assert [mapping.event_source.arn for mapping in found.mappings] == [f"{SQS}:b-orders"]
    assert found.skipped == (f"{A}: {PLACE}",)


def test_a_place_that_two_files_have_must_say_which() -> None:
    """The mend names both."""
    assert refused([A, B], skip=[PLACE]) == [
        (
            f"--skip {PLACE}: shop_a.yaml and shop_b.yaml have this place; --skip shop_a.yaml:{PLACE} and "
            f"--skip shop_b.yaml:{PLACE} say which"
        )
    ]


def test_a_place_that_no_file_has_is_refused(tmp_path: Path) -> None:
    """Accepted and ignored is forbidden."""
    path = mapping_file(tmp_path)

    assert refused([path], skip=["mappings[2]"]) == [
        "--skip mappings[2]: no file that was read has a mapping at this place"
    ]


def test_a_mapping_of_a_mapping_file_is_left_out(tmp_path: Path) -> None:
    """By its index."""
    assert sources(read([mapping_file(tmp_path)], skip=["mappings[0]"])) == [f"{SQS}:b"]


def test_all_may_be_left_out(tmp_path: Path) -> None:
    """Nothing is left then, as asked."""
    assert sources(read([mapping_file(tmp_path)], skip=["mappings[0]", "mappings[1]"])) == []


def mapping_file(folder: Path) -> Path:
    path = folder / "m.yaml"
    lines = [f"  - {{EventSourceArn: '{SQS}:{name}', FunctionName: f}}" for name in ("a", "b")]
    path.write_text("\n".join(["mappings:", *lines]))
    return path


def sources(found: MappingSet) -> list[str]:
    return [mapping.event_source.arn for mapping in found.mappings]
