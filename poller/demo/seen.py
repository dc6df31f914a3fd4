"""The files in which functions note the records that they have seen: one for each process, one id a line."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

SEEN_FOLDER_VARIABLE = "DEMO_SEEN_FOLDER"


def note_seen(ids: Iterable[str]) -> None:
    """Called in a function's process, once it has handled these records."""
    function = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    path = Path(os.environ[SEEN_FOLDER_VARIABLE], f"{function}.{os.getpid()}")
    with path.open("a") as file:
        file.writelines(f"{id_}\n" for id_ in ids)


def read_seen(folder: Path, *, function: str) -> Counter[str]:
    """How often each record was seen by a function, whichever of its processes it was."""
    seen: Counter[str] = Counter()
    for path in folder.glob(f"{function}.*"):
        # A last line without its end is still being written.
        seen.update(path.read_text().split("\n")[:-1])
    return seen
