"""What holds between the parts of a Document: references lead somewhere, nothing is owned twice."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from kemi.directory.document import Document, Tenant
from kemi.directory.formats import split_address
from kemi.directory.nodes import Finding, Path, spell
from kemi.directory.shapechecks import check_trunk
from kemi.numbering.plan import plan_of
from kemi.routing.model import MEDIA

Has: TypeAlias = Callable[[Path], bool]
"""Whether something stands at a path although it could not be read: then its own complaint is enough."""

_SECTIONS = {"subscriber": "subscribers", "voicemail": "subscribers", "ivr": "ivrs", "queue": "queues"}


def check(document: Document, has: Has = lambda _: False) -> Iterator[Finding]:
    """Give all that is wrong, in no particular order."""
    if MEDIA in document.trunks:
        # The source table would take its peers for media servers, and believe them.
        yield ("trunks", MEDIA), f'"{MEDIA}" stands for the media servers; give the trunk another name'
    yield from _trunk_references(document, has)
    yield from _addresses(document)
    yield from _owners(document)
    yield from _caller_ids(document, has)
    for name, trunk in document.trunks.items():
        yield from check_trunk(("trunks", name), trunk)
    for name, tenant in document.tenants.items():
        yield from _subscribers(("tenants", name), tenant)
        yield from _services(("tenants", name), tenant, has)


def _trunk_references(document: Document, has: Has) -> Iterator[Finding]:
    references: list[tuple[Path, str]] = [
        (("routes", number, "trunks", index), trunk)
        for number, route in enumerate(document.routes)
        for index, trunk in enumerate(route.trunks)
    ]
    references += (
        (("tenants", name, "numbers", did, "trunk"), entry.trunk)
        for name, tenant in document.tenants.items()
        for did, entry in tenant.numbers.items()
    )
    for path, trunk in references:
        if trunk not in document.trunks and not has(("trunks", trunk)):
            known = f"known are {', '.join(document.trunks)}" if document.trunks else "add it to trunks"
            yield path, f'there is no trunk "{trunk}"; {known}'


def _addresses(document: Document) -> Iterator[Finding]:
    """The source address says which peer calls: it must not be two peers'."""
    first: dict[tuple[str, int | None, int | None], tuple[str, str]] = {}
    for index, uri in enumerate(document.media):
        host, port, mask = split_address(uri.removeprefix("sip:").partition(";")[0])
        address = (host, port or 5060, mask)
        if address in first:
            yield ("media", index), f"{uri} is there twice; remove one"
        first[address] = ("", "a media server")
    for name, trunk in document.trunks.items():
        for index, text in enumerate(trunk.accept_from):
            owner, words = first.setdefault(split_address(text), (name, f"trunk {name}"))
            if owner != name:
                path: Path = ("trunks", name, "accept_from", index)
                yield path, f"{text} is also the address of {words}; tell them apart by port"


def _owners(document: Document) -> Iterator[Finding]:
    """A number reaches one place: the SIM of one subscriber, or what one DID leads to."""
    first: dict[str, Path] = {}
    owned: list[tuple[str, Path]] = []
    for name, tenant in document.tenants.items():
        owned += (
            (entry.msisdn, ("tenants", name, "subscribers", extension, "msisdn"))
            for extension, entry in tenant.subscribers.items()
            if entry.msisdn is not None
        )
    for name, tenant in document.tenants.items():
        owned += ((number, ("tenants", name, "numbers", number)) for number in tenant.numbers)
    for number, path in owned:
        before = first.setdefault(number, path)
        if before is not path:
            yield path, f"{number} is already owned by {spell(before[:4])}; remove it from one of them"


def _caller_ids(document: Document, has: Has) -> Iterator[Finding]:
    """A number that no trunk owns would never be presented, and nobody would be told."""
    owned = {number for trunk in document.trunks.values() for number in trunk.numbers}
    # Of trunks that are not there, or could not be read whole, it is not known what they own.
    if not document.trunks or any(
        has(("trunks", name, "numbers", len(trunk.numbers))) for name, trunk in document.trunks.items()
    ):
        return
    if any(has(("trunks", name)) for name in _named_trunks(document) if name not in document.trunks):
        return
    for name, tenant in document.tenants.items():
        wanted: list[tuple[Path, str | None]] = [(("tenants", name, "caller_id"), tenant.caller_id)]
        wanted += (
            (("tenants", name, "subscribers", extension, "caller_id"), person.caller_id)
            for extension, person in tenant.subscribers.items()
        )
        for path, number in wanted:
            if number is not None and number not in owned:
                text = f"no trunk owns {number}, so it would never be presented"
                yield path, f"{text}; add it to numbers of the trunk whose operator lent it"


def _named_trunks(document: Document) -> Iterator[str]:
    for route in document.routes:
        yield from route.trunks
    for tenant in document.tenants.values():
        for did in tenant.numbers.values():
            yield did.trunk


def _subscribers(at: Path, tenant: Tenant) -> Iterator[Finding]:
    emergency = plan_of(tenant.country).emergency
    for extension, subscriber in tenant.subscribers.items():
        if extension in emergency:
            yield (
                (*at, "subscribers", extension),
                f"{extension} is an emergency number in {tenant.country}; choose another extension",
            )
        if "device" in subscriber.ring and subscriber.device is None:
            yield (
                (*at, "subscribers", extension, "ring"),
                "rings a device, but there is none; add device: {password_env: …} or ring only mobile",
            )


def _services(at: Path, tenant: Tenant, has: Has) -> Iterator[Finding]:
    def missing(section: str, name: str) -> bool:
        return name not in getattr(tenant, section) and not has((*at, section, name))

    for path, place in places(at, tenant):
        what, _, name = place.partition(":")
        if missing(_SECTIONS[what], name):
            section = getattr(tenant, _SECTIONS[what])
            known = (
                f"known are {', '.join(list(section)[:10])}" if section else f"add it to {_SECTIONS[what]}"
            )
            kind = "subscriber" if what == "voicemail" else what
            yield path, f'there is no {kind} "{name}" in {at[1]}; {known}'
    for name, ivr in tenant.ivrs.items():
        if ivr.schedule is not None and missing("schedules", ivr.schedule):
            yield (
                (*at, "ivrs", name, "schedule"),
                f'there is no schedule "{ivr.schedule}"; add it to schedules',
            )
    for name, queue in tenant.queues.items():
        for index, member in enumerate(queue.members):
            if missing("subscribers", member):
                text = f'there is no subscriber "{member}" in {at[1]}; add it or remove it here'
                yield (*at, "queues", name, "members", index), text


def places(at: Path, tenant: Tenant) -> Iterator[tuple[Path, str]]:
    """Every place of a tenant that a call may be led to."""
    for number, did in tenant.numbers.items():
        yield (*at, "numbers", number, "to"), did.to
    for name, ivr in tenant.ivrs.items():
        for key, place in ivr.choices.items():
            yield (*at, "ivrs", name, "choices", key), place
        if ivr.timeout is not None:
            yield (*at, "ivrs", name, "timeout", "to"), ivr.timeout.to
    for name, queue in tenant.queues.items():
        if queue.overflow is not None:
            yield (*at, "queues", name, "overflow"), queue.overflow
    for name, schedule in tenant.schedules.items():
        if schedule.closed_to is not None:
            yield (*at, "schedules", name, "closed_to"), schedule.closed_to
