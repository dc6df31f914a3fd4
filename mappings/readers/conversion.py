"""How a value that a template gives as text, or a text that it gives as a number, gets the type AWS declares.

CloudFormation converts so itself: a parameter is a text even where it stands for a number. What cannot be
converted is left as it is, for validation to refuse it.
"""

import re
from collections.abc import Mapping

from mappings.documents import parse_json
from mappings.service_model import CREATE_REQUEST, members, shape

# More digits than any number of a request has, and few enough to be read at once.
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_BOOLEANS = {"true": True, "false": False}


def typed(value: object, name: str = CREATE_REQUEST) -> object:
    """Return the value of the shape `name`, converted wherever that loses nothing."""
    kind = shape(name)["type"]
    match kind, structured(value) if kind in {"structure", "list", "map"} else value:
        case "structure", Mapping() as value:
            known = members(name)
            return {key: typed(item, known[key]) if key in known else item for key, item in value.items()}
        case "list", list() as value:
            return [typed(item, shape(name)["member"]["shape"]) for item in value]
        case "map", Mapping() as value:
            return {key: typed(item, shape(name)["value"]["shape"]) for key, item in value.items()}
        case _:
            return _scalar(kind, value)


def _scalar(kind: str, value: object) -> object:
    match kind, value:
        case "integer", str() if _INTEGER.fullmatch(value):
            return int(value)
        case "integer", float() if value.is_integer():
            return int(value)
        case "timestamp", str() if _NUMBER.fullmatch(value):
            return float(value)
        case "boolean", str():
            return _BOOLEANS.get(value.lower(), value)
        case "string", bool() | int() | float():
            return text_of(value)
        case _:
            return value


def structured(value: object) -> object:
    """Return the list or the object that a text is in JSON, as answers give them; else the value itself."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return parse_json(value, dict)
    except (ValueError, RecursionError):
        return value


def text_of(value: float) -> str:
    """Return a number or a boolean as CloudFormation writes it into a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)
