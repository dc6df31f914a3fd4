"""The folder of a file, from which the file may take others: never from outside, not without end."""

from os.path import commonpath, realpath
from pathlib import Path

from mappings.documents import read_text
from mappings.errors import InvalidFile

# A large service has dozens of files of some kilobytes.
MAXIMUM_FILES = 500
MAXIMUM_CHARACTERS = 8 * 1024 * 1024


class Folder:
    """What one file may read besides itself; it remembers what was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._texts: dict[Path, str] = {}

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were read."""
        return tuple(map(str, self._texts))

    def text(self, name: str) -> str | None:
        """Return the text of a file of the folder, or None where there is none; raise InvalidFile."""
        path = self._path / name
        root = realpath(self._path)
        if "\0" in name or commonpath([root, realpath(path)]) != root:
            raise InvalidFile(["is outside of the folder and is not read"])
        if path not in self._texts:
            if not path.is_file():
                return None
            if len(self._texts) == MAXIMUM_FILES:
                raise InvalidFile([f"is one of more than {MAXIMUM_FILES} files"])
            text = read_text(path)
            if sum(map(len, self._texts.values())) + len(text) > MAXIMUM_CHARACTERS:
                raise InvalidFile([f"makes more than {MAXIMUM_CHARACTERS} characters of all files together"])
            self._texts[path] = text
        return self._texts[path]
