"""GetFunction and GetFunctionConfiguration of the functions that mapping files define. No HTTP.

Terraform, SAM and the console's tools ask for them before they name a function in a mapping.
"""

import hashlib
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from mappings.arns import FunctionName
from mappings.directory import LATEST, FunctionDirectory
from mappings.errors import ResourceNotFoundException
from mappings.functions import Function, HandlerFunction, known_timeout

# A function of ours belongs to no account; emulators write the same.
NO_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"
PARTITION = "aws"


class FunctionOperations:
    """The operations on functions. What is behind an ARN of AWS Lambda is AWS Lambda's to tell."""

    def __init__(self, directory: FunctionDirectory, *, started_at: float) -> None:
        """Serve a directory; `started_at`, epoch seconds, is when its functions were last modified."""
        self._directory = directory
        self._last_modified = _iso(started_at)

    def get_configuration(
        self, function_name: str, qualifier: str | None, region: str | None
    ) -> dict[str, object]:
        """GetFunctionConfiguration; `region` is the caller's."""
        name = FunctionName.parse(function_name)
        asked = qualifier or name.qualifier
        arn = name.arn(region=region or DEFAULT_REGION, account=NO_ACCOUNT, partition=PARTITION)
        whole = f"{arn}:{asked}" if asked and name.qualifier is None else arn
        function = self._directory.listed.get(name.name)
        if function is None or asked not in {None, LATEST}:
            raise ResourceNotFoundException(f"Function not found: {whole}")
        return {**self._common(function, whole), **_runtime(function)}

    def get(self, function_name: str, qualifier: str | None, region: str | None) -> dict[str, object]:
        """GetFunction: the configuration, and that its code is not to be fetched from here."""
        configuration = self.get_configuration(function_name, qualifier, region)
        return {"Configuration": configuration, "Code": {"RepositoryType": "S3"}, "Tags": {}}

    def _common(self, function: Function, arn: str) -> dict[str, object]:
        digest = hashlib.sha256(repr(function).encode()).hexdigest()
        return {
            "FunctionName": function.name,
            "FunctionArn": arn,
            "Role": f"arn:{PARTITION}:iam::{NO_ACCOUNT}:role/poller",
            "CodeSize": 0,
            "Description": "",
            # Of a function of AWS Lambda only Lambda knows it; 3 s is its default.
            "Timeout": int(known_timeout(function) or 3),
            "MemorySize": 128,
            "LastModified": self._last_modified,
            "CodeSha256": digest,
            "Version": LATEST,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
        }


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
