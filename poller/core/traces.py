"""X-Ray's trace header, as an invocation carries it: `Root=1-...;Parent=...;Sampled=0`."""

import re
import secrets

# Root and Parent are hexadecimal; SDKs add fields of their own, such as Lineage and Self.
_HEADER = re.compile(r"[!-:<-~]+(;[!-:<-~]+)*")
_ROOT = re.compile(r"1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}")
# A header, and a variable of the handler's environment.
LIMIT_CHARS = 1024


def invocation_trace(given: str, *, now: float) -> str:
    """Return the header of one invocation.

    Args:
        given: The caller's; what is missing in it is added. Empty, or no trace at all, for a fresh one that
            nobody samples.
        now: Epoch seconds.
    """
    fields = _fields(given)
    if not _ROOT.fullmatch(fields.get("Root", "")):
        fields = {"Root": f"1-{int(now):08x}-{secrets.token_hex(12)}"}
    if "Parent" not in fields:
        sampled = fields.pop("Sampled", "0")
        fields |= {"Parent": secrets.token_hex(8), "Sampled": sampled}
    fields.setdefault("Sampled", "0")
    return ";".join(f"{name}={value}" for name, value in fields.items())


def _fields(header: str) -> dict[str, str]:
    """Read a header; empty where it is none."""
    plain = header.replace(" ", "")
    if len(plain) > LIMIT_CHARS or not _HEADER.fullmatch(plain):
        return {}
    parts = [part.partition("=") for part in plain.split(";")]
    return {name: value for name, equals, value in parts if equals}
