"""What an audit finds, and by which rules."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from kemi.directory.nodes import Path

__all__ = ["RULES", "Remark", "Rule", "Severity", "remark"]

Severity: TypeAlias = Literal["error", "warning"]


class Rule(msgspec.Struct, frozen=True):
    """One thing that is looked for. An error never works; a warning works, but hardly as it was meant."""

    severity: Severity
    finds: str


class Remark(msgspec.Struct, frozen=True):
    """One thing found: where, what is wrong and what to do. `examples` are numbers that show it."""

    severity: Severity
    rule: str
    path: Path
    text: str
    do: str
    examples: tuple[str, ...] = ()


def remark(rule: str, path: Path, text: str, do: str, examples: tuple[str, ...] = ()) -> Remark:
    """A finding of a rule."""
    return Remark(RULES[rule].severity, rule, path, text, do, examples)


def _error(finds: str) -> Rule:
    return Rule("error", finds)


def _warning(finds: str) -> Rule:
    return Rule("warning", finds)


RULES: Mapping[str, Rule] = {
    "refused": _error("what `apply` refuses; a database may hold it where parts were applied one by one"),
    # Trunks: what they are told, and what they tell.
    "shape_hidden": _error("a shape that shapes before it leave nothing: its numbers are read as others"),
    "shape_never": _error("a shape that no number can have there"),
    "shape_superfluous": _warning("a shape that is listed twice, or adds nothing to those before it"),
    "shape_ambiguous": _warning("two shapes that take the same digits for different numbers"),
    "rewrite_hidden": _warning("a rewrite rule whose texts a rule before it has changed already"),
    "rewrite_nothing": _warning("a rewrite rule that changes nothing"),
    "extension_not_read": _warning("a mobile network on which nobody can dial an extension"),
    "second_mobile_network": _warning("a mobile network that never rings a SIM: the first one does"),
    "nobody_shown": _warning("a public network that calls leave on without any number to show"),
    "number_leads_nowhere": _warning("a number that is shown, and that nobody can be called back at"),
    "trunk_unused": _warning("a public network that no route and no DID names"),
    "emergency_without_trunk": _error("tenants, and no trunk that takes an emergency call"),
    "sims_without_network": _error("SIMs, and no mobile network to ring them"),
    "media_empty": _error("tenants, and no media server"),
    # Where calls leave.
    "prefix_impossible": _error("a prefix that no number begins with"),
    "route_unreached": _warning("a route that no call takes"),
    "route_repeats": _warning("a trunk that is tried already where it is named again"),
    "allow_without_route": _error("an allowed prefix that no route leads out"),
    "allow_partly_without_route": _warning("an allowed prefix that routes lead out only in part"),
    "caller_id_not_shown": _warning("a caller_id of trunks that none of the tenant's calls leave on"),
    "caller_id_of_another": _warning("a caller_id that is a number of another tenant"),
    "shows_another": _warning("calls that show the number of another tenant, because none of their own fits"),
    # What numbers lead to.
    "did_not_read": _error("a DID that no called shape of its trunk can be"),
    "did_rewritten": _warning("a DID that the rewrite rules of its trunk make another number of"),
    "caller_not_read": _error("a SIM whose calls no mobile network says the number of"),
    "no_phone": _warning("a subscriber without a SIM and without a device"),
    "cannot_ring": _error("a subscriber that rings only what it does not have"),
    "no_answer": _error("a call that is led to a subscriber who has no phone and no voicemail"),
    "no_voicemail": _error("a call that is led to the voicemail of a subscriber without voicemail"),
    "extension_hides": _warning("an extension that is also a number people dial"),
    "extension_hidden": _error("an extension that is taken for another number"),
    "queue_rings_nobody": _error("a queue without a member that can ring"),
    "member_cannot_ring": _warning("a member of a queue that cannot ring"),
    "member_twice": _warning("a member that is in a queue twice"),
    "never_opens": _error("a schedule that never opens"),
    "hours_empty": _warning("opening hours that end when they begin"),
    "closed_to_nobody": _warning("a menu whose schedule leads nowhere while it is closed"),
    "dead_end": _warning("a menu in which nothing can be chosen and nothing follows"),
    "loop": _error("places that lead to each other at once, for ever"),
    "loop_waiting": _warning("places that lead to each other for ever while nobody answers or chooses"),
    "unused": _warning("a menu, queue or schedule that no number leads to"),
    "crm_missing": _warning("a DID that asks a CRM where there is none"),
    "recorded_untold": _warning("calls that are recorded and whose outside party is not told"),
    "announce_never": _warning("a notice of recording for calls that are not recorded"),
}
"""Every rule by its name."""
