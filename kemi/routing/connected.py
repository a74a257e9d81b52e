"""The way back: which identity a reply, an UPDATE or a re-INVITE shows the other side.

Identity travels in both directions (RFC 3325 section 5, RFC 4916): who answered is asserted in 18x and 200,
and either side may say anew who it is. A number that is rewritten forwards and not backwards leaks.
"""

from collections.abc import Mapping

import msgspec

from kemi.identity import identify
from kemi.numbering.model import Number
from kemi.routing.model import Trunk
from kemi.routing.reading import MEDIA_NUMBERS, reader_of
from kemi.routing.writing import Pen, asserted, number_of

__all__ = ["Connected", "connected"]

_ORDER = ("P-Asserted-Identity", "Remote-Party-ID")


class Connected(msgspec.Struct, frozen=True):
    """Headers to write in place of those that came, and what each of these said."""

    headers: Mapping[str, str]
    identity: Mapping[str, Number]


def connected(
    headers: Mapping[str, str], sender: Trunk | None, receiver: Trunk | None, called: str | None, host: str
) -> Connected:
    """Say what the receiver is shown of the sender. Pure and total.

    Args:
        headers: P-Asserted-Identity, Remote-Party-ID and Privacy of the message, those that it has.
        sender: the trunk it came from; None for a media server.
        receiver: the trunk it goes to; None for a media server.
        called: the number that was called (E.164) where the sender is the called side; None where it is
            the calling side, or no number is known.
        host: the edge's own address:port, for the URIs it writes.
    """
    said = identify(headers, _ORDER, trusted=True)
    numbers = MEDIA_NUMBERS if sender is None else reader_of(sender, "calling")
    identity = {header: numbers.read(text, "calling") for header, text in said.claims.items()}
    number = None if said.header is None else identity[said.header]
    # A stranger's word is taken only where it says what we know already: the number that we called.
    if number is None or not (
        sender is None or sender.trusted or (called is not None and number.canonical == called)
    ):
        return Connected({}, identity)
    private = said.private
    if receiver is not None and receiver.kind == "carrier":
        # Who called our number has reached our number: which SIM it led to is not for the public network.
        if called is None:
            return Connected({}, identity)
        number, private = number_of(called), False
    return Connected(asserted(Pen(receiver), number, host, private=private, party="called"), identity)
