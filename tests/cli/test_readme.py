"""What the README shows works as it is written."""

import re
from pathlib import Path

import pytest

from mappings.files import read_mapping_files

README = Path(__file__).parents[2] / "README.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", README.read_text(), flags=re.DOTALL)


def test_there_is_an_example_for_each_kind_of_user() -> None:
    """The daemon, the tests, the sidecar."""
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("example", EXAMPLES, ids=["daemon", "tests", "sidecar"])
def test_the_example_is_a_valid_mapping_file(tmp_path: Path, example: str) -> None:
    """Nobody has to mend what they copy."""
    path = tmp_path / "mappings.yaml"
    path.write_text(example)

    assert len(read_mapping_files([path], now=1_800_000_000.0).mappings) == 1
