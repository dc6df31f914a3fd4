"""Internet addresses in event patterns, compared by value.

event-ruler, which AWS publishes, compares them as hexadecimal digits; what follows from that holds here too.
"""

import re
from dataclasses import dataclass
from typing import Self

_IPV4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_IPV6 = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*")
# A longer text is not an address to Java, which event-ruler asks.
_LONGEST_IPV4 = 15
_MAPPED = bytes(10) + b"\xff\xff"


def address_digits(text: str) -> str | None:
    """Return the 8 or 32 hexadecimal digits of an IPv4 or IPv6 address; None for any other text.

    Leading zeros are decimal (`010.0.0.1` is 10.0.0.1). An IPv6 address that maps one of IPv4 is that one.
    """
    if _IPV4.fullmatch(text):
        octets = [int(part) for part in text.split(".")] if len(text) <= _LONGEST_IPV4 else [256]
        return bytes(octets).hex() if max(octets) < 256 else None
    packed = _ipv6(text) if _IPV6.fullmatch(text) else None
    if packed is None:
        return None
    return packed[12:].hex() if packed.startswith(_MAPPED) else packed.hex()


def _ipv6(text: str) -> bytes | None:
    head, gap, tail = text.partition("::")
    before = head.split(":") if head else []
    behind = tail.split(":") if tail else []
    missing = 8 - len(before) - len(behind)
    if "" in before or "" in behind or missing < bool(gap) or (missing and not gap):
        return None
    groups = [int(group, 16) for group in (*before, *["0"] * missing, *behind)]
    return b"".join(group.to_bytes(2) for group in groups) if max(groups) < 0x10000 else None


@dataclass(frozen=True, slots=True)
class Block:
    """A CIDR block, by the digits of its first and last address."""

    first: str
    last: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `address/bits`; None for what is not a block, and a single address is none."""
        address, _, bits = text.partition("/")
        digits = address_digits(address)
        if digits is None or not re.fullmatch(r"\+?[0-9]{1,9}", bits):
            return None
        width = len(digits) * 4
        free = width - int(bits)
        if free < 1:
            return None
        first = int(digits, 16) >> free << free
        last = first | ((1 << free) - 1)
        return cls(f"{first:0{width // 4}x}", f"{last:0{width // 4}x}")

    def holds(self, digits: str) -> bool:
        """Tell whether an address lies inside.

        An address of the other version is compared as far as the shorter one's digits go.
        """
        length = min(len(digits), len(self.first))
        if length == len(self.first):
            return self.first <= digits[:length] <= self.last
        return self.first[:length] < digits < self.last[:length]
