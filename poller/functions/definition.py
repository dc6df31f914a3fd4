"""What a hosted function is: its names and limits, and the environment its processes run in."""

import importlib.util
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from poller.core.outcomes import FunctionError, Unreachable
from poller.errors import StartError
from poller.functions import failures

LATEST = "$LATEST"
HANDLER_FORM = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")

# Variables by which the runtime client would leave the mode that this host serves (thread polling, several
# events at a time, SnapStart, framed logs). The poller may itself run where they are set.
NOT_INHERITED = frozenset(
    {
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_MAX_CONCURRENCY",
        "_LAMBDA_TELEMETRY_LOG_FD",
        "_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET",
        "_X_AMZN_TRACE_ID",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionDefinition:
    """One Python function as its host runs it."""

    name: str
    handler: str
    """`package.module:function`, found from `root`."""
    arn: str
    environment: Mapping[str, str]
    """Variables its processes start from; those the runtime needs are set over them."""
    root: Path = Path()
    """Working directory of its processes and first entry of their import path."""
    timeout_s: float = 3.0  # AWS's default
    start_timeout_s: float = 60.0
    """Bound of importing the handler. AWS gives 10 s and then starts over within the function's timeout."""
    memory_mb: int = 128

    def check(self) -> None:
        """Raise StartError where no process could ever run this function."""
        if HANDLER_FORM.fullmatch(self.handler) is None:
            raise StartError(
                f"function {self.name!r}: handler {self.handler!r} is not of the form package.module:function"
            )
        if not self.root.is_dir():
            raise StartError(
                f"function {self.name!r}: the handler root {str(self.root)!r} is not a directory"
            )
        if importlib.util.find_spec("awslambdaric") is None:
            raise StartError(
                f"function {self.name!r}: hosting a handler needs the package awslambdaric; "
                "install it with: pip install 'esm-poller[functions]'"
            )

    def is_mistaken(self, failure: FunctionError | Unreachable) -> bool:
        """Whether a start failed because there is no such handler, whatever its module does."""
        match failure:
            case FunctionError(error_type="Runtime.HandlerNotFound" | "Runtime.MalformedHandlerName"):
                return True
            case FunctionError(error_type="Runtime.ImportModuleError"):
                # The runtime client says in words alone which module is missing: this one, or one it imports.
                module = self.handler.partition(":")[0]
                names = module.split(".")
                own = {".".join(names[: length + 1]) for length in range(len(names))}
                begin = f"Unable to import module '{module}': No module named "
                return any(failures.message(failure).startswith(f"{begin}{name!r}") for name in own)
            case _:
                return False

    @property
    def runtime_handler(self) -> str:
        """The handler as the runtime client spells it."""
        return self.handler.replace(":", ".")

    def process_environment(self, *, runtime_api: str, version: str = LATEST) -> dict[str, str]:
        """All variables of one process; `runtime_api` is the host:port it asks for events of `version`."""
        inherited = {name: text for name, text in self.environment.items() if name not in NOT_INHERITED}
        region = inherited.get("AWS_REGION") or inherited.get("AWS_DEFAULT_REGION") or self.arn.split(":")[3]
        defaults = {"AWS_LAMBDA_LOG_FORMAT": "Text", "TZ": ":UTC"}
        return (
            defaults | inherited | self._reserved(region, version) | {"AWS_LAMBDA_RUNTIME_API": runtime_api}
        )

    def _reserved(self, region: str, version: str) -> dict[str, str]:
        day = datetime.now(UTC).strftime("%Y/%m/%d")
        return {
            "_HANDLER": self.runtime_handler,
            "LAMBDA_TASK_ROOT": str(self.root.resolve()),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{day}/[{version}]{uuid.uuid4().hex}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            # By it the runtime client decides how it writes JSON: from Python 3.12 on as UTF-8.
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
        }
