"""Commands. Nothing heavy is imported before it is needed."""

import sys
from collections.abc import Callable
from typing import Any

import click

from poller.arguments import FileArguments, refuse, takes_files, warn
from poller.conversions import export_mappings, import_mappings, print_policy
from poller.starting import run_to_end, settings_of
from poller.state_commands import state


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="esm-poller", prog_name="poller")
def main() -> None:
    """AWS Lambda event source mappings: read SQS, Kinesis and DynamoDB Streams into functions."""


def _shared_options(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.option(
            "--state",
            help="Where checkpoints live: sqlite:///path, dynamodb://table or memory://. [POLLER_STATE]",
        ),
        click.option(
            "--lease",
            "lease_s",
            help="Seconds a silent worker of a fleet keeps its shards. [POLLER_LEASE]",
        ),
        click.option("--profile", help="Pace of all waits: default or test. [POLLER_PROFILE]"),
        click.option(
            "--drain-timeout",
            "drain_timeout_s",
            help="Seconds to finish in after SIGTERM. [POLLER_DRAIN_TIMEOUT]",
        ),
        click.option("--byte-budget", help="Bytes of records held at most. [POLLER_BYTE_BUDGET]"),
        click.option("--ops", help="host:port of health, metrics and status, or off. [POLLER_OPS]"),
        click.option("--metrics-shards", help="Shards in metrics: true or false. [POLLER_METRICS_SHARDS]"),
        click.option(
            "--hot-path", help="on, or off: the SDK's own pipeline for every call. [POLLER_HOT_PATH]"
        ),
        click.option("--log-format", help="json or console. [LOG_FORMAT]"),
        click.option("--log-level", help="debug, info, warning or error. [LOG_LEVEL]"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _api_options(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.option("--api", help="Where the Lambda API listens: host:port or off. [POLLER_API]"),
        click.option("--api-keys-file", help="Access keys that may sign requests. [POLLER_API_KEYS_FILE]"),
        click.option("--api-token-file", help="A bearer token that lets in. [POLLER_API_TOKEN_FILE]"),
        click.option("--api-hosts", help="What a Host header may name too. [POLLER_API_HOSTS]"),
        click.option(
            "--insecure-no-auth",
            is_flag=True,
            help="Let the API listen beyond loopback without authentication. [POLLER_INSECURE_NO_AUTH]",
        ),
        click.option(
            "--functions-only",
            is_flag=True,
            help="Invoke only functions that the files list. [POLLER_FUNCTIONS_ONLY]",
        ),
        click.option(
            "--allow-removal",
            is_flag=True,
            help="Let a changed file remove most mappings at once. [POLLER_ALLOW_REMOVAL]",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@takes_files(required=False)
@_shared_options
@_api_options
def run(sources: FileArguments, **flags: str | bool | None) -> None:
    """Run mappings until SIGTERM: those of the files, and those made through the Lambda API.

    A file that changes is taken up without a restart.

    Prints `ready mappings=N` once every enabled mapping polls. A first SIGTERM or SIGINT drains, a second one
    ends at once.
    """
    settings = settings_of(flags)
    if not sources.files and settings.api is None:
        refuse("no mapping file is given and the API is off: there is nothing to poll")
    given = sources.given()
    mapping_set = None if sources.empty else sources.read(given)

    from poller.worker import Worker, run_until_signalled  # noqa: PLC0415  # heavy

    worker = Worker(mapping_set, settings, on_ready=_say_ready, paths=sources.files, given=given)
    sys.exit(run_to_end(run_until_signalled, worker))


@main.command()
@takes_files()
def validate(sources: FileArguments) -> None:
    """Check mapping files and import their handlers; exit code 2 names what is wrong."""
    mapping_set = sources.read()
    warn(mapping_set)

    from poller.settings import handler_environment  # noqa: PLC0415  # heavy
    from poller.targets import check_functions  # noqa: PLC0415

    run_to_end(check_functions, mapping_set.functions.values(), handler_environment())
    click.echo(f"valid mappings={len(mapping_set.mappings)} functions={len(mapping_set.functions)}")


main.add_command(import_mappings)
main.add_command(export_mappings)
main.add_command(print_policy)
main.add_command(state)


@main.command()
@click.option("--plain", is_flag=True, help="Lines instead of the live view.")
# Its defaults are not those of `read_settings`; named here, the variables still come before them.
@click.option("--log-format", help="json or console. [LOG_FORMAT; console]")
@click.option("--log-level", help="debug, info, warning or error. [LOG_LEVEL; warning]")
def demo(*, plain: bool, **flags: str | bool | None) -> None:
    """Run the main job on an embedded server and account for every record.

    moto's server runs in a child process with a queue, a Kinesis stream and a table; three mappings deliver
    what producers write to sample handlers. It ends by itself within 90 seconds: with exit code 0 if every
    record that was produced was seen by its function. State, pace, drain and ports are the demo's own.
    """
    settings = settings_of(flags, defaults={"log_format": "console", "log_level": "warning"})

    from poller.demo.show import run_demo  # noqa: PLC0415  # heavy

    sys.exit(run_to_end(run_demo, settings, plain))


@main.command()
@click.argument("name", metavar="NAME")
@click.option("--payload", required=True, metavar="FILE", help="The event, JSON; - for the standard input.")
@click.option("--qualifier", help="A version or an alias.")
@click.option("--event", "kind", flag_value="Event", help="Leave it to the queue, and do not wait.")
@click.option("--dry-run", "kind", flag_value="DryRun", help="Ask whether it could be invoked.")
@click.option("--tail", is_flag=True, help="Show the last 4 KB of its log.")
@click.option("--endpoint-url", help="Where the poller's API is. [http://POLLER_API]")
@click.option("--api-token-file", help="A bearer token to show. [POLLER_API_TOKEN_FILE]")
def invoke(*, kind: str | None, api_token_file: str | None, **asked: Any) -> None:
    r"""Invoke a function of a running poller.

    Prints what the function returned to stdout, the status and the log to stderr. The request shows the
    bearer token, if one is given, or else is signed with the AWS credentials that there are.

    \b
    Exit codes:
      0  the function succeeded, or the event was accepted
      1  the function failed
      2  bad usage
      3  the API refused the request
      4  no answer
    """
    settings = settings_of({"api_token_file": api_token_file})

    from poller.errors import StartError  # noqa: PLC0415  # heavy
    from poller.invoking.command import Ask  # noqa: PLC0415
    from poller.invoking.command import invoke as ask_poller  # noqa: PLC0415

    ask = Ask(function=asked.pop("name"), type=kind or "RequestResponse", **asked)
    try:
        sys.exit(ask_poller(ask, settings))
    except StartError as error:
        refuse(str(error))


def _say_ready(mappings: int, problems: int) -> None:
    click.echo(f"ready mappings={mappings}" + (f" problems={problems}" if problems else ""))
