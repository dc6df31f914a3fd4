"""How a command takes files: the arguments and options for them, and the set of mappings that they mean."""

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.files import MappingSet
    from mappings.readers.answers import Answer

EXIT_USAGE = 2


def takes_files(*, required: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the arguments `files`, `values` and `parameters`.

    They are for `read_answers` and `read_mapping_set`.
    """
    metavar = "FILE|DIR..." if required else "[FILE|DIR...]"
    options = [
        click.argument("files", nargs=-1, required=required, metavar=metavar),
        click.option(
            "--set",
            "values",
            multiple=True,
            metavar="[FILE:]NAME=VALUE",
            help="A value to which a template refers: a parameter (Stage), a pseudo parameter (AWS::Region), "
            "or what a resource is or has (Orders, Orders.Arn). FILE: says for which of the files it is. "
            "Repeatable; comes before --parameters.",
        ),
        click.option(
            "--parameters",
            metavar="FILE",
            help="Such values in a JSON or YAML object, or in the list that `aws cloudformation` takes.",
        ),
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def read_answers(
    values: tuple[str, ...], parameters: str | None, files: tuple[str, ...]
) -> "Mapping[str, Answer]":
    """Read what is given for the names to which files refer; what is wrong with it ends the process."""
    from mappings.errors import InvalidFile  # noqa: PLC0415  # heavy
    from mappings.files import file_names  # noqa: PLC0415
    from mappings.readers.answers import answers_of_flags, read_parameters  # noqa: PLC0415

    try:
        of_flags = answers_of_flags(values, file_names(files))
        return of_flags if parameters is None else read_parameters(parameters) | of_flags
    except InvalidFile as error:
        refuse(*error.problems)


def read_mapping_set(files: tuple[str, ...], answers: "Mapping[str, Answer]") -> "MappingSet":
    """Read the files; what is wrong with them ends the process with exit code 2."""
    from mappings.errors import InvalidFile  # noqa: PLC0415  # heavy
    from mappings.files import read_mapping_files  # noqa: PLC0415
    from mappings.home import DEFAULT_REGION, Home  # noqa: PLC0415

    try:
        home = Home(region=os.environ.get("AWS_REGION") or DEFAULT_REGION)
        return read_mapping_files(files, now=time.time(), answers=answers, home=home)
    except InvalidFile as error:
        refuse(*error.problems)


def refuse(*problems: str) -> NoReturn:
    """End the process with exit code 2 and a line for each problem."""
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    sys.exit(EXIT_USAGE)
