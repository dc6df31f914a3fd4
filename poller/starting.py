"""From a command line to running code; what does not allow a start ends the process with exit code 2."""

import sys
from typing import TYPE_CHECKING, Any

from poller.arguments import refuse

if TYPE_CHECKING:
    from poller.settings import Settings


def settings_of(flags: dict[str, str | bool | None], defaults: dict[str, str] | None = None) -> "Settings":
    """Read the settings of a command; a wrong one ends the process with exit code 2.

    Args:
        flags: What the command line gives, by field name.
        defaults: The command's own defaults.
    """
    from poller.errors import StartError  # noqa: PLC0415  # heavy
    from poller.logs import configure  # noqa: PLC0415
    from poller.settings import read_settings  # noqa: PLC0415

    try:
        given = {name: _flag_text(flag) for name, flag in flags.items()}
        settings = read_settings(given, defaults=defaults)
    except StartError as error:
        refuse(str(error))
    configure(settings.log_format, settings.log_level)
    return settings


def _flag_text(flag: str | bool | None) -> str | None:  # noqa: FBT001 - what click gives
    """Return what a flag says, as the environment would say it; None where it is not given."""
    if isinstance(flag, bool):
        return "true" if flag else None
    return flag


def run_to_end(main_task: Any, *arguments: Any) -> Any:
    """Run an async function; what does not allow a start ends the process with exit code 2."""
    import anyio  # noqa: PLC0415  # heavy

    from poller.errors import StartError, StateRefused  # noqa: PLC0415

    try:
        return anyio.run(main_task, *arguments, backend_options={"use_uvloop": sys.platform != "win32"})
    except* (StartError, StateRefused) as group:
        refuse(*(str(error) for error in _leaves(group)))


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
