"""What numbers lead to: people who can ring, menus that lead on, queues, schedules."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from kemi.directory import values
from kemi.directory.audit.model import Remark, remark
from kemi.directory.checks import places
from kemi.directory.document import Bitrix24, Document, Schedule, Subscriber, Tenant
from kemi.directory.nodes import Path
from kemi.numbering.canonicalise import reader
from kemi.routing.model import Trunk
from kemi.routing.reading import plan_for

__all__ = ["services"]

Edges: TypeAlias = Mapping[str, list[tuple[str, Path, bool]]]
"""From a place to where it leads of itself: the place, where that stands, whether time passes before."""


def services(document: Document) -> Iterator[Remark]:
    """Audit tenant by tenant."""
    trunks = [trunk for trunk in values.trunks(document) if trunk.kind == "mvno"]
    for name, tenant in document.tenants.items():
        at: Path = ("tenants", name)
        yield from _subscribers(at, tenant)
        yield from _extensions(at, tenant, trunks, document)
        yield from _targets(at, tenant)
        yield from _queues(at, tenant)
        yield from _schedules(at, tenant)
        yield from _menus(at, tenant)
        yield from _loops(at, tenant)
        yield from _unused(at, tenant)
        yield from _policies(at, tenant)


def _rings(person: Subscriber) -> bool:
    return not person.suspended and _could_ring(person)


def _could_ring(person: Subscriber) -> bool:
    return ("mobile" in person.ring and person.msisdn is not None) or (
        "device" in person.ring and person.device is not None
    )


def _subscribers(at: Path, tenant: Tenant) -> Iterator[Remark]:
    for extension, person in tenant.subscribers.items():
        path = (*at, "subscribers", extension)
        if person.msisdn is None and person.device is None:
            what = "has no SIM and no device: it can neither call nor be called"
            yield remark("no_phone", path, what, "add msisdn or device")
        elif not _could_ring(person):
            has = "a SIM" if person.msisdn is not None else "a device"
            what = f"never rings: it has {has}, and ring names {', '.join(person.ring) or 'nothing'}"
            word = "mobile" if person.msisdn is not None else "device"
            yield remark("cannot_ring", (*path, "ring"), what, f"write ring: [{word}]")


def _extensions(at: Path, tenant: Tenant, trunks: list[Trunk], document: Document) -> Iterator[Remark]:
    """The same digits must not be an extension and something else that people dial."""
    plan = plan_for(values.tenants(Document(tenants={str(at[1]): document.tenants[str(at[1])]}))[0])
    dialled = [trunk for trunk in trunks if "extension" in trunk.called]
    readers = []
    for trunk in dialled:
        index = trunk.called.index("extension")
        area_code = tenant.area_code or trunk.area_code
        readers.append(
            (reader(trunk.called[:index], plan, area_code), reader(trunk.called[index:], plan, area_code))
        )
    for extension in tenant.subscribers:
        path = (*at, "subscribers", extension)
        if dialled and extension in plan.short:
            what = f"hides {extension}, a public service of {tenant.country}: nobody here can call that"
            yield remark("extension_hides", path, what, "choose another extension")
        for trunk, (before, behind) in zip(dialled, readers, strict=True):
            hidden, hides = before.read(extension, "called"), behind.read(extension, "called")
            if hidden.kind == "e164":
                what = f"cannot be dialled from {trunk.name}: it is taken for {hidden.value} ({hidden.shape})"
                yield remark("extension_hidden", path, what, "put extension first in called of that trunk")
            elif hides.kind == "e164":
                what = f"hides {hides.value} ({hides.shape}) for who dials it from {trunk.name}"
                yield remark("extension_hides", path, what, "choose another extension")


def _targets(at: Path, tenant: Tenant) -> Iterator[Remark]:
    for path, place in places(at, tenant):
        what, _, name = place.partition(":")
        person = tenant.subscribers.get(name) if what in {"subscriber", "voicemail"} else None
        if person is None:
            continue
        if what == "voicemail" and not person.voicemail:
            do = f"set voicemail: true of {name}, or lead elsewhere"
            yield remark("no_voicemail", path, f"subscriber {name} has no voicemail", do)
        elif what == "subscriber" and not _rings(person) and not person.voicemail:
            why = "is suspended" if person.suspended else "cannot ring"
            text = f"subscriber {name} {why} and has no voicemail: nobody answers"
            do = f"resume {name}" if person.suspended else f"give {name} a SIM"
            yield remark("no_answer", path, text, f"{do}, or lead elsewhere")


def _queues(at: Path, tenant: Tenant) -> Iterator[Remark]:
    for name, queue in tenant.queues.items():
        path = (*at, "queues", name, "members")
        deaf = {
            one for one in queue.members if one in tenant.subscribers and not _rings(tenant.subscribers[one])
        }
        if deaf and deaf.issuperset(queue.members):
            text = f"nobody takes its calls: of {', '.join(queue.members)} none can ring"
            yield remark("queue_rings_nobody", path, text, "add a member with a SIM")
            continue
        for index, member in enumerate(queue.members):
            if member in deaf:
                suspended = tenant.subscribers[member].suspended
                text = f"{member} {'is suspended' if suspended else 'cannot ring'}"
                do = f"{'resume it' if suspended else 'give it a SIM'}, or remove it here"
                yield remark("member_cannot_ring", (*path, index), text, do)
            if member in queue.members[:index]:
                yield remark("member_twice", (*path, index), f"{member} is there twice", "remove one")


def _schedules(at: Path, tenant: Tenant) -> Iterator[Remark]:
    for name, schedule in tenant.schedules.items():
        path = (*at, "schedules", name, "open")
        empty = [index for index, hours in enumerate(schedule.open) if _empty(hours)]
        if len(empty) == len(schedule.open):
            what = "never opens: " + ("each of its hours ends when it begins" if empty else "it has no hours")
            yield remark("never_opens", path, what, 'write when it is open, like "Mon-Fri 09:00-18:00"')
            continue
        for index in empty:
            what = f"{schedule.open[index]} opens for no time"
            yield remark("hours_empty", (*path, index), what, "correct its end, or remove it")


def _empty(hours: str) -> bool:
    begin, _, end = hours.rpartition(" ")[2].partition("-")
    return begin == end


def _menus(at: Path, tenant: Tenant) -> Iterator[Remark]:
    for name, ivr in tenant.ivrs.items():
        path = (*at, "ivrs", name)
        if not ivr.choices and not ivr.direct_dial and ivr.timeout is None:
            what = "leads nowhere: it has no choices, no direct_dial and no timeout"
            yield remark("dead_end", path, what, "add one of them")
        schedule = _schedule(tenant, ivr.schedule)
        if schedule is not None and schedule.closed_to is None:
            what = f"who calls while {ivr.schedule} is closed is led nowhere"
            yield remark("closed_to_nobody", (*path, "schedule"), what, "add closed_to to that schedule")


def _schedule(tenant: Tenant, name: str | None) -> Schedule | None:
    return None if name is None else tenant.schedules.get(name)


def _edges(at: Path, tenant: Tenant) -> Edges:
    """Where a call goes on without anybody's doing. What people choose is theirs."""
    edges: dict[str, list[tuple[str, Path, bool]]] = {}
    for name, ivr in tenant.ivrs.items():
        leads = edges[f"ivr:{name}"] = []
        schedule = _schedule(tenant, ivr.schedule)
        if schedule is not None and schedule.closed_to is not None:
            leads.append((schedule.closed_to, (*at, "schedules", str(ivr.schedule), "closed_to"), False))
        if ivr.timeout is not None:
            leads.append((ivr.timeout.to, (*at, "ivrs", name, "timeout", "to"), True))
    for name, queue in tenant.queues.items():
        if queue.overflow is not None:
            edges[f"queue:{name}"] = [(queue.overflow, (*at, "queues", name, "overflow"), True)]
    return edges


def _loops(at: Path, tenant: Tenant) -> Iterator[Remark]:
    """Each loop once, at the step that closes it."""
    edges = _edges(at, tenant)
    done: set[str] = set()
    for start in edges:
        trail: list[str] = []
        waits: list[bool] = []
        stack = [(start, iter(edges[start]))] if start not in done else []
        if stack:
            trail.append(start)
        while stack:
            place, leads = stack[-1]
            for to, path, waiting in leads:
                if to in trail:
                    since = trail.index(to)
                    yield _loop(path, [*trail[since:], to], waiting=waiting or any(waits[since:]))
                elif to in edges and to not in done:
                    stack.append((to, iter(edges[to])))
                    trail.append(to)
                    waits.append(waiting)
                    break
            else:
                stack.pop()
                trail.pop()
                if waits:
                    waits.pop()
                done.add(place)


def _loop(path: Path, trail: list[str], *, waiting: bool) -> Remark:
    way = " → ".join(trail)
    if waiting:
        what = f"leads round for ever while nobody answers or chooses: {way}"
        return remark("loop_waiting", path, what, "end it in a voicemail box")
    return remark("loop", path, f"leads round at once: {way}", "lead elsewhere")


def _unused(at: Path, tenant: Tenant) -> Iterator[Remark]:
    """What no number leads to, whatever is chosen on the way."""
    leads: dict[str, list[str]] = {}
    for path, place in places(at, tenant):
        kind, name = str(path[2]), str(path[3])
        source = {"ivrs": f"ivr:{name}", "queues": f"queue:{name}", "schedules": f"schedule:{name}"}
        leads.setdefault(source.get(kind, "numbers"), []).append(place)
    for name, ivr in tenant.ivrs.items():
        if ivr.schedule is not None:
            leads.setdefault(f"ivr:{name}", []).append(f"schedule:{ivr.schedule}")
    reached: set[str] = set()
    waiting = ["numbers"]
    while waiting:
        for place in leads.get(waiting.pop(), ()):
            if place not in reached:
                reached.add(place)
                waiting.append(place)
    for kind, section in (("ivr", tenant.ivrs), ("queue", tenant.queues), ("schedule", tenant.schedules)):
        for name in section:
            if f"{kind}:{name}" not in reached:
                what = f"no number of {at[1]} leads to it"
                yield remark("unused", (*at, f"{kind}s", name), what, "lead a number to it, or remove it")


def _policies(at: Path, tenant: Tenant) -> Iterator[Remark]:
    if not any(isinstance(one, Bitrix24) for one in tenant.destinations.values()):
        for number, did in tenant.numbers.items():
            if did.crm_routing is not None:
                what = f"{at[1]} has no CRM to ask for who is {did.crm_routing}"
                do = "add a destination of kind bitrix24, or remove it"
                yield remark("crm_missing", (*at, "numbers", number, "crm_routing"), what, do)
    policy, announce = tenant.recording.policy, tenant.recording.announce
    for side in ("inbound", "outbound"):
        recorded = policy in {"all", side}
        if recorded and side not in announce:
            what = f"{side} calls are recorded, and nobody tells the other party"
            path: Path = (*at, "recording", "announce")
            yield remark("recorded_untold", path, what, f"add {side} to announce, if there is no consent")
        elif not recorded and side in announce and not _recorded(tenant, side):
            what = f"{side} calls are not recorded, so there is nothing to announce"
            path = (*at, "recording", "announce", announce.index(side))
            yield remark("announce_never", path, what, "remove it, or record them")


def _recorded(tenant: Tenant, side: str) -> bool:
    return any(person.recording in {"all", side} for person in tenant.subscribers.values())
