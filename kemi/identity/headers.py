"""The headers that are read to know who calls, who is called, and what the caller wishes."""

__all__ = ["HEADERS"]

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
