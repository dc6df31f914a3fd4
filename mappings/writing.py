"""How a set of mappings is written down again: as one mapping file, or as the input of the AWS CLI."""

import json
import re
from collections.abc import Mapping

import yaml

from mappings.arns import FunctionName
from mappings.files import MappingSet
from mappings.validation import without_nulls


def as_mapping_file(mapping_set: MappingSet) -> str:
    """Return the YAML of a mapping file that means the same, with the place that each mapping comes from."""
    parts: list[str] = []
    if mapping_set.written_functions:
        parts.append(_yaml({"functions": mapping_set.written_functions}))
    if mapping_set.requests:
        parts.append("mappings:\n")
    for place, request in mapping_set.requests.items():
        parts.append(f"# {place.encode('unicode_escape').decode()}\n{_yaml([without_nulls(request)])}")
    return "".join(parts)


def as_cli_inputs(mapping_set: MappingSet) -> dict[str, dict[str, object]]:
    """Return what `aws lambda create-event-source-mapping --cli-input-json` takes, by a name for its file.

    A function that a file defines as one of AWS Lambda is named as it is there.
    """
    inputs: dict[str, dict[str, object]] = {}
    for mapping, request in zip(mapping_set.mappings, mapping_set.requests.values(), strict=True):
        written = without_nulls(request)
        assert isinstance(written, dict)
        stem = re.sub(r"[^A-Za-z0-9_.]+", "-", mapping.label)
        number = 1 + sum(name.startswith(f"{stem}.") for name in inputs)
        file_name = f"{stem}.json" if number == 1 else f"{stem}.{number}.json"
        inputs[file_name] = {**written, "FunctionName": _name_at_aws(mapping.function_name, mapping_set)}
    return inputs


def as_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _name_at_aws(function_name: str, mapping_set: MappingSet) -> object:
    name = FunctionName.parse(function_name)
    match mapping_set.written_functions.get(name.name):
        case {"lambda": other} if name.is_local:
            return other
        case _:
            return function_name


class _Dumper(yaml.SafeDumper):
    """Writes a value as often as it is used: mapping files have no aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - SafeDumper's signature
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Escape what YAML takes for a line break, which other quotes would fold into a space."""
        style = None if text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def _yaml(value: Mapping[str, object] | list[object]) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
    return text
