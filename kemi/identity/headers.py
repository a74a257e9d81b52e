"""The headers that are read to know who calls, who is called, and what the caller wishes."""

__all__ = ["HEADERS", "header_of"]

HEADERS = (
    "From",
    "To",
    "P-Asserted-Identity",  # RFC 3325
    "P-Preferred-Identity",  # RFC 3325
    "P-Served-User",  # RFC 5502, RFC 8498
    "P-Called-Party-ID",  # RFC 7315
    "Remote-Party-ID",  # draft-ietf-sip-privacy-04
    "Diversion",  # RFC 5806
    "History-Info",  # RFC 7044
    "Privacy",  # RFC 3323
    "Route",
    "Loop-Guard",
)
"""By their canonical names. To and P-Called-Party-ID say who is called; routing reads them and Loop-Guard."""

# RFC 3261 section 7.3.3; the others have no compact form.
_COMPACT = {"f": "From", "t": "To"}
_NAMES = {name.lower(): name for name in HEADERS} | _COMPACT


def header_of(name: str) -> str | None:
    """The canonical name of one of HEADERS, written in any case or in compact form; None for another."""
    return _NAMES.get(name.strip().lower())
