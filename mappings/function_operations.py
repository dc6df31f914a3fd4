"""GetFunction and GetFunctionConfiguration of the functions that mapping files define. No HTTP.

Terraform, SAM and the console's tools ask for them before they name a function in a mapping.
"""

import hashlib
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from mappings.directory import FunctionDirectory
from mappings.functions import Function, HandlerFunction, LambdaFunction
from mappings.home import NO_ACCOUNT, PARTITION
from mappings.resolution import Asked, Resolved, resolve


class FunctionOperations:
    """The operations on functions. What is behind an ARN of AWS Lambda is AWS Lambda's to tell."""

    def __init__(self, directory: FunctionDirectory, *, started_at: float) -> None:
        """Serve a directory; `started_at`, epoch seconds, is when its functions were last modified."""
        self._directory = directory
        self._last_modified = _iso(started_at)

    def get_configuration(self, parameters: Mapping[str, object], region: str | None) -> dict[str, object]:
        """GetFunctionConfiguration; `region` is the caller's."""
        found = self._found(parameters, region)
        return {**self._common(found), **_runtime(found.function)}

    def get(self, parameters: Mapping[str, object], region: str | None) -> dict[str, object]:
        """GetFunction: the configuration, and that its code is not to be fetched from here."""
        found = self._found(parameters, region)
        configuration = {**self._common(found), **_runtime(found.function)}
        return {
            "Configuration": configuration,
            "Code": {"RepositoryType": "S3"},
            "Tags": {},
            **_concurrency(found.function),
        }

    def _found(self, parameters: Mapping[str, object], region: str | None) -> Resolved:
        asked = Asked.of(parameters, region, self._directory.home)
        found = resolve(asked, self._directory.listed)
        if found is None:
            raise asked.missing(asked.arn)
        return found

    def _common(self, found: Resolved) -> dict[str, object]:
        function = found.function
        digest = hashlib.sha256(repr(function).encode()).hexdigest()
        return {
            "FunctionName": function.name,
            "FunctionArn": found.arn,
            "Role": f"arn:{PARTITION}:iam::{NO_ACCOUNT}:role/poller",
            "CodeSize": 0,
            "Description": "",
            # Of a function of AWS Lambda only Lambda knows it; 3 s is its default.
            "Timeout": int(function.timeout or 3),
            "MemorySize": 128,
            "LastModified": self._last_modified,
            "CodeSha256": digest,
            "Version": found.version,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
            **_dead_letter(function),
        }


def _concurrency(function: Function) -> Mapping[str, object]:
    if isinstance(function, LambdaFunction) or function.concurrency is None:
        return {}
    if isinstance(function, HandlerFunction) and not function.reserved:
        return {}
    return {"Concurrency": {"ReservedConcurrentExecutions": function.concurrency}}


def _dead_letter(function: Function) -> Mapping[str, object]:
    if isinstance(function, LambdaFunction) or function.dead_letter is None:
        return {}
    return {"DeadLetterConfig": {"TargetArn": function.dead_letter}}


def _runtime(function: Function) -> Mapping[str, object]:
    match function:
        case HandlerFunction():
            runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
            return {"PackageType": "Zip", "Runtime": runtime, "Handler": function.handler.replace(":", ".")}
        case _:
            return {"PackageType": "Image"}


def _iso(seconds: float) -> str:
    """Return a time as AWS writes it in a function's configuration, such as 2026-01-31T12:00:00.000+0000."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}+0000"
