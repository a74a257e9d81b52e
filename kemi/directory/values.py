"""A Document as the values that routing asks for."""

from collections.abc import Iterator

from kemi.directory.document import Did as DidEntry
from kemi.directory.document import Document
from kemi.directory.document import Prefixes as PrefixesEntry
from kemi.directory.document import Subscriber as SubscriberEntry
from kemi.directory.document import Tenant as TenantEntry
from kemi.directory.document import Trunk as TrunkEntry
from kemi.numbering.model import Rewrite, Shape
from kemi.routing.memory import MemoryDirectory
from kemi.routing.model import Device, Did, Egress, Prefixes, Route, Subscriber, Tenant, Trunk


def trunks(document: Document) -> tuple[Trunk, ...]:
    """All trunks, in the order of the file."""
    return tuple(_trunk(name, entry) for name, entry in document.trunks.items())


IDENTITY = {"mvno": ("P-Served-User", "P-Asserted-Identity", "From"), "carrier": ("From",)}
"""Who says who calls where a trunk does not name the headers: only the mobile network's word is taken."""


def _trusted(entry: TrunkEntry) -> bool:
    # To name a header that asserts a caller is to believe it (RFC 3325 section 6).
    if entry.trusted is None:
        return entry.kind == "mvno" or bool(set(entry.identity) - {"From"})
    return entry.trusted


def _prefixes(entry: PrefixesEntry | None) -> Prefixes | None:
    return None if entry is None else Prefixes(entry.trunk, entry.international)


def _trunk(name: str, entry: TrunkEntry) -> Trunk:
    headers: dict[str, Shape] = {header: shape for header, shape in entry.egress.headers.items()}  # noqa: C416  widens
    return Trunk(
        name=name,
        kind=entry.kind,
        peers=entry.peers,
        accept_from=entry.accept_from,
        identity=entry.identity or (IDENTITY[entry.kind] if _trusted(entry) else ("From",)),
        trusted=_trusted(entry),
        called_from=entry.called_from,
        calling=entry.ingress.calling,
        called=entry.ingress.called,
        rewrites=tuple(Rewrite(one.name, one.match, one.replace, one.role) for one in entry.ingress.rewrite),
        egress=Egress(
            shape=entry.egress.shape,
            headers=headers,
            privacy=entry.egress.privacy or ("pass" if _trusted(entry) else "drop"),
            identity=entry.egress.identity,
            forwarded=entry.egress.forwarded,
            diversion=entry.egress.diversion,
        ),
        numbers=entry.numbers,
        country=entry.country,
        area_code=entry.area_code,
        prefixes=_prefixes(entry.prefixes),
        on_media_down=entry.on_media_down,
    )


def routes(document: Document) -> tuple[Route, ...]:
    """Longest prefix first, then the order of the file."""
    ordered = sorted(document.routes, key=lambda route: -len(route.prefix))
    return tuple(Route(entry.prefix, entry.trunks) for entry in ordered)


def tenants(document: Document) -> tuple[Tenant, ...]:
    """All tenants."""
    return tuple(tenant(name, entry) for name, entry in document.tenants.items())


def tenant(name: str, entry: TenantEntry) -> Tenant:
    """One tenant, without what belongs to it."""
    return Tenant(
        name=name,
        title=entry.name,
        country=entry.country,
        area_code=entry.area_code,
        prefixes=_prefixes(entry.prefixes),
        caller_id=entry.caller_id,
        recording=entry.recording.policy,
        announce=entry.recording.announce,
        outbound_allow=entry.outbound.allow,
    )


def subscribers(document: Document) -> Iterator[Subscriber]:
    """All subscribers of all tenants."""
    for name, entry in document.tenants.items():
        for extension, person in entry.subscribers.items():
            yield subscriber(name, extension, person)


def subscriber(tenant: str, extension: str, entry: SubscriberEntry) -> Subscriber:
    """One subscriber."""
    return Subscriber(
        tenant=tenant,
        extension=extension,
        name=entry.name,
        msisdn=entry.msisdn,
        crm_user=entry.crm_user,
        ring=entry.ring,
        answer_confirm=entry.answer_confirm,
        voicemail=entry.voicemail,
        recording=entry.recording,
        caller_id=entry.caller_id,
        clir=entry.clir,
        suspended=entry.suspended,
        device=Device(entry.device.password_env) if entry.device else None,
    )


def dids(document: Document) -> Iterator[Did]:
    """All DIDs of all tenants."""
    for name, entry in document.tenants.items():
        for number, one in entry.numbers.items():
            yield did(number, name, one)


def did(number: str, tenant: str, entry: DidEntry) -> Did:
    """One DID."""
    return Did(number, tenant, entry.trunk, entry.to, entry.crm_routing)


def directory(document: Document, revision: int = 0) -> MemoryDirectory:
    """The whole Document as a directory in memory."""
    return MemoryDirectory(
        trunks(document),
        routes(document),
        tenants(document),
        subscribers(document),
        dids(document),
        revision=revision,
    )
