"""Where calls leave: routes that nothing takes, prefixes that lead nowhere, numbers that are never shown."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from kemi.directory.audit.model import Remark, remark
from kemi.directory.document import Document, Route, Tenant
from kemi.directory.nodes import Path
from kemi.numbering.extent import begins_a_number, uncovered

__all__ = ["outward"]


def outward(document: Document) -> Iterator[Remark]:
    """Audit routes, what tenants may call, and what is shown there."""
    ways = _Ways(document)
    yield from _impossible(document)
    yield from _repeats(document.routes)
    yield from _unreached(document.routes, ways)
    for name, tenant in document.tenants.items():
        at: Path = ("tenants", name)
        yield from _without_route(at, tenant, ways)
        yield from _not_shown(at, tenant, ways)
        yield from _of_another(at, tenant, ways)


class _Ways:
    """Which routes take numbers that may be called."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.prefixes = sorted({route.prefix for route in document.routes})
        allowed = {prefix for tenant in document.tenants.values() for prefix in tenant.outbound.allow}
        self.allowed = sorted(allowed)
        self._leads: dict[tuple[str, ...], frozenset[str]] = {}

    def taken(self, prefix: str, allowed: Iterable[str]) -> bool:
        """Whether a number that may be called takes the routes of a prefix, and not those of a longer one."""
        start, end = bisect_left(self.prefixes, prefix), bisect_left(self.prefixes, f"{prefix}:")
        longer = [one for one in self.prefixes[start:end] if one != prefix]
        for one in allowed:
            both = max(one, prefix, key=len)
            compatible = one.startswith(prefix) or prefix.startswith(one)
            if compatible and uncovered(both, longer, begins_a_number) is not None:
                return True
        return False

    def trunks(self, allowed: tuple[str, ...]) -> frozenset[str]:
        """The trunks that calls to allowed numbers leave on."""
        if allowed not in self._leads:
            taken = {prefix for prefix in self.prefixes if self.taken(prefix, allowed)}
            routes = (route for route in self.document.routes if route.prefix in taken)
            self._leads[allowed] = frozenset(trunk for route in routes for trunk in route.trunks)
        return self._leads[allowed]

    def owners(self, number: str) -> list[str]:
        """The trunks that may show a number."""
        return self._owners.get(number, [])

    @cached_property
    def _owners(self) -> dict[str, list[str]]:
        owners: dict[str, list[str]] = {}
        for name, trunk in self.document.trunks.items():
            for number in trunk.numbers:
                owners.setdefault(number, []).append(name)
        return owners

    @cached_property
    def tenant_of(self) -> dict[str, str]:
        """Whose a number is: a DID or a SIM."""
        found = {}
        for name, tenant in self.document.tenants.items():
            found.update(dict.fromkeys(tenant.numbers, name))
            found.update({one.msisdn: name for one in tenant.subscribers.values() if one.msisdn})
        return found


def _impossible(document: Document) -> Iterator[Remark]:
    prefixes: list[tuple[Path, str]] = [
        (("routes", index, "prefix"), route.prefix) for index, route in enumerate(document.routes)
    ]
    prefixes += (
        (("tenants", name, "outbound", "allow", index), prefix)
        for name, tenant in document.tenants.items()
        for index, prefix in enumerate(tenant.outbound.allow)
    )
    for path, prefix in prefixes:
        if not begins_a_number(prefix):
            what = f"no number begins with {prefix}"
            yield remark(
                "prefix_impossible", path, what, "correct it: plus, country code, and how it goes on"
            )


def _repeats(routes: Sequence[Route]) -> Iterator[Remark]:
    tried: dict[str, set[str]] = {}
    for index, route in enumerate(routes):
        before = tried.setdefault(route.prefix, set())
        for place, trunk in enumerate(route.trunks):
            if trunk in before:
                what = f"{trunk} is tried already for {route.prefix}"
                yield remark("route_repeats", ("routes", index, "trunks", place), what, "remove it here")
            before.add(trunk)


def _unreached(routes: Sequence[Route], ways: _Ways) -> Iterator[Remark]:
    for index, route in enumerate(routes):
        prefix = route.prefix
        if not begins_a_number(prefix) or ways.taken(prefix, ways.allowed):
            continue
        path = ("routes", index, "prefix")
        if ways.taken(prefix, (prefix,)):
            what = f"no call takes it: no tenant may call {_numbers(prefix)}"
            yield remark(
                "route_unreached", path, what, "add the prefix to outbound.allow, or remove the route"
            )
        else:
            what = f"no call takes it: routes of longer prefixes take all of {_numbers(prefix)}"
            yield remark("route_unreached", path, what, "remove it, or one of those")


def _numbers(prefix: str) -> str:
    return "any number" if prefix == "+" else f"a number that begins with {prefix}"


def _without_route(at: Path, tenant: Tenant, ways: _Ways) -> Iterator[Remark]:
    for index, prefix in enumerate(tenant.outbound.allow):
        left = uncovered(prefix, ways.prefixes, begins_a_number)
        if left is None:
            continue
        path = (*at, "outbound", "allow", index)
        begin, end = bisect_left(ways.prefixes, prefix), bisect_left(ways.prefixes, f"{prefix}:")
        if begin == end:
            what = f"no route leads out for {_numbers(prefix)}"
            yield remark("allow_without_route", path, what, "add a route for it, or remove it here")
        else:
            what = f"no route leads out for {_numbers(left)}"
            do = "add a route for the rest, or allow only what has one"
            yield remark("allow_partly_without_route", path, what, do, (left,))


def _not_shown(at: Path, tenant: Tenant, ways: _Ways) -> Iterator[Remark]:
    leads = ways.trunks(tenant.outbound.allow)
    for path, number in _caller_ids(at, tenant):
        owners = ways.owners(number)
        # One that no trunk owns is refused, which is said elsewhere.
        if owners and leads.isdisjoint(owners):
            if tenant.outbound.allow:
                what = f"{number} is never shown: no route of {at[1]} leaves on {' or '.join(owners)}"
                do = "add that trunk to a route, or name a number of a trunk that is in one"
            else:
                what = f"{number} is never shown: {at[1]} may call nothing outside"
                do = "set outbound.allow, or remove it"
            yield remark("caller_id_not_shown", path, what, do)


def _caller_ids(at: Path, tenant: Tenant) -> Iterator[tuple[Path, str]]:
    if tenant.caller_id is not None:
        yield (*at, "caller_id"), tenant.caller_id
    for extension, person in tenant.subscribers.items():
        if person.caller_id is not None:
            yield (*at, "subscribers", extension, "caller_id"), person.caller_id


def _of_another(at: Path, tenant: Tenant, ways: _Ways) -> Iterator[Remark]:
    name = str(at[1])
    for path, number in _caller_ids(at, tenant):
        owner = ways.tenant_of.get(number, name)
        if owner != name:
            what = f"{number} is a number of {owner}: who calls it back reaches {owner}"
            yield remark("caller_id_of_another", path, what, f"name a number of {name}")
    if not tenant.subscribers:
        return
    for trunk in sorted(ways.trunks(tenant.outbound.allow)):
        entry = ways.document.trunks.get(trunk)
        if entry is None or entry.kind != "carrier" or not entry.numbers:
            continue
        shown = entry.numbers[0]
        owner = ways.tenant_of.get(shown, name)
        if owner != name and tenant.caller_id not in entry.numbers:
            what = f"calls of {name} on {trunk} show its first number, {shown}, which is a number of {owner}"
            yield remark("shows_another", (*at, "caller_id"), what, f"set caller_id to a number of {trunk}")
