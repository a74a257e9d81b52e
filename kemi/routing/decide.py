"""What to do with a call. `decide` is the one entry: the edge, `fmcctl explain` and the tests call it."""

from kemi.routing.leg import Leg, Story
from kemi.routing.media_leg import from_media
from kemi.routing.mobile import from_mobile
from kemi.routing.model import MEDIA, Call, Decision, Directory
from kemi.routing.public import from_public

__all__ = ["decide"]


def decide(call: Call, directory: Directory, host: str, *, explain: bool = False) -> Decision:
    """Decide on one initial INVITE: exactly one final action, for any input.

    Pure: the same call and directory give the same decision. What it raises, the directory raised.

    Args:
        call: the INVITE as it arrived.
        directory: trunks, routes, tenants and their people at this moment.
        host: the edge's own address:port, for the URIs it writes.
        explain: also tell the story, in `Decision.steps`.
    """
    leg = Leg(call, directory, host, Story(told=explain))
    if call.source == MEDIA:
        leg.story.tell("source", "A media server sent the call.")
        return from_media(leg)
    trunk = directory.trunk(call.source)
    if trunk is None:
        leg.story.tell("source", "The call came from {!r}.", call.source)
        return leg.reject("unknown_source")
    leg.story.tell("source", "The call came from {}, a trunk of kind {}.", trunk.name, trunk.kind)
    return from_mobile(leg, trunk) if trunk.kind == "mvno" else from_public(leg, trunk)
