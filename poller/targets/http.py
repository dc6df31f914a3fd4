"""Functions behind plain HTTP: the body of the POST is the Lambda event, the answer is its response."""

import asyncio
import re
import ssl
import time
from http import HTTPStatus

from botocore.exceptions import HTTPClientError, ReadTimeoutError
from msgspec import structs

from mappings.function_options import LATEST, UNAVAILABLE
from poller.core.outcomes import (
    CutOff,
    FunctionError,
    LostReply,
    Outcome,
    Succeeded,
    Throttled,
    TooLarge,
    Unreachable,
)
from poller.core.retry_after import wait_s
from poller.functions.slots import Line, Slots
from poller.hot_path import exchange_errors
from poller.hot_path.connection import Answer
from poller.hot_path.connections import Connections
from poller.hot_path.exchange_errors import BEFORE_SENDING, AnswerTooLarge, BrokenAnswer
from poller.interfaces import Invocation
from poller.targets.http_address import HttpAddress

CONNECT_TIMEOUT_S = 5.0
# Applications close an idle connection whenever they like, and many after a few seconds.
IDLE_S = 1.0
MAX_RESPONSE_BYTES = 6_291_556  # Lambda's own limit for a synchronous response
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_GATEWAYS = frozenset((502, 503, 504))


class HttpTarget:
    """An application that listens for events, such as the one beside a sidecar."""

    def __init__(
        self,
        *,
        url: str,
        timeout_s: float,
        path: str | None = None,
        ready_path: str | None = None,
        unavailable: frozenset[int] = UNAVAILABLE,
        ca_file: str | None = None,
        function_arn: str = "",
        version: str = LATEST,
        slots: Slots | None = None,
    ) -> None:
        """Make a target.

        Args:
            url: Where events are posted to.
            timeout_s: How long an answer may take.
            path: What is asked for on a socket of this machine.
            ready_path: What is asked for to see whether it is there; None to see that it accepts a connection.
            unavailable: Statuses by which a gateway says that the application is not there.
            ca_file: The certificate authorities to trust; None for those of the system.
            function_arn: What its invocations call the function.
            version: Which version of it they mean.
            slots: Its reserved concurrency, shared by all who invoke it.
        """
        self._address = HttpAddress.of(url, path)
        self._timeout_s = timeout_s
        self._ready_path = ready_path
        self._unavailable = unavailable
        self._ca_file = ca_file
        self._function_arn = function_arn
        self._version = version
        self._slots = slots
        self._connections: Connections | None = None

    async def ready(self) -> bool:
        """Whether the application is there: see `unready`."""
        return await self.unready() is None

    async def unready(self) -> str | None:
        """Why the application is not there; None where it is.

        It is there if it accepts a connection or, where it has a path for this, answers on that with anything
        but what a gateway says for it.
        """
        try:
            connections = self._pool()
            if self._ready_path is None:
                await connections.reach()
                return None
            answer = await connections.exchange(
                self._address.head("GET", self._ready_path, ()),
                b"",
                wait_s=self._timeout_s,
                limit_bytes=MAX_RESPONSE_BYTES,
                total=True,
            )
        except AnswerTooLarge:
            return None
        except BrokenAnswer as error:
            return self._words(error) if error.status is None else self._unready_by(error.status)
        except (HTTPClientError, *BEFORE_SENDING, OSError) as error:
            return self._words(error)
        return self._unready_by(answer.status)

    def _unready_by(self, status: int) -> str | None:
        return self._said(status) if status in _GATEWAYS | self._unavailable else None

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Post the event once."""
        if self._slots is None:
            outcome = await self._post(invocation)
        else:
            line = Line.of(invocation)
            if not await self._slots.take(line, line.patience_s):
                return Throttled(reserved=True)
            try:
                outcome = await self._post(invocation)
            finally:
                self._slots.free(line)
        version = invocation.version or self._version
        if version != LATEST and isinstance(outcome, Succeeded | FunctionError):
            return structs.replace(outcome, executed_version=version)
        return outcome

    async def _post(self, invocation: Invocation) -> Outcome:
        try:
            answer = await self._exchange(invocation)
        except exchange_errors.CutOff as error:
            return CutOff(reason=self._words(error))
        except BrokenAnswer as error:
            if error.status is None:
                return LostReply(reason=self._words(error))
            return self._outcome(Answer(error.status, [], b""), invocation, broken=self._words(error))
        except AnswerTooLarge:
            return FunctionError(error_type="Function.ResponseSizeTooLarge")
        except ReadTimeoutError:
            return FunctionError(error_type="Sandbox.Timedout")
        except (*BEFORE_SENDING, OSError) as error:
            return Unreachable(reason=self._words(error))
        return self._outcome(answer, invocation)

    async def _exchange(self, invocation: Invocation) -> Answer:
        payload = invocation.payload
        pool = self._pool()
        begun = asyncio.get_running_loop().time()
        connection = await pool.take()
        head = self._address.head("POST", None, self._headers(invocation, len(payload)))
        spent_s = asyncio.get_running_loop().time() - begun
        return await pool.exchange_on(
            connection,
            head,
            payload,
            wait_s=max(self._timeout_s - spent_s, 0.0),
            limit_bytes=MAX_RESPONSE_BYTES,
            total=True,
        )

    def _outcome(self, answer: Answer, invocation: Invocation, *, broken: str = "") -> Outcome:
        """What a status means; whatever else is wrong with its answer, that has been said."""
        status = answer.status
        if 200 <= status < 300:
            return Succeeded(payload=answer.body, status_code=status, broken=broken)
        retry_after = answer.header(b"retry-after")
        if status == 429 or (status == 503 and retry_after is not None):
            return Throttled(retry_after_s=wait_s(retry_after, answer.header(b"date")))
        if status in self._unavailable:
            return Unreachable(reason=self._said(status), status_code=status)
        if status == 504:  # a gateway waited in vain: the application may have run it
            return LostReply(reason=self._said(status))
        if status == 413:
            return TooLarge(size=len(invocation.payload))
        return FunctionError(error_type=f"Http.{status}", status_code=status)

    async def close(self) -> None:
        """Close connections."""
        if self._connections is not None:
            self._connections.close()

    def _pool(self) -> Connections:
        """The connections; raises OSError where the file of authorities cannot be used."""
        if self._connections is None:
            self._connections = Connections(
                self._address.endpoint(self._tls()), connect_timeout_s=CONNECT_TIMEOUT_S, idle_s=IDLE_S
            )
        return self._connections

    def _tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self._ca_file) if self._address.secure else None

    def _words(self, error: Exception) -> str:
        if isinstance(error, OSError):  # of the file of authorities: exchanges raise botocore's
            return f"ca_file {self._ca_file} cannot be used: {error.strerror or 'it holds no certificate'}"
        return exchange_errors.words(error, self._address.place)

    def _said(self, status: int) -> str:
        named = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
        return f"{f'{status} {named}'.strip()}: {self._address.place}"

    def _headers(self, invocation: Invocation, length: int) -> tuple[tuple[str, str], ...]:
        deadline_ms = int((time.time() + self._timeout_s) * 1000)
        arn = invocation.function_arn or self._function_arn
        return (
            ("Content-Type", "application/json"),
            ("Content-Length", str(length)),
            ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(deadline_ms)),
            ("Idempotency-Key", invocation.request_id),
            ("Esm-Mapping", _line(invocation.mapping.encode("ascii", "replace").decode())),
            ("Esm-Attempt", str(invocation.attempt)),
            *((("Lambda-Runtime-Invoked-Function-Arn", _line(arn)),) if arn else ()),
            *(
                (("Lambda-Runtime-Client-Context", _line(invocation.client_context)),)
                if invocation.client_context
                else ()
            ),
        )


def _line(value: str) -> str:
    """A value in one line: a control character would end a header; to JSON a space is the same."""
    return _CONTROLS.sub(" ", value)
