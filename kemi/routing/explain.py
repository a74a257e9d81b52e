"""A call followed through the edge, as plain values: what `fmcctl explain` prints.

It runs the production decision on what arrives and, where that goes to a media server, on what a media
server would send out for it. Nothing is sent.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from kemi.identity import HEADERS
from kemi.routing.decide import decide
from kemi.routing.model import MEDIA, Call, Decision, Directory, Fmc
from kemi.routing.writing import ANONYMOUS, escaped

__all__ = ["call_from", "explain", "leg_of"]

_CANONICAL_NAMES = {name.lower(): name for name in HEADERS}


def call_from(
    trunk: str, calling: str, called: str, headers: Mapping[str, str] | None = None, *, media_up: bool = True
) -> Call:
    """The INVITE that a trunk would send: `calling` in From, `called` in the Request-URI and in To.

    Both may be a number as it would stand in a URI, or a whole URI. `headers` are added, and replace From
    and To; their names may be written in any case.
    """
    callee = called if _is_uri(called) else f"sip:{escaped(called)}@edge"
    caller = calling if _is_uri(calling) else f"<sip:{escaped(calling)}@{trunk}>"
    given = {_CANONICAL_NAMES.get(name.lower(), name): value for name, value in (headers or {}).items()}
    return Call(
        source=trunk, ruri=callee, headers={"From": caller, "To": f"<{callee}>"} | given, media_up=media_up
    )


def _is_uri(text: str) -> bool:
    return "<" in text or text.lower().startswith(("sip:", "sips:", "tel:", "urn:"))


def explain(call: Call, directory: Directory, host: str) -> dict[str, Any]:
    """Follow a call: `{"legs": [...]}` as contracts.md says, of dict, list, str, bool, int and None."""
    first = decide(call, directory, host, explain=True)
    decisions = [first]
    if first.action == "media" and first.service == "dial":
        decisions.append(decide(_dialled_by_media(first, host), directory, host, explain=True))
    return {"legs": [leg_of(decision) for decision in decisions]}


def _dialled_by_media(decision: Decision, host: str) -> Call:
    """What a media server sends for service `dial`: the user it was given, the caller, X-FMC copied."""
    given = decision.targets[0]
    user = given.uri.removeprefix("sip:").partition("@")[0]
    headers = {"From": given.headers.get("P-Asserted-Identity", ANONYMOUS)}
    headers |= {
        name: given.headers[name]
        for name in ("P-Asserted-Identity", "Privacy", "Diversion")
        if name in given.headers
    }
    fmc = Fmc(
        tenant=given.headers["X-FMC-Tenant"],
        direction=given.headers["X-FMC-Direction"],
        subscriber=given.headers.get("X-FMC-Subscriber"),
        service=given.headers["X-FMC-Service"],
    )
    return Call(source=MEDIA, ruri=f"sip:{user}@{host}", headers=headers, fmc=fmc)


def leg_of(decision: Decision) -> dict[str, Any]:
    """One leg of `explain`, from its decision."""
    leg: dict[str, Any] = _plain(msgspec.to_builtins(decision))
    for target in leg["targets"]:
        # A target is a trunk or a device; towards media it is neither.
        for key in ("trunk", "device"):
            if target[key] is None:
                del target[key]
        for key in ("masked", "masks", "presented"):
            if not target[key]:
                del target[key]
    return leg


def _plain(value: Any) -> Any:
    """The same with lists for tuples, as JSON and YAML read it back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
