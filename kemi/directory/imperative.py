"""One change at a time: add, set, remove; SIMs that are swapped, extensions that move.

Each takes the part of the directory that it concerns (kemi.directory.partial) and gives a Plan. RefusedError
says why something cannot be done, DocumentError what is wrong with the keys and values that were given.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from kemi.directory import nouns
from kemi.directory.apply import Plan
from kemi.directory.assignments import assign, node_of
from kemi.directory.checks import places
from kemi.directory.document import Document, Tenant
from kemi.directory.nodes import Problem, Reader, spell
from kemi.directory.nouns import Names, Noun
from kemi.directory.partial import MANY, Part, planned
from kemi.directory.rows import SECTIONS
from kemi.directory.tables import DidRow, SubscriberRow, TenantRow
from kemi.directory.yamlfile import DocumentError, without_defaults

__all__ = ["RefusedError", "add", "existing", "move", "no_tenant", "remove", "set_", "suspend", "swap_sim"]


class RefusedError(Exception):
    """A change cannot be made as the directory is; the message says why and what to do."""


def add(part: Part, noun: Noun, names: Names, given: Sequence[str]) -> Plan:
    """A new one, with the keys that are given and the defaults of all others."""
    if noun.inner and part.tenant(names[0]) is None:
        raise no_tenant(part, names[0])
    if noun is nouns.ROUTE:
        # A prefix may have several routes, the first comes first.
        return _with_entry(part, noun, names, {"prefix": names[0]}, given, put=_append_route)
    if _found(part, noun, names) is not None:
        change = "" if noun is nouns.MEDIA else f": change it with 'fmcctl {noun.command} set'"
        raise RefusedError(f"there is a {noun.spoken(names)} already{change}")
    return _with_entry(part, noun, names, names[0] if noun is nouns.MEDIA else {}, given)


def set_(part: Part, noun: Noun, names: Names, given: Sequence[str]) -> Plan:
    """Set the keys that are given; all others stay."""
    plain = without_defaults(existing(part, noun, names))
    if noun is nouns.TENANT:
        plain = {name: value for name, value in plain.items() if name not in nouns.SECTIONS}
    return _with_entry(part, noun, names, plain, given)


def remove(part: Part, noun: Noun, names: Names) -> Plan:
    """Remove one that nothing refers to."""
    existing(part, noun, names)
    if noun is nouns.TENANT:
        _refuse_while_it_holds_anything(part, names[0])
    found = list(_referrers(part, noun, names))
    if found:
        listed = ", ".join(found[:MANY]) + (" and more" if len(found) > MANY else "")
        raise RefusedError(f"{noun.spoken(names)} is referred to by {listed}: change or remove these first")
    try:
        return planned(part, lambda document: noun.with_entry(document, names, None))
    except DocumentError as error:
        raise RefusedError(f"{noun.spoken(names)} cannot be removed: {error}") from error


def suspend(part: Part, names: Names, *, suspended: bool) -> Plan:
    """A suspended SIM can call for help, and nothing else."""
    return set_(part, nouns.SUBSCRIBER, names, [f"suspended={str(suspended).lower()}"])


def swap_sim(part: Part, names: Names, msisdn: str) -> Plan:
    """Give a subscriber another SIM; its number must be nobody's."""
    if not msisdn:
        raise RefusedError("a SIM has a number: to take it away, set msisdn= instead")
    return set_(part, nouns.SUBSCRIBER, names, [f"msisdn={msisdn}"])


def move(part: Part, names: Names, extension: str) -> Plan:
    """Give a subscriber another extension; what refers to it follows."""
    tenant, old = names
    entry = existing(part, nouns.SUBSCRIBER, names)
    new = (tenant, extension)
    complaint = _name_complaint(nouns.SUBSCRIBER, extension)
    if complaint:
        raise DocumentError("", [Problem(None, spell(nouns.SUBSCRIBER.path(new)), complaint)])
    if part.subscriber(*new) is not None:
        raise RefusedError(f"there is a {nouns.SUBSCRIBER.spoken(new)} already: choose another extension")
    followed = {f"{what}:{old}": f"{what}:{extension}" for what in ("subscriber", "voicemail")}
    part.leading_to(tenant, followed)

    def moved(document: Document) -> Document:
        document = nouns.SUBSCRIBER.with_entry(document, names, None)
        document = nouns.SUBSCRIBER.with_entry(document, new, entry)
        tenants = {**document.tenants, tenant: _following(document.tenants[tenant], followed, old, extension)}
        return msgspec.structs.replace(document, tenants=tenants)

    return planned(part, moved)


def existing(part: Part, noun: Noun, names: Names) -> Any:
    """One that is there; RefusedError where it is not."""
    if noun.inner and part.tenant(names[0]) is None:
        raise no_tenant(part, names[0])
    found = _found(part, noun, names)
    if found is None:
        if noun is nouns.TENANT:
            raise no_tenant(part, names[0])
        near = _meant(names[-1], _known(part, noun, names))
        where = f" {names[0]}" if noun.inner else ""
        see = f"see 'fmcctl {noun.command} list{where}'"
        raise RefusedError(f"there is no {noun.spoken(names)}: {near or see}")
    return found


def no_tenant(part: Part, name: str) -> RefusedError:
    """There is no such tenant; perhaps another one was meant."""
    near = _meant(name, part.names(TenantRow, "tenant"))
    see = "see 'fmcctl tenant list'"
    return RefusedError(f"there is no tenant {name}: {near or see}")


def _meant(name: str, known: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else None


def _known(part: Part, noun: Noun, names: Names) -> Iterable[str]:
    document = part.document
    match noun:
        case nouns.ROUTE:
            return [route.prefix for route in document.routes]
        case nouns.MEDIA:
            return document.media
        case _ if noun.inner:
            return list(getattr(document.tenants[names[0]], noun.section))
        case _:
            return list(getattr(document, noun.section))


def _found(part: Part, noun: Noun, names: Names) -> Any:
    """One that is there, read as far as it was not; None where it is not."""
    match noun:
        case nouns.TENANT:
            return part.tenant(names[0])
        case nouns.SUBSCRIBER:
            return part.subscriber(*names)
        case nouns.NUMBER:
            found = part.did(names[1])
            if found is not None and found[0] != names[0]:
                raise RefusedError(f"{names[1]} is a number of {found[0]}, not of {names[0]}")
            return None if found is None else found[1]
        case _:
            return noun.entry(part.document, names)


def _name_complaint(noun: Noun, name: str) -> str | None:
    return None if noun.key is None else noun.key.complain(name)


def _append_route(document: Document, _: Names, entry: Any) -> Document:
    return msgspec.structs.replace(document, routes=(*document.routes, entry))


def _with_entry(
    part: Part,
    noun: Noun,
    names: Names,
    plain: Any,
    given: Sequence[str],
    *,
    put: Callable[[Document, Names, Any], Document] | None = None,
) -> Plan:
    """The plan that sets what is there already, as plain values, changed as `given` says."""
    at, kind = noun.path(names), noun.kind
    problems = []
    complaint = _name_complaint(noun, names[-1])
    if complaint and noun is not nouns.MEDIA:
        problems.append(Problem(None, spell(at), complaint))
    node = node_of(plain)
    problems += assign(node, kind, given, at)
    reader = Reader()
    entry = reader.read_as(node, kind, at)
    problems += [Problem(None, each.key, each.text) for each in reader.problems]
    if entry is None:
        raise DocumentError("", sorted(problems, key=lambda problem: problem.key))
    if noun is nouns.SUBSCRIBER and entry.msisdn is not None:
        part.owners(entry.msisdn)
    elif noun is nouns.NUMBER:
        part.owners(names[1])
    make = put or noun.with_entry
    return planned(part, lambda document: make(document, names, entry), problems)


def _refuse_while_it_holds_anything(part: Part, name: str) -> None:
    tenant = part.document.tenants[name]
    counted = {
        "subscribers": part.counted(SubscriberRow, tenant=name),
        "numbers": part.counted(DidRow, tenant=name),
        **{section: len(getattr(tenant, section)) for section in SECTIONS.values()},
    }
    held = ", ".join(f"{count} {section}" for section, count in counted.items() if count)
    if held:
        raise RefusedError(f"tenant {name} still has {held}: remove these first")


def _referrers(part: Part, noun: Noun, names: Names) -> Iterator[str]:
    """Where the file would name it."""
    if noun is nouns.TRUNK:
        for index, route in enumerate(part.document.routes):
            if names[0] in route.trunks:
                yield f"routes[{index}] ({route.prefix})"
        part.on_trunk(names[0])
        for name, tenant in part.document.tenants.items():
            for number, did in tenant.numbers.items():
                if did.trunk == names[0]:
                    yield spell(("tenants", name, "numbers", number))
    if not noun.inner:
        return
    tenant_name, name = names
    wanted = _PLACES.get(noun.name, ())
    leading = {f"{what}:{name}" for what in wanted}
    if leading:
        part.leading_to(tenant_name, leading, limit=MANY + 1)
    tenant = part.document.tenants[tenant_name]
    at = ("tenants", tenant_name)
    for path, place in places(at, tenant):
        if place in leading:
            yield spell(path)
    for queue, entry in tenant.queues.items():
        if noun is nouns.SUBSCRIBER and name in entry.members:
            yield spell((*at, "queues", queue, "members"))
    for ivr, menu in tenant.ivrs.items():
        if noun is nouns.SCHEDULE and menu.schedule == name:
            yield spell((*at, "ivrs", ivr, "schedule"))


_PLACES: Mapping[str, Sequence[str]] = {
    "subscriber": ("subscriber", "voicemail"),
    "ivr": ("ivr",),
    "queue": ("queue",),
}
"""How a place names each."""


def _following(tenant: Tenant, places: Mapping[str, str], old: str, new: str) -> Tenant:
    """A tenant whose places and queues name another extension."""

    def led(place: str | None) -> str | None:
        return None if place is None else places.get(place, place)

    replace = msgspec.structs.replace
    return replace(
        tenant,
        numbers={number: replace(did, to=led(did.to)) for number, did in tenant.numbers.items()},
        ivrs={
            name: replace(
                ivr,
                choices={key: led(place) for key, place in ivr.choices.items()},
                timeout=None if ivr.timeout is None else replace(ivr.timeout, to=led(ivr.timeout.to)),
            )
            for name, ivr in tenant.ivrs.items()
        },
        queues={
            name: replace(
                queue,
                members=tuple(new if member == old else member for member in queue.members),
                overflow=led(queue.overflow),
            )
            for name, queue in tenant.queues.items()
        },
        schedules={
            name: replace(schedule, closed_to=led(schedule.closed_to))
            for name, schedule in tenant.schedules.items()
        },
    )
