"""The id of a call: UUID version 7 (RFC 9562 section 5.7), so that ids sort by time."""

import os
import re
import time

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z")

_VERSION_AND_VARIANT = 0x7 << 76 | 0b10 << 62
_RANDOM = 0xFFF << 64 | (1 << 62) - 1


def new() -> str:
    """Make an id from the clock (milliseconds) and 74 random bits."""
    random = int.from_bytes(os.urandom(10), "big")
    whole = time.time_ns() // 1_000_000 << 80 | random & _RANDOM | _VERSION_AND_VARIANT
    text = f"{whole:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def valid(text: str) -> bool:
    """Tell whether a header's value is such an id."""
    return _UUID.match(text) is not None
