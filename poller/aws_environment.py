"""What of the environment AWS's SDK would stumble over later, each time it is asked for a client."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

_ENDPOINT = "AWS_ENDPOINT_URL"


def endpoint_problems(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each endpoint that is no URL, with the mend."""
    for name, value in sorted(environment.items()):
        if (name == _ENDPOINT or name.startswith(f"{_ENDPOINT}_")) and value and not _is_url(value):
            hint = "" if "://" in value else f", such as http://{value}"
            yield f"{name}: {value!r} is not of the form http://host[:port] or https://host[:port]{hint}"


def _is_url(value: str) -> bool:
    try:
        url = urlsplit(value)
        return url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
