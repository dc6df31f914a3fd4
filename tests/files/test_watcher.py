"""Files that change on the disk: what is noticed, taken up, and refused."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import structlog

from mappings.errors import InvalidFile
from mappings.files import MappingSet
from poller.errors import StartError
from poller.watcher import FileWatcher

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


def text_of(*batch_sizes: int) -> str:
    """A mapping file."""
    return json.dumps(
        {
            "mappings": [
                {"EventSourceArn": f"{QUEUE}{n}", "FunctionName": "f", "BatchSize": size}
                for n, size in enumerate(batch_sizes)
            ]
        }
    )


class Taker:
    """Takes up what it is given, or refuses."""

    def __init__(self) -> None:
        self.sizes: list[list[int]] = []
        self.refusal: Exception | None = None

    async def take_up(self, found: MappingSet) -> None:
        """Take it up."""
        if self.refusal is not None:
            raise self.refusal
        self.sizes.append([mapping.batch_size for mapping in found.mappings])


async def test_files_that_stay_the_same_are_not_read_again(tmp_path: Path) -> None:
    """Looking is cheap."""
    file, taker = tmp_path / "a.yaml", Taker()
    file.write_text(text_of(1))
    watcher = FileWatcher([file], taker.take_up)

    await watcher.look()

    assert taker.sizes == []


async def test_a_file_that_was_written_is_taken_up_once(tmp_path: Path) -> None:
    """In place, or put in its place by a rename as editors do."""
    file, taker = tmp_path / "a.yaml", Taker()
    file.write_text(text_of(1))
    watcher = FileWatcher([file], taker.take_up)
    file.write_text(text_of(2, 3))
    await watcher.look()
    (tmp_path / "aside").write_text(text_of(4))
    (tmp_path / "aside").rename(file)
    await watcher.look()
    await watcher.look()

    assert taker.sizes == [[2, 3], [4]]


async def test_a_file_that_comes_or_goes_in_a_directory_is_noticed(tmp_path: Path) -> None:
    """A directory means the files in it now."""
    taker = Taker()
    (tmp_path / "a.json").write_text(text_of(1))
    watcher = FileWatcher([tmp_path], taker.take_up)
    (tmp_path / "b.json").write_text(text_of(2, 3).replace(":q", ":r"))
    await watcher.look()
    (tmp_path / "a.json").unlink()
    await watcher.look()

    assert taker.sizes == [[1, 2, 3], [2, 3]]


async def test_a_config_map_that_is_swapped_is_noticed(tmp_path: Path) -> None:
    """Kubernetes moves one link to another directory; the file's own link stays as it is."""
    taker = Taker()
    for name, sizes in (("..1", (1,)), ("..2", (2,))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mappings.yaml").write_text(text_of(*sizes))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "mappings.yaml").symlink_to("..data/mappings.yaml")
    watcher = FileWatcher([tmp_path], taker.take_up)

    (tmp_path / "..aside").symlink_to("..2")
    os.replace(tmp_path / "..aside", tmp_path / "..data")  # noqa: PTH105 - as the kubelet does
    await watcher.look()

    assert taker.sizes == [[2]]


@pytest.mark.parametrize(
    ("text", "refusal", "said"),
    [
        ("mappings: [", None, "a.yaml"),
        (text_of(0), None, "BatchSize"),
        ("", None, "a.yaml"),
        (text_of(2), InvalidFile(["most would go"]), "most would go"),
        (text_of(2), StartError("no such handler"), "no such handler"),
        (text_of(2), KeyError("what nobody foresaw"), "KeyError"),
    ],
)
async def test_what_is_refused_is_said_once_and_taken_up_when_it_is_mended(
    tmp_path: Path, text: str, refusal: Exception | None, said: str
) -> None:
    """The old state stays meanwhile."""
    file, taker = tmp_path / "a.yaml", Taker()
    file.write_text(text_of(1))
    watcher = FileWatcher([file], taker.take_up)
    file.write_text(text)
    taker.refusal = refusal
    with structlog.testing.capture_logs() as logs:
        await watcher.look()
        await watcher.look()
        taker.refusal = None
        file.write_text(text_of(7))
        await watcher.look()

    told: list[Any] = [line for line in logs if line["event"] == "files_refused"]
    assert len(told) == 1
    assert said in " ".join(told[0]["problems"])
    assert taker.sizes == [[7]]


async def test_a_file_that_is_gone_leaves_the_old_state(tmp_path: Path) -> None:
    """Until it is back."""
    file, taker = tmp_path / "a.yaml", Taker()
    file.write_text(text_of(1))
    watcher = FileWatcher([file], taker.take_up)
    file.unlink()
    await watcher.look()
    before = list(taker.sizes)
    file.write_text(text_of(5))
    await watcher.look()

    assert (before, taker.sizes) == ([], [[5]])
