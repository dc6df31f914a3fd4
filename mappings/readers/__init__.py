"""Which formats are read beside the mapping file, and by what of its content a file is one of them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mappings.readers import ack, aws_cli, cloudformation, sam, serverless, terraform
from mappings.readers.answers import FileAnswers
from mappings.readers.folder import Folder
from mappings.readers.found import FoundMapping
from mappings.readers.template import Template

Documents = Sequence[object]
Reader = Callable[[Documents, FileAnswers, Folder], Iterable[FoundMapping]]
"""Finds the mappings of a file, which may take other files of its folder in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format of somebody else; `hint` is a text that a file of it holds even where it cannot be parsed."""

    name: str
    hint: re.Pattern[str]
    is_document: Callable[[object], bool]
    mappings_in: Reader
    several_documents: bool = False
    last_key_counts: bool = False
    """Whether a key may be given twice, as CloudFormation lets it."""
    maximum_bytes: int = 1024 * 1024


def _template_mappings(documents: Documents, answers: FileAnswers, _folder: Folder) -> Iterable[FoundMapping]:
    document = documents[0]
    assert isinstance(document, Mapping)
    template = Template(document, answers)
    return [
        *cloudformation.macro_problems(document),
        *cloudformation.mappings_in(template),
        *sam.mappings_in(template, document, answers),
    ]


def _service_mappings(documents: Documents, answers: FileAnswers, folder: Folder) -> Iterable[FoundMapping]:
    document = documents[0]
    assert isinstance(document, Mapping)
    return serverless.mappings_in(document, answers, folder)


def _plan_mappings(documents: Documents, answers: FileAnswers, _folder: Folder) -> Iterable[FoundMapping]:
    document = documents[0]
    assert isinstance(document, Mapping)
    return terraform.mappings_in(document, answers)


FORMATS: Sequence[Format] = (
    Format(
        name="a CloudFormation or SAM template",
        hint=re.compile(r'^\s*"?(AWSTemplateFormatVersion|Resources)"?:', re.MULTILINE),
        is_document=cloudformation.is_template,
        mappings_in=_template_mappings,
        last_key_counts=True,
    ),
    Format(
        name="the output of terraform show -json",
        hint=re.compile(r'"terraform_version"'),
        is_document=terraform.is_plan_or_state,
        mappings_in=_plan_mappings,
        maximum_bytes=32 * 1024 * 1024,
    ),
    Format(
        name="a serverless.yml",
        hint=re.compile(r"^service:", re.MULTILINE),
        is_document=serverless.is_service,
        mappings_in=_service_mappings,
    ),
    Format(
        name="a manifest of ACK's Lambda controller",
        hint=re.compile(r"apiVersion:\s*.?lambda\.services\.k8s\.aws/"),
        is_document=ack.is_manifest,
        mappings_in=lambda documents, answers, _: ack.mappings_in(documents, answers),
        several_documents=True,
    ),
    Format(
        name="mappings in the JSON of the AWS CLI",
        hint=re.compile(r'"EventSourceMappings"\s*:'),
        is_document=aws_cli.is_answer_or_input,
        mappings_in=lambda documents, _, __: aws_cli.mappings_in(documents),
        maximum_bytes=32 * 1024 * 1024,
    ),
)
MAXIMUM_BYTES = max(each.maximum_bytes for each in FORMATS)


def format_of(documents: Documents) -> Format | None:
    """Return the format that the documents of a file have, or None."""
    for each in FORMATS:
        if any(each.is_document(document) for document in documents):
            return each
    return None
