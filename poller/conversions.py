"""The commands that write the mappings of files in another form, and start nothing."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from poller.arguments import FileArguments, refuse, takes_files, warn
from poller.starting import settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command("import")
@takes_files()
def import_mappings(sources: FileArguments) -> None:
    """Print one mapping file with all mappings that the files mean.

    The files are mapping files, CloudFormation, SAM and synthesized CDK templates, the output of `terraform
    show -json` for a plan or a state, serverless.yml, ACK manifests, and mappings as the AWS CLI prints or
    takes them; what they are is told by their content. A directory may be a cdk.out. `run` and
    `validate` take the same files as they are: this shows how they are understood.
    """
    mapping_set = sources.read()

    from mappings.writing import as_mapping_file  # noqa: PLC0415  # heavy

    click.echo(as_mapping_file(mapping_set), nl=False)


@click.command("export")
@takes_files()
@click.option(
    "--out",
    metavar="DIR",
    help="Write one file for each mapping into this directory, which is made if need be; no file in it is "
    "overwritten.",
)
def export_mappings(sources: FileArguments, out: str | None) -> None:
    """Print the mappings as input of the AWS CLI.

    Each is what `aws lambda create-event-source-mapping --cli-input-json` takes: a JSON object. For a single
    mapping the object is printed, for several a list of them, which the AWS CLI does not take: there, use
    --out. Functions keep their names, except that one defined as `lambda: NAME` is that NAME.
    """
    mapping_set = sources.read()
    warn(mapping_set)

    from mappings.writing import as_cli_inputs, as_json  # noqa: PLC0415  # heavy

    inputs = as_cli_inputs(mapping_set)
    if out is not None:
        _write(Path(out), {name: f"{as_json(each)}\n" for name, each in inputs.items()})
    elif len(inputs) == 1:
        click.echo(as_json(*inputs.values()))
    else:
        click.echo(as_json(list(inputs.values())))


@click.command("policy")
@takes_files()
@click.option("--state", help="The table of a fleet: dynamodb://table. [POLLER_STATE]")
def print_policy(sources: FileArguments, state: str | None) -> None:
    """Print the IAM policy with the least that polling these mappings takes.

    A key of AWS KMS, where one encrypts a source, a destination or the table, needs kms:Decrypt (and
    kms:GenerateDataKey to send to a destination) on top: which key that is, the files do not say.
    """
    mapping_set = sources.read()
    settings = settings_of({"state": state})

    import orjson  # noqa: PLC0415  # heavy

    from poller.core.policy import StateTable, policy  # noqa: PLC0415
    from poller.table_address import TableAddress  # noqa: PLC0415

    table = None
    if settings.state.startswith("dynamodb://"):
        address = TableAddress.parse(settings.state)
        region = address.region or settings.region or "*"
        table = StateTable(name=address.table, namespace=address.namespace, region=region)
    document = policy(mapping_set.mappings, mapping_set.functions, table)
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def _write(directory: Path, texts: "Mapping[str, str]") -> None:
    """Write each text into a file of its name, or nothing at all if one of them is there."""
    paths = {directory / name: text for name, text in texts.items()}
    there = [f"--out: {path} is there already" for path in paths if path.exists()]
    if there:
        refuse(*there)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            click.echo(path)
    except OSError as error:
        click.echo(f"error: --out: {error.filename} cannot be written: {error.strerror}", err=True)
        sys.exit(1)
