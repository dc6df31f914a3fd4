"""What can go wrong with an exchange, in botocore's exceptions, and the words for it.

Before the first byte was written nothing can have happened (EndpointConnectionError, ConnectTimeoutError, SSLError).
Afterwards anything can: an end before any byte of the answer (CutOff), an answer that broke (BrokenAnswer), one that
is larger than whoever asked takes in (AnswerTooLarge), none in time (ReadTimeoutError).
"""

import errno
import os
import socket
import ssl

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)

BEFORE_SENDING = (EndpointConnectionError, ConnectTimeoutError, SSLError)


class CutOff(ConnectionClosedError):  # type: ignore[misc]  # botocore has no types
    """The connection ended before any byte of the answer."""


class BrokenAnswer(ConnectionClosedError):  # type: ignore[misc]
    """An answer began and its end never came, or it breaks the rules of HTTP/1.1.

    `status` is None where it broke before its status line was whole.
    """

    def __init__(self, *, endpoint_url: str, error: object, status: int | None) -> None:
        super().__init__(endpoint_url=endpoint_url, error=error)
        self.status = status


class AnswerTooLarge(HTTPClientError):  # type: ignore[misc]
    """An answer has more bytes than whoever asked takes in; the rest of it is not read."""


def words(error: Exception, place: str) -> str:
    """What went wrong and where, such as `connection refused: 127.0.0.1:3000`.

    Args:
        error: What an exchange raised.
        place: Host and port, or the path of a socket.
    """
    cause = getattr(error, "kwargs", {}).get("error")
    match error:
        case ConnectTimeoutError():
            return f"no connection in time: {place}"
        case SSLError():
            return _tls_words(cause, place)
        case EndpointConnectionError():
            return _connect_words(cause, place)
        case CutOff():
            return f"the connection was closed before any byte of the answer: {place}"
        case BrokenAnswer():
            return f"{_broken_words(cause)}: {place}"
        case ReadTimeoutError():
            return f"no whole answer in time: {place}"
        case _:
            return f"{cause or 'the exchange failed'}: {place}"


def _tls_words(cause: object, place: str) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"certificate not trusted ({cause.verify_message}): {place}"
    reason = getattr(cause, "reason", None)
    if reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}:
        return f"no TLS is spoken there: {place}"
    return f"TLS failed ({str(reason or 'no reason given').replace('_', ' ').lower()}): {place}"


def _connect_words(cause: object, place: str) -> str:
    match cause:
        case socket.gaierror() | UnicodeError():
            return f"no address found for the host: {place}"
        case ConnectionRefusedError():
            return f"connection refused: {place}"
        case FileNotFoundError():
            return f"no such socket: {place}"
        case ConnectionResetError():
            return f"the connection was closed before anything was sent: {place}"
        case OSError(errno=int(number)) if number in errno.errorcode:
            return f"{os.strerror(number).lower()}: {place}"
        case _:
            return f"no connection: {place}"


def _broken_words(cause: object) -> str:
    """A parser's message is words; an exception of the system is named by its own."""
    if isinstance(cause, OSError) and cause.errno in errno.errorcode:
        return f"the answer was cut off ({os.strerror(cause.errno).lower()})"
    return f"the answer was broken ({cause})" if cause else "the answer was cut off"
