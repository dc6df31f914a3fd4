"""Every setting: its type, unit, default and why. The only reader of the environment."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from mappings.addresses import Address
from poller.core.tenure import LEASE_S
from poller.errors import StartError
from poller.table_address import TableAddress


class Profile(StrEnum):
    """One switch for all waits of the loop."""

    DEFAULT = "default"
    """AWS's own pace."""
    TEST = "test"
    """Short waits for tests against emulators: polls every 50 ms, long polls of 1 s, back-off up to 1 s."""


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a worker is told from outside; flags win over the environment, the environment over defaults."""

    state: str
    """POLLER_STATE. Where checkpoints live: `sqlite:///path`, `memory://`, or `dynamodb://table` for a fleet
    that shares it, with `?namespace=` for one of several fleets. Default: a SQLite file in the user's state
    directory, because a position that is lost is a stream that is read twice or not at all."""
    lease_s: float = LEASE_S
    """POLLER_LEASE, seconds. How long a worker of a fleet that is not heard of keeps its shards; a crash is
    taken over within one and a half times that. Default: 10 s, as KCL's failover time."""
    region: str | None = None
    """AWS_REGION. Where the table of `POLLER_STATE` is; a mapping's region is that of its ARN. Default: by
    AWS's own chain."""
    profile: Profile = Profile.DEFAULT
    """POLLER_PROFILE. `default` or `test`."""
    drain_timeout_s: float | None = None
    """POLLER_DRAIN_TIMEOUT, seconds. How long to wait, after SIGTERM, for what runs. Default: the longest
    timeout of the functions in use and 30 s, so that no invocation has to be cut."""
    byte_budget: int = 64 * 1024 * 1024
    """POLLER_BYTE_BUDGET, bytes. Records held in memory at most; reads begin only below it. Default: 64 MiB,
    ten full payloads, so that a small pod can run many mappings."""
    api: Address | None = Address(host="127.0.0.1", port=4577)  # noqa: RUF009  # frozen
    """POLLER_API. Where the Lambda API listens, `host:port`; `off` closes it. Default: loopback, because who
    reaches it decides where records go."""
    api_keys_file: Path | None = None
    """POLLER_API_KEYS_FILE. Access keys that may sign requests; none: no signature is asked for."""
    api_token_file: Path | None = None
    """POLLER_API_TOKEN_FILE. A bearer token that lets in, instead of or beside signatures."""
    api_hosts: tuple[str, ...] = ()
    """POLLER_API_HOSTS, separated by commas. What a Host header may name beside loopback and the address."""
    insecure_no_auth: bool = False
    """POLLER_INSECURE_NO_AUTH. Whether the API may listen where others reach it and ask nobody's name."""
    async_retry_base_s: float | None = None
    """POLLER_ASYNC_RETRY_BASE, seconds. How long an asynchronous event waits after its first error, and
    again so much longer after the second. Default: 60, as AWS waits; 0.2 with the profile `test`."""
    async_queue_events: int = 100_000
    """POLLER_ASYNC_QUEUE_EVENTS. Asynchronous events that may wait; one more is answered with 429."""
    async_queue_bytes: int = 1024 * 1024 * 1024
    """POLLER_ASYNC_QUEUE_BYTES, bytes. What their payloads may take up. Default: 1 GiB, because they stand
    on the disk and not in memory."""
    functions_only: bool = False
    """POLLER_FUNCTIONS_ONLY. Whether only functions that the mapping files list may be invoked."""
    allow_removal: bool = False
    """POLLER_ALLOW_REMOVAL. Whether a changed file may remove most of the mappings at once."""
    ops: Address | None = Address(host="127.0.0.1", port=9464)  # noqa: RUF009  # frozen
    """POLLER_OPS. Where health, metrics and the status page are, `host:port`; `off` closes it. Default:
    loopback, because they are open to whoever reaches them; in a pod the chart binds 0.0.0.0."""
    metrics_shards: bool = True
    """POLLER_METRICS_SHARDS. Whether the iterator age is exported for each shard, or only the oldest of each
    mapping. Default: true, because then a stuck shard is named; a mapping of more than a thousand shards
    exports the oldest in any case."""
    hot_path: bool = True
    """POLLER_HOT_PATH. `on`, or `off`: every call to AWS goes through the SDK's own pipeline, at several
    times the cost, should an endpoint turn out to need it."""
    log_format: LogFormat = LogFormat.JSON
    """LOG_FORMAT. `json` or `console`."""
    log_level: str = "info"
    """LOG_LEVEL. `debug`, `info`, `warning` or `error`."""


_VARIABLES = {
    "state": "POLLER_STATE",
    "lease_s": "POLLER_LEASE",
    "region": "AWS_REGION",
    "profile": "POLLER_PROFILE",
    "drain_timeout_s": "POLLER_DRAIN_TIMEOUT",
    "byte_budget": "POLLER_BYTE_BUDGET",
    "api": "POLLER_API",
    "api_keys_file": "POLLER_API_KEYS_FILE",
    "api_token_file": "POLLER_API_TOKEN_FILE",
    "api_hosts": "POLLER_API_HOSTS",
    "insecure_no_auth": "POLLER_INSECURE_NO_AUTH",
    "async_retry_base_s": "POLLER_ASYNC_RETRY_BASE",
    "async_queue_events": "POLLER_ASYNC_QUEUE_EVENTS",
    "async_queue_bytes": "POLLER_ASYNC_QUEUE_BYTES",
    "functions_only": "POLLER_FUNCTIONS_ONLY",
    "allow_removal": "POLLER_ALLOW_REMOVAL",
    "ops": "POLLER_OPS",
    "metrics_shards": "POLLER_METRICS_SHARDS",
    "hot_path": "POLLER_HOT_PATH",
    "log_format": "LOG_FORMAT",
    "log_level": "LOG_LEVEL",
}
# Kubernetes sets these for a Service named `poller`; they are no settings.
_SERVICE_LINKS = re.compile(r"POLLER_(SERVICE_(HOST|PORT\w*)|PORT\w*)")
# Below, a heartbeat may take longer than the time between two; above, a crash stops its shards for minutes.
LEASE_RANGE_S = (1.0, 300.0)
# Kubernetes sets these for a Service whose name begins with `poller`; they are no settings.
_SERVICE_LINKS = re.compile(
    r"POLLER_(\w+_)?(SERVICE_HOST=|SERVICE_PORT(_\w+)?=|PORT=(tcp|udp|sctp)://|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?=).*",
    re.DOTALL,
)
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")  # IPv6 without brackets, too
_LEVELS = ("debug", "info", "warning", "error")


def read_settings(
    flags: Mapping[str, str | None],
    environ: Mapping[str, str] | None = None,
    *,
    defaults: Mapping[str, str] | None = None,
) -> Settings:
    """Put settings together.

    Args:
        flags: Values given on the command line, by field name; None where not given.
        environ: The environment; the process's own by default.
        defaults: A command's own defaults, by field name.

    Raises:
        StartError: A value is not usable, or a `POLLER_` variable is not a setting.
    """
    environ = os.environ if environ is None else environ
    _refuse_unknown(environ)
    given: dict[str, tuple[str, str]] = {}
    for field in fields(Settings):
        variable = _VARIABLES[field.name]
        flag = flags.get(field.name)
        if flag is not None:
            given[field.name] = (f"--{field.name.removesuffix('_s').replace('_', '-')}", flag)
        elif environ.get(variable):
            given[field.name] = (variable, environ[variable])
        elif defaults and field.name in defaults:
            given[field.name] = ("default", defaults[field.name])
    values = {name: _READERS[name](origin, text) for name, (origin, text) in given.items()}
    values.setdefault("state", default_state(environ))
    _refuse_contradictions({name: origin for name, (origin, _) in given.items()}, values)
    return Settings(**values)  # type: ignore[arg-type]  # each reader returns its field's type


def default_state(environ: Mapping[str, str]) -> str:
    """A SQLite file in the user's state directory (XDG)."""
    home = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return f"sqlite:///{Path(home) / 'poller' / 'state.db'}"


def handler_environment(environ: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """What hosted handlers inherit: the environment without the poller's own settings."""
    environ = os.environ if environ is None else environ
    return {name: text for name, text in environ.items() if not name.startswith("POLLER_")}


def requests_ca_bundle(environ: Mapping[str, str] | None = None) -> str | None:
    """Certificate authorities the SDK falls back to, besides its own AWS_CA_BUNDLE."""
    environ = os.environ if environ is None else environ
    return environ.get("REQUESTS_CA_BUNDLE")


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = set(_VARIABLES.values())
    for name, text in sorted(environ.items()):
        if name in known or not name.startswith("POLLER_"):
            continue
        if not _SERVICE_LINKS.fullmatch(f"{name}={text}"):
            raise StartError(f"{name} is not a setting of this version")


def _refuse_contradictions(origins: Mapping[str, str], values: Mapping[str, object]) -> None:
    """An option that another one leaves without effect is refused, for whoever gave it relies on it."""
    secrets = [name for name in ("api_keys_file", "api_token_file") if name in values]
    for name in (*secrets, "api_hosts", "insecure_no_auth"):
        if values.get(name) and "api" in values and values["api"] is None:
            raise StartError(f"{origins[name]} has no effect while {origins['api']} is off")
    for name in secrets:
        if values.get("insecure_no_auth"):
            raise StartError(f"{origins['insecure_no_auth']} contradicts {origins[name]}: give one of them")


def _read_state(origin: str, text: str) -> str:
    if text.startswith("dynamodb://"):
        try:
            TableAddress.parse(text)
        except ValueError as error:
            raise StartError(f"{origin}: {text!r}: {error}") from error
        return text
    if text == "memory://" or re.fullmatch(r"sqlite:///.+", text):
        return text
    raise StartError(f"{origin}: {text!r} is none of sqlite:///path, dynamodb://table and memory://")


def _read_lease(origin: str, text: str) -> float:
    seconds = _read_seconds(origin, text)
    if not LEASE_RANGE_S[0] <= seconds <= LEASE_RANGE_S[1]:
        raise StartError(
            f"{origin}: {text!r} is not from {LEASE_RANGE_S[0]:g} to {LEASE_RANGE_S[1]:g} seconds"
        )
    return seconds


def _read_region(origin: str, text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+", text):
        raise StartError(f"{origin}: {text!r} is no region")
    return text


def _read_profile(origin: str, text: str) -> Profile:
    return Profile(_one_of(origin, text, [str(profile) for profile in Profile]))


def _read_log_format(origin: str, text: str) -> LogFormat:
    return LogFormat(_one_of(origin, text, [str(log_format) for log_format in LogFormat]))


def _read_log_level(origin: str, text: str) -> str:
    return _one_of(origin, text, _LEVELS)


def _read_seconds(origin: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 86_400:
        raise StartError(f"{origin}: {text!r} is not a number of seconds from 0 to 86400")
    return seconds


def _read_address(origin: str, text: str) -> Address | None:
    if text == "off":
        return None
    try:
        return Address.parse(text)
    except ValueError as error:
        raise StartError(f"{origin}: {text!r} is {error}, nor off") from error


def _read_hosts(origin: str, text: str) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in text.split(","))
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise StartError(f"{origin}: {host!r} is not the name of a host, or its address, without a port")
    return hosts


def _read_path(origin: str, text: str) -> Path:
    if not text:
        raise StartError(f"{origin}: the name of a file is missing")
    return Path(text)


def _read_bool(origin: str, text: str) -> bool:
    return _one_of(origin, text, ("true", "1", "false", "0")) in {"true", "1"}


def _read_count(origin: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000_000_000:
        raise StartError(f"{origin}: {text!r} is not a whole number of at least 1")
    return int(text)


def _read_bytes(origin: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1_048_576:
        raise StartError(f"{origin}: {text!r} is not a whole number of bytes of at least 1048576")
    return int(text)


def _read_switch(origin: str, text: str) -> bool:
    return _one_of(origin, text, ("on", "off")) == "on"


def _one_of(origin: str, text: str, choices: list[str] | tuple[str, ...]) -> str:
    choice = text.lower()
    if choice not in choices:
        raise StartError(f"{origin}: {text!r} is not one of {', '.join(choices)}")
    return choice


_READERS = {
    "state": _read_state,
    "lease_s": _read_lease,
    "region": _read_region,
    "profile": _read_profile,
    "drain_timeout_s": _read_seconds,
    "byte_budget": _read_bytes,
    "api": _read_address,
    "api_keys_file": _read_path,
    "api_token_file": _read_path,
    "api_hosts": _read_hosts,
    "insecure_no_auth": _read_bool,
    "async_retry_base_s": _read_seconds,
    "async_queue_events": _read_count,
    "async_queue_bytes": _read_bytes,
    "functions_only": _read_bool,
    "allow_removal": _read_bool,
    "ops": _read_address,
    "metrics_shards": _read_bool,
    "hot_path": _read_switch,
    "log_format": _read_log_format,
    "log_level": _read_log_level,
}
