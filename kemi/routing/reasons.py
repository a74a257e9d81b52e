"""Why a call goes where it goes: the closed set of `Decision.reason`.

Statistics, alarms and call records group by these words: add, never rename.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

__all__ = ["REJECTIONS", "Accepted", "Rejected", "Rejection"]

Accepted: TypeAlias = Literal[
    "outside_number",  # a subscriber calls the public network
    "colleague",  # the tenant's own calls its own, by extension or by number
    "sim_called",  # somebody calls a SIM's msisdn
    "did_called",  # somebody calls a public number of a tenant
    "emergency",
    "short_number",  # a subscriber calls a public service of its country
    "media_leg",  # a media server sends out the second leg of a call
]

Rejected: TypeAlias = Literal[
    "unknown_source",
    "bad_media_headers",
    "loop_detected",
    "unknown_caller",
    "unknown_tenant",
    "unknown_number",
    "unknown_shape",
    "not_a_number",
    "unknown_service",
    "did_leads_nowhere",
    "own_number",
    "no_msisdn",
    "suspended",
    "called_suspended",
    "destination_not_allowed",
    "no_route",
    "no_trunk",
    "media_down",
    "number_would_show",
]


class Rejection(NamedTuple):
    """The SIP status (RFC 3261 section 21) a call is refused with, and why, for a person."""

    status: int
    why: str


REJECTIONS: Mapping[Rejected, Rejection] = {
    "unknown_source": Rejection(403, "The directory has no trunk of this name."),
    "bad_media_headers": Rejection(
        403, "A leg from media must name its tenant and direction in X-FMC headers."
    ),
    "loop_detected": Rejection(482, "This edge has sent the call to the mobile network already."),
    "unknown_caller": Rejection(403, "On a mobile trunk the caller must be a subscriber."),
    "unknown_tenant": Rejection(404, "The tenant is not in the directory."),
    "unknown_number": Rejection(404, "The number is neither a subscriber's nor a DID."),
    "unknown_shape": Rejection(484, "The called number fits no shape that the trunk lists."),
    "not_a_number": Rejection(404, "What is called is not a number."),
    "unknown_service": Rejection(404, "There is no service of this code."),
    "did_leads_nowhere": Rejection(404, "The DID leads to something that is not in the directory."),
    "own_number": Rejection(486, "The caller has dialled its own number."),
    "no_msisdn": Rejection(480, "The subscriber has no SIM to ring."),
    "suspended": Rejection(403, "The caller's SIM is suspended: it can call emergency numbers only."),
    "called_suspended": Rejection(480, "The subscriber's SIM is suspended."),
    "destination_not_allowed": Rejection(403, "The tenant may not call numbers that begin like this one."),
    "no_route": Rejection(404, "No route leads to this number."),
    "no_trunk": Rejection(503, "No trunk with a peer can take the call."),
    "media_down": Rejection(503, "No media server answers and the call cannot go without one."),
    "number_would_show": Rejection(
        503, "Without a media server the caller's withheld number would be seen outside."
    ),
}
