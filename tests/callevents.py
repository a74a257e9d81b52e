"""Events of calls for tests: a small language in which a call is a list of what happened when."""

from kemi.calls.events import Answered, Ended, Failed, Media, Started
from kemi.numbering.model import Number, Step

CALL = "01938f6e-0000-7000-8000-000000000001"
T0 = 1_790_000_000_000_000
"""Microseconds since the epoch; 2026-09-21."""

CLIENT = Number(
    raw="9161234567",
    canonical="+79161234567",
    kind="e164",
    shape="national",
    value="+79161234567",
    trail=(Step("national: +7", "9161234567", "+79161234567"),),
)
SIM = Number("79990000201", "+79990000201", "e164", "e164_bare", "+79990000201")
EXTENSION = Number("202", None, "extension", "extension", "202")
EMERGENCY = Number("112", None, "emergency", None, "112")


def at(seconds):
    return T0 + round(seconds * 1_000_000)


def started(seconds, leg="in", call=CALL, **given):
    """The trunk's leg of a call from a SIM to a client, unless said otherwise."""
    fields = {
        "node": "edge-1",
        "source": "mvno-main",
        "direction": "mobile_originated",
        "action": "media",
        "reason": "mobile_originated",
        "calling": SIM,
        "called": CLIENT,
        "tenant": "company",
        "subscriber": "201",
        "service": "dial",
        "record": True,
        "announce": True,
        "identity": {"P-Asserted-Identity": SIM},
    }
    return Started(call=call, leg=leg, at=at(seconds), **(fields | given))


def far(seconds, leg="far", call=CALL, **given):
    """The leg that a media server sent back."""
    fields = {
        "source": "media",
        "action": "trunk",
        "service": None,
        "record": False,
        "announce": False,
        "egress": "wholesale",
    }
    return started(seconds, leg, call, **(fields | given))


def answered(seconds, leg="in", call=CALL, egress=None):
    return Answered(call, leg, at(seconds), egress)


def ended(seconds, leg="in", call=CALL):
    return Ended(call, leg, at(seconds))


def failed(seconds, status, leg="in", call=CALL, egress=None):
    return Failed(call, leg, at(seconds), status, egress)


def media(seconds, call=CALL, leg="asterisk-1.1", **given):
    fields = {"server": "media-1", "consent": "played", "recording": f"2026/09/21/{call}.wav"}
    return Media(call=call, leg=leg, at=at(seconds), **(fields | given))


def conversation(call=CALL):
    """An outgoing call that was announced, answered and recorded: every event of it."""
    return [
        started(0, call=call),
        far(0.1, call=call),
        answered(4, "far", call, "wholesale"),
        answered(7, call=call),
        ended(67, call=call),
        ended(67.02, "far", call),
        media(67.01, call=call, dial_status="ANSWER"),
    ]
