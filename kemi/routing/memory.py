"""The directory as plain values in memory: for `--data FILE`, for tests, as the reference of snapshots."""

from collections.abc import Iterable, Sequence

from kemi.routing.model import Did, Route, Subscriber, Tenant, Trunk

__all__ = ["MemoryDirectory"]


class MemoryDirectory:
    """Implements `kemi.routing.model.Directory` over values given once.

    Where a key occurs twice (a trunk's name, an extension of a tenant, an msisdn, a DID) the last one
    holds: whoever reads a file says so before it comes here.
    """

    def __init__(
        self,
        trunks: Iterable[Trunk] = (),
        routes: Iterable[Route] = (),
        tenants: Iterable[Tenant] = (),
        subscribers: Iterable[Subscriber] = (),
        dids: Iterable[Did] = (),
        *,
        revision: int = 0,
    ) -> None:
        self._revision = revision
        self._trunks = {trunk.name: trunk for trunk in trunks}
        self._all_trunks = tuple(self._trunks.values())
        self._routes = tuple(sorted(routes, key=lambda route: -len(route.prefix)))
        self._tenants = {tenant.name: tenant for tenant in tenants}
        people = tuple(subscribers)
        self._subscribers = {(person.tenant, person.extension): person for person in people}
        self._msisdns = {person.msisdn: person for person in people if person.msisdn is not None}
        self._dids = {did.number: did for did in dids}

    @property
    def revision(self) -> int:
        return self._revision

    def trunk(self, name: str) -> Trunk | None:
        return self._trunks.get(name)

    def trunks(self) -> Sequence[Trunk]:
        return self._all_trunks

    def routes(self) -> Sequence[Route]:
        return self._routes

    def tenant(self, name: str) -> Tenant | None:
        return self._tenants.get(name)

    def subscriber(self, tenant: str, extension: str) -> Subscriber | None:
        return self._subscribers.get((tenant, extension))

    def subscriber_by_msisdn(self, msisdn: str) -> Subscriber | None:
        return self._msisdns.get(msisdn)

    def did(self, number: str) -> Did | None:
        return self._dids.get(number)
