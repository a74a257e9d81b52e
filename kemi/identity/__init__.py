"""Who is calling, who was called before, and what of that may be shown: from SIP headers to plain values.

Pure and total: any text is read in time proportional to its length, nothing is refused, and what is not
understood is carried whole.
"""

from kemi.identity.caller import Identity, identify
from kemi.identity.diversion import CAUSES, REASONS, Diverted
from kemi.identity.headers import HEADERS
from kemi.identity.uri import Address, addresses, uri_of, user_of

__all__ = [
    "CAUSES",
    "HEADERS",
    "REASONS",
    "Address",
    "Diverted",
    "Identity",
    "addresses",
    "identify",
    "uri_of",
    "user_of",
]
