"""Who can be reached, and is known when calling: DIDs, SIMs, trunks that carry nothing."""

from collections.abc import Iterator

from kemi.directory import values
from kemi.directory.audit.model import Remark, remark
from kemi.directory.document import Document
from kemi.directory.nodes import Path
from kemi.numbering.canonicalise import reader
from kemi.numbering.model import Shape
from kemi.numbering.present import write
from kemi.routing.egress import mobile_trunk
from kemi.routing.model import Trunk
from kemi.routing.reading import plan_for, reader_of

__all__ = ["reach"]

WAYS: tuple[Shape, ...] = (
    "e164",
    "e164_bare",
    "national_trunk",
    "national",
    "local",
    "international_prefix",
    "international_00",
)
"""The shapes in which a number can be written."""


def reach(document: Document) -> Iterator[Remark]:
    """Audit what leads in, and the trunks that do."""
    trunks = {trunk.name: trunk for trunk in values.trunks(document)}
    mobile = [trunk for trunk in trunks.values() if trunk.kind == "mvno"]
    yield from _whole(document, mobile)
    yield from _mobile(document, mobile)
    yield from _public(document)
    yield from _dids(document, trunks)
    if mobile:
        yield from _sims(document, mobile)


def _whole(document: Document, mobile: list[Trunk]) -> Iterator[Remark]:
    """What an edge with tenants cannot do without."""
    if not document.tenants:
        return
    if not document.media:
        what = "no media server: calls are connected without services, or refused"
        yield remark("media_empty", ("media",), what, "name one, like sip:127.0.0.1:5080")
    people = any(tenant.subscribers for tenant in document.tenants.values())
    if people and not document.trunks:
        what = "there is no trunk: not even an emergency call leaves"
        yield remark("emergency_without_trunk", ("trunks",), what, "add the mobile network of the SIMs")
    elif not mobile:
        counted = [
            person
            for tenant in document.tenants.values()
            for person in tenant.subscribers.values()
            if person.msisdn is not None
        ]
        if counted:
            what = f"no trunk is of kind mvno: {len(counted)} SIMs cannot ring"
            yield remark("sims_without_network", ("trunks",), what, "add the mobile network of the SIMs")


def _mobile(document: Document, mobile: list[Trunk]) -> Iterator[Remark]:
    people = any(tenant.subscribers for tenant in document.tenants.values())
    rings = mobile_trunk(values.directory(Document(trunks=document.trunks)))
    for trunk in mobile:
        at: Path = ("trunks", trunk.name)
        if people and "extension" not in trunk.called:
            what = "nobody who calls from here can dial an extension: no called shape is extension"
            yield remark("extension_not_read", (*at, "ingress", "called"), what, "add extension to called")
        if rings is not None and trunk.name != rings.name:
            what = f"no SIM rings here: all of them ring on {rings.name}, the first trunk of kind mvno"
            yield remark("second_mobile_network", (*at, "kind"), what, "put the network of the SIMs first")


def _public(document: Document) -> Iterator[Remark]:
    routed = {trunk for route in document.routes for trunk in route.trunks}
    named = routed | {did.trunk for tenant in document.tenants.values() for did in tenant.numbers.values()}
    known = set().union(*(tenant.numbers for tenant in document.tenants.values()))
    wanted = {number for trunk in document.trunks.values() for number in trunk.numbers} - known
    if wanted:
        people = (person for tenant in document.tenants.values() for person in tenant.subscribers.values())
        wanted.difference_update(person.msisdn for person in people if person.msisdn is not None)
    for name, trunk in document.trunks.items():
        at: Path = ("trunks", name)
        if trunk.kind == "carrier" and name not in named:
            what = "no route and no DID names it: only emergency calls may leave on it"
            yield remark("trunk_unused", at, what, "add it to a route, or remove it")
        if trunk.kind == "carrier" and name in routed and not trunk.numbers:
            what = "calls that leave on it are anonymous: it owns no number to show"
            yield remark("nobody_shown", (*at, "numbers"), what, "add the numbers that its operator lent")
        for index, number in enumerate(trunk.numbers):
            if number in wanted:
                what = f"{number} leads nowhere: who calls it back is refused"
                do = "add it to numbers of a tenant, or remove it here"
                yield remark("number_leads_nowhere", (*at, "numbers", index), what, do)


def _dids(document: Document, trunks: dict[str, Trunk]) -> Iterator[Remark]:
    """A DID must be readable on the trunk it comes from, in one of the ways it can be written."""
    for name, tenant in document.tenants.items():
        for number, did in tenant.numbers.items():
            trunk = trunks.get(did.trunk)
            if trunk is None:
                continue
            path: Path = ("tenants", name, "numbers", number)
            dialled = trunk.kind == "mvno"
            whole = reader_of(trunk, "called")
            written = _written(trunk, number, WAYS)
            if any(whole.read(text, "called", dialled=dialled).canonical == number for text in written):
                continue
            plain = reader(trunk.called, plan_for(trunk), trunk.area_code)
            if any(plain.read(text, "called", dialled=dialled).canonical == number for text in written):
                what = f"the rewrite rules of {trunk.name} make another number of every form of it"
                do = f"see 'fmcctl number --trunk {trunk.name} --role called' on what the operator sends"
                yield remark("did_rewritten", path, what, do)
                continue
            fitting = [shape for shape in WAYS if _written(trunk, number, (shape,))]
            what = f"cannot be reached: no called shape of {trunk.name} ({', '.join(trunk.called)}) can be it"
            do = f"add what its operator sends to called: {', '.join(fitting)}"
            yield remark("did_not_read", path, what, do)


def _written(trunk: Trunk, number: str, shapes: tuple[Shape, ...]) -> list[str]:
    """A number in each of these shapes that can express it."""
    plan = plan_for(trunk)
    made = []
    for shape in shapes:
        text, used = write(number, shape, plan, trunk.area_code)
        if used == shape:
            made.append(text)
            if shape == "international_prefix":
                made += (prefix + number[1:] for prefix in plan.international_prefixes[1:])
    return made


def _sims(document: Document, mobile: list[Trunk]) -> Iterator[Remark]:
    """Only who calls with a number that can be read is known as a subscriber."""
    readers = [(trunk, reader_of(trunk, "calling")) for trunk in mobile]
    for name, tenant in document.tenants.items():
        for extension, person in tenant.subscribers.items():
            number = person.msisdn
            if number is None or any(
                numbers.read(text, "calling").canonical == number
                for trunk, numbers in readers
                for text in (*_written(trunk, number, trunk.calling[:1]), *_written(trunk, number, WAYS))
            ):
                continue
            where = " and ".join(trunk.name for trunk in mobile)
            what = f"its calls are taken for a stranger's: no calling shape of {where} can be {number}"
            do = "add what that network sends to calling"
            yield remark("caller_not_read", ("tenants", name, "subscribers", extension, "msisdn"), what, do)
