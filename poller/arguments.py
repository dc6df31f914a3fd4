"""How a command takes files: the arguments and options for them, and the set of mappings that they mean."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from mappings.files import MappingSet
    from mappings.readers.answers import Given

EXIT_USAGE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FileArguments:
    """The files of a command, and what is said beside them."""

    files: tuple[str, ...]
    values: tuple[str, ...]
    parameters: tuple[str, ...]
    skip: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether neither a file nor anything beside files is given."""
        return not (self.files or self.values or self.parameters or self.skip)

    def given(self) -> "Given":
        """Read what is said beside the files; what is wrong with it ends the process with exit code 2."""
        from mappings.errors import InvalidFile  # noqa: PLC0415  # heavy
        from mappings.files import file_names  # noqa: PLC0415
        from mappings.readers.answers import Given, answers_of_flags, read_parameters  # noqa: PLC0415

        try:
            answers = read_parameters(self.parameters) | answers_of_flags(self.values, file_names(self.files))
        except InvalidFile as error:
            refuse(*error.problems)
        return Given(answers=answers, skip=frozenset(self.skip))

    def read(self, given: "Given | None" = None) -> "MappingSet":
        """Read the files, and say what is left out; what is wrong ends the process with exit code 2."""
        from mappings.errors import InvalidFile  # noqa: PLC0415  # heavy
        from mappings.files import read_mapping_files  # noqa: PLC0415
        from mappings.home import DEFAULT_REGION, Home  # noqa: PLC0415

        home = Home(region=os.environ.get("AWS_REGION") or DEFAULT_REGION)
        try:
            found = read_mapping_files(self.files, now=time.time(), given=given or self.given(), home=home)
        except InvalidFile as error:
            refuse(*error.problems)
        for note in found.notes:
            click.echo(f"note: {note}", err=True)
        for place in found.skipped:
            click.echo(f"skipped: {place}", err=True)
        return found


def warn(found: "MappingSet") -> None:
    """Say what AWS may refuse of what the files mean."""
    from mappings.cautions import cautions_of  # noqa: PLC0415  # heavy

    for mapping in found.mappings:
        for caution in cautions_of(mapping):
            click.echo(f"warning: {found.file_of[mapping.uuid]}: {mapping.label}: {caution}", err=True)


def takes_files(*, required: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the argument `sources`, a FileArguments, and the arguments and options that make it."""
    metavar = "FILE|DIR..." if required else "[FILE|DIR...]"
    options = [
        click.argument("files", nargs=-1, required=required, metavar=metavar),
        click.option(
            "--set",
            "values",
            multiple=True,
            metavar="[FILE:]NAME=VALUE",
            help="A value to which a template refers: a parameter (Stage), a pseudo parameter (AWS::Region), "
            "or what a resource is or has (Orders, Orders.Arn); a list or an object as JSON. FILE: says for "
            "which of the files it is. Repeatable; comes before --parameters.",
        ),
        click.option(
            "--parameters",
            multiple=True,
            metavar="FILE",
            help="Such values in a JSON or YAML object, in the list that `aws cloudformation` takes, in what "
            "its describe-stacks and describe-stack-resources print, or in a samconfig.toml. Repeatable.",
        ),
        click.option(
            "--skip",
            multiple=True,
            metavar="[FILE:]PLACE",
            help="Leave out the mapping at this place, named as problems name it. Repeatable.",
        ),
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_sources(
            *arguments: object,
            files: tuple[str, ...],
            values: tuple[str, ...],
            parameters: tuple[str, ...],
            skip: tuple[str, ...],
            **others: object,
        ) -> None:
            sources = FileArguments(files=files, values=values, parameters=parameters, skip=skip)
            command(*arguments, sources=sources, **others)

        decorated: Callable[..., None] = with_sources
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def refuse(*problems: str) -> NoReturn:
    """End the process with exit code 2 and a line for each problem."""
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    sys.exit(EXIT_USAGE)
