"""How numbers stand in the headers of a trunk: each in its shape, each header with its own grammar."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

import msgspec

from kemi.identity import CAUSES
from kemi.numbering.model import Number, Shape, Step
from kemi.numbering.present import write
from kemi.routing.model import Diverted, Trunk
from kemi.routing.reading import plan_for

__all__ = ["ANONYMOUS", "AS_IT_CAME", "Pen", "address", "asserted", "diverting", "escaped", "number_of"]

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
"""The From of a caller who is not shown (RFC 3323 section 4.1.1.3)."""

AS_IT_CAME = ";shape=unknown"
"""Towards a media server, the parameter of a URI whose number is carried verbatim."""

_UNESCAPED = "-_.!~*'()&=+$,;?/"
_DIALABLE = frozenset("0123456789+*#")
_LONGEST = 32

# RFC 7544 section 6: a reason of Diversion as the cause of RFC 4458 in History-Info; 404 for all others.
_CAUSES = {reason: cause for cause, reason in CAUSES.items() if cause != "487"}


def number_of(canonical: str) -> Number:
    """A number of the directory, which is canonical by definition."""
    return Number(canonical, canonical, "e164", "e164", canonical)


def address(number: Number) -> str | None:
    """A number as the user part of a URI, not shortened; None for what may not stand in one.

    A number of unknown shape goes on as it came where it consists of what can be dialled. Anything else
    was put there by somebody's mistake or malice and stays in the record.
    """
    text = number.value
    if not text or len(text) > _LONGEST or not _DIALABLE.issuperset(text):
        return None
    return escaped(text)


def escaped(user: str) -> str:
    """A text as the user part of a URI (RFC 3261 section 25.1: unreserved and user-unreserved stay)."""
    if user.isascii() and user.removeprefix("+").isalnum():
        return user
    return quote(user, safe=_UNESCAPED, errors="replace")


class Pen(msgspec.Struct):
    """Writes numbers into the headers of one message to a trunk, or to media (None: canonical).

    `trail` holds by which steps each header got its numbers, in their order; the rule of a step that wrote
    one is the shape that was used. `chosen` is the step by which a number of ours became the caller's.
    """

    trunk: Trunk | None
    trail: dict[str, tuple[Step, ...]] = {}
    chosen: Step | None = None
    known: dict[tuple[str, Shape], tuple[Step, ...]] = {}

    def choose(self, step: Step) -> None:
        """From here on the number that this step ends with is the caller's."""
        self.chosen = step
        self.known = {}

    def write(self, header: str, number: Number) -> str:
        """A number as the user part in a header."""
        trunk, canonical = self.trunk, number.canonical
        if trunk is None:
            return address(number) or ""
        steps: tuple[Step, ...] | None
        if canonical is None:
            # What no shape fitted goes on as it came, an extension or a service as it is called.
            steps = (Step(number.kind, number.value, address(number) or ""),)
        else:
            # Headers of one message share numbers and shapes: each is written once.
            egress = trunk.egress
            shape = egress.headers.get(header, egress.shape)
            steps = self.known.get((canonical, shape))
            if steps is None:
                text, used = write(canonical, shape, plan_for(trunk), trunk.area_code)
                step = Step(used, canonical, text)
                chosen = self.chosen
                steps = (chosen, step) if chosen is not None and chosen.after == canonical else (step,)
                self.known[canonical, shape] = steps
        self.trail[header] = self.trail[header] + steps if header in self.trail else steps
        return steps[-1].after


def asserted(pen: Pen, number: Number, host: str, *, private: bool, party: str = "calling") -> dict[str, str]:
    """The headers that assert who a party is, as this trunk takes them.

    A private number goes only to who is in our trust domain, and Privacy with it (RFC 3325 section 7).
    """
    trunk = pen.trunk
    if address(number) is None or (private and trunk is not None and trunk.egress.privacy == "drop"):
        return {}
    headers = {}
    for header in ("P-Asserted-Identity",) if trunk is None else trunk.egress.identity:
        if header == "P-Preferred-Identity" and party == "called":
            # Requests only (RFC 3325 section 9.2).
            continue
        # A media server gives it back as it is: what no shape fitted must not fit E.164 there.
        looks = trunk is None and number.kind == "unknown" and number.value[:1] == "+"
        shape = AS_IT_CAME if looks else ""
        uri = f"<sip:{pen.write(header, number)}@{host}{shape}>"
        if header == "Remote-Party-ID":
            uri += f";party={party};screen=yes;privacy={'full' if private else 'off'}"
        headers[header] = uri
    if private:
        headers["Privacy"] = "id"
    return headers


def diverting(pen: Pen, diversions: Sequence[Diverted], called: Number, host: str) -> Mapping[str, str]:
    """The headers that say by whom a call was diverted; `diversions` begins with the newest.

    Who is private is named only inside the trust domain, as with `asserted`.
    """
    trunk = pen.trunk
    told = [
        one
        for one in diversions
        if address(one.number) is not None
        and not (one.private and trunk is not None and trunk.egress.privacy == "drop")
    ]
    if not told:
        return {}
    headers: dict[str, str] = {}
    for header in ("Diversion",) if trunk is None else trunk.egress.diversion:
        if header == "Diversion":
            headers[header] = ", ".join(_diversion(pen, one, host) for one in told)
        else:
            headers[header] = _history(pen, told, called, host)
    return headers


def _diversion(pen: Pen, one: Diverted, host: str) -> str:
    # RFC 5806 section 4.
    privacy = ";privacy=full" if one.private else ""
    counter = f";counter={one.counter}" if one.counter > 1 else ""
    screen = "" if one.screened else ";screen=no"
    uri = f"<sip:{pen.write('Diversion', one.number)}@{host}>"
    return f"{uri};reason={one.reason}{counter}{privacy}{screen}"


def _history(pen: Pen, told: Sequence[Diverted], called: Number, host: str) -> str:
    # RFC 7044: the first called is entry 1, each later target is below the one that diverted to it (mp), with
    # the cause of the diversion that led to it (RFC 4458).
    entries = []
    index, cause = "1", ""
    for one in reversed(told):
        privacy = "?Privacy=history" if one.private else ""
        uri = f"<sip:{pen.write('History-Info', one.number)}@{host}{cause}{privacy}>"
        entries.append(f"{uri};index={index}{_parent(index)}")
        index += ".1"
        cause = f";cause={_CAUSES.get(one.reason, '404')}"
    uri = f"<sip:{pen.write('History-Info', called)}@{host}{cause}>"
    return ", ".join([*entries, f"{uri};index={index}{_parent(index)}"])


def _parent(index: str) -> str:
    parent = index.rpartition(".")[0]
    return f";mp={parent}" if parent else ""
