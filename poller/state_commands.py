"""The commands that look at a state, make one, and move positions; they deliver nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from poller.arguments import FileArguments, refuse, takes_files
from poller.starting import run_to_end, settings_of

if TYPE_CHECKING:
    from mappings.files import MappingSet
    from mappings.model import EventSourceMapping


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--log-level", help="debug, info, warning or error. [LOG_LEVEL]"),
        click.option("--state", "state_url", help="sqlite:///path or dynamodb://table. [POLLER_STATE]"),
    ):
        command = option(command)
    return command


_force = click.option("--force", is_flag=True, help="Replace positions that are there.")


@click.group(invoke_without_command=True)
@_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@click.pass_context
def state(context: click.Context, *, as_json: bool, state_url: str | None, log_level: str | None) -> None:
    """Show leases, their owners, checkpoints and ages; of a file only while no poller has it open."""
    context.obj = {"state": state_url, "log_level": log_level}
    if context.invoked_subcommand is None:
        from poller.state_view import show  # noqa: PLC0415  # heavy

        click.echo(run_to_end(show, _settings(context.obj), as_json))


@state.command()
@_options
@click.pass_obj
def init(given: dict[str, str | None], /, **flags: str | None) -> None:
    """Make the DynamoDB table a fleet shares, unless it is there."""
    settings = _settings(given, **flags)
    if not settings.state.startswith("dynamodb://"):
        refuse(f"only a table has to be made: {settings.state} is none")

    from poller.table import init_table  # noqa: PLC0415  # heavy

    click.echo(run_to_end(init_table, settings.state, settings.region))


@state.command("export")
@click.argument("file", metavar="FILE")
@_options
@click.pass_obj
def export_state(given: dict[str, str | None], /, file: str, **flags: str | None) -> None:
    """Write all positions to a file, or with - to the standard output."""
    from poller.positions import export_positions  # noqa: PLC0415  # heavy

    text = run_to_end(export_positions, _settings(given, **flags))
    if file == "-":
        click.echo(text)
        return
    try:
        with Path(file).open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        refuse(f"{file} cannot be written: {error.strerror}")


@state.command("import")
@click.argument("file", metavar="FILE")
@_force
@_options
@click.pass_obj
def import_state(given: dict[str, str | None], /, file: str, *, force: bool, **flags: str | None) -> None:
    """Take in positions that were written by `export`, from a file or a table."""
    from poller.positions import import_positions  # noqa: PLC0415  # heavy

    click.echo(run_to_end(import_positions, _settings(given, **flags), Path(file), force))


@state.command("import-kcl")
@click.argument("table")
@takes_files()
@click.option("--mapping", required=True, help="UUID or FunctionName of the mapping that goes on.")
@_force
@_options
@click.pass_obj
def import_kcl(
    given: dict[str, str | None],
    /,
    table: str,
    sources: FileArguments,
    mapping: str,
    *,
    force: bool,
    **flags: str | None,
) -> None:
    """Take over the checkpoints of an application that KCL ran, from its lease TABLE.

    The application must have ended: while leases name owners, this looks for a minute whether they are
    renewed. The mapping is one of the files.
    """
    settings = _settings(given, **flags)
    chosen = _chosen(sources.read(), mapping)

    from poller.positions import import_kcl as take_over  # noqa: PLC0415  # heavy

    click.echo(run_to_end(take_over, settings, table, chosen, force, _tell))


def _tell(text: str) -> None:
    click.echo(text, err=True)


def _chosen(mapping_set: "MappingSet", name: str) -> "EventSourceMapping":
    found = [each for each in mapping_set.mappings if name in (each.uuid, each.function_name)]
    if len(found) != 1:
        refuse(f"--mapping: {len(found)} mappings of the files are called {name}")
    if not found[0].event_source.kind.is_stream:
        refuse(f"--mapping: {name} reads a queue, which has no positions")
    return found[0]


def _settings(given: dict[str, str | None], **flags: str | None) -> Any:
    own = {"state": flags.get("state_url"), "log_level": flags.get("log_level")}
    return settings_of({name: own.get(name) or given.get(name) for name in ("state", "log_level")})
