"""A file that holds secrets: who may read it, and noticing that it was changed."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from mappings.errors import InvalidSecretFile
from mappings.telemetry import Log

Secrets = TypeVar("Secrets")


class SecretFile(Generic[Secrets]):
    """The secrets of one file, read again when it changes.

    A changed file that cannot be used leaves the secrets of before in force, and a warning says why.
    """

    def __init__(self, path: Path, read: Callable[[Path], Secrets]) -> None:
        """Read the file; raise InvalidSecretFile where it cannot be used."""
        self._path = path
        self._read = read
        self._version = _version(path)
        self._secrets = _checked(path, read)

    def __repr__(self) -> str:
        """Show the path alone."""
        return f"SecretFile({str(self._path)!r})"

    def current(self) -> Secrets:
        """Return what the file holds now."""
        version = _version(self._path)
        if version != self._version:
            self._version = version
            self._reread()
        return self._secrets

    def _reread(self) -> None:
        log = structlog.get_logger().bind(path=str(self._path))
        try:
            self._secrets = _checked(self._path, self._read)
        except InvalidSecretFile as error:
            log.warning(Log.API_SECRETS_KEPT, problem=str(error))
        else:
            log.info(Log.API_SECRETS_REREAD)


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    # The time of the last change of the inode tells also of a mode that was mended.
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size)


def _checked(path: Path, read: Callable[[Path], Secrets]) -> Secrets:
    try:
        found = path.stat()
    except OSError as error:
        raise InvalidSecretFile(f"{path} cannot be read: {error.strerror}") from None
    if os.name == "posix" and (who := _too_many_readers(found)):
        raise InvalidSecretFile(f"{path} is open to {who}: make it readable by its owner alone (chmod 600)")
    return read(path)


def _too_many_readers(found: os.stat_result) -> str | None:
    """Return who else may use the file.

    A group may read a file of another owner: so Kubernetes hands a Secret to a process that is not root.
    """
    if found.st_mode & stat.S_IRWXO:
        return "every user of this machine"
    for_group = stat.S_IRWXG if found.st_uid == os.geteuid() else stat.S_IWGRP | stat.S_IXGRP
    return "its group" if found.st_mode & for_group else None
