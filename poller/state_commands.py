"""The commands that look at a state, make one, and move positions; they deliver nothing."""

from collections.abc import Callable
from typing import Any

import click

from poller.arguments import refuse
from poller.starting import run_to_end, settings_of

_STATE = "sqlite:///path or dynamodb://table. [POLLER_STATE]"


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--log-level", help="debug, info, warning or error. [LOG_LEVEL]"),
        click.option("--state", "state_url", help=_STATE),
    ):
        command = option(command)
    return command


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


def _settings(given: dict[str, str | None], **flags: str | None) -> Any:
    own = {"state": flags.get("state_url"), "log_level": flags.get("log_level")}
    return settings_of({name: own.get(name) or given.get(name) for name in ("state", "log_level")})
