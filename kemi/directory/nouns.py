"""The things that a command changes one at a time: where each stands in a Document and what it may be."""

from collections.abc import Mapping
from typing import Any

import msgspec

from kemi.directory.document import Document, Tenant
from kemi.directory.formats import Format
from kemi.directory.kinds import Kind, ListKind, MapKind, StructKind, TextKind, kind_of
from kemi.directory.nodes import Path
from kemi.directory.tables import (
    DidRow,
    MediaServerRow,
    RouteRow,
    ServiceRow,
    SubscriberRow,
    TenantRow,
    TrunkRow,
)
from kemi.store import Base

Names = tuple[str, ...]
"""What names one thing: its own name, or its tenant's and its own."""


class Noun(msgspec.Struct, frozen=True):
    """One kind of thing.

    `section` is its place in the file, `called` what its name is, `example` such a name; `inner`: it is
    a tenant's.
    """

    name: str
    section: str
    row: type[Base]
    called: str
    example: str
    inner: bool = True

    @property
    def command(self) -> str:
        """The word of the command line."""
        return self.name.partition(" ")[0]

    @property
    def kind(self) -> Kind:
        """What one of it must be."""
        if self.section == "tenants":
            fields = {name: kind for name, kind in _TENANT.fields.items() if name not in SECTIONS}
            return StructKind(
                made=Tenant,
                fields=fields,
                required=frozenset(),
                tag=None,
                must=f"a mapping with the keys {', '.join(fields)}",
            )
        found = self._whole
        return found.item if isinstance(found, ListKind | MapKind) else found

    @property
    def key(self) -> Format | None:
        """The form of its name; None where that is a field of it."""
        found = self._whole
        if isinstance(found, MapKind):
            return found.key
        item = found.item if isinstance(found, ListKind) else found
        return item.format if isinstance(item, TextKind) else None

    @property
    def _whole(self) -> Kind:
        return (_TENANT if self.inner else kind_of(Document)).fields[self.section]

    def path(self, names: Names) -> Path:
        """Where it stands in the file."""
        return ("tenants", names[0], self.section, names[1]) if self.inner else (self.section, names[0])

    def spoken(self, names: Names) -> str:
        """It, in words."""
        return f"{self.name} {names[1]} of {names[0]}" if self.inner else f"{self.name} {names[0]}"

    def entry(self, document: Document, names: Names) -> Any:
        """It, or None where the Document has none of this name."""
        match self.section:
            case "routes":
                index = route_index(document, names[0])
                return None if index is None else document.routes[index]
            case "media":
                return names[0] if names[0] in document.media else None
            case _ if self.inner:
                tenant = document.tenants.get(names[0])
                return None if tenant is None else getattr(tenant, self.section).get(names[1])
            case _:
                return getattr(document, self.section).get(names[0])

    def with_entry(self, document: Document, names: Names, entry: Any) -> Document:
        """The Document with one of it set, behind the others where it is new; None: without it."""
        match self.section:
            case "routes":
                routes = list(document.routes)
                index = route_index(document, names[0])
                at = slice(len(routes), None) if index is None else slice(index, index + 1)
                routes[at] = [] if entry is None else [entry]
                return msgspec.structs.replace(document, routes=tuple(routes))
            case "media":
                media = [uri for uri in document.media if uri != names[0]]
                return msgspec.structs.replace(document, media=(*media, *([] if entry is None else [entry])))
            case "tenants" if entry is not None and names[0] in document.tenants:
                kept = {name: getattr(document.tenants[names[0]], name) for name in SECTIONS}
                entry = msgspec.structs.replace(entry, **kept)
            case _ if self.inner:
                tenant = document.tenants[names[0]]
                held = {name: one for name, one in getattr(tenant, self.section).items() if name != names[1]}
                if entry is not None:
                    held[names[1]] = entry
                changed = msgspec.structs.replace(tenant, **{self.section: held})
                # What is changed comes last: of two that own a number it is the one that is complained of.
                others = {name: other for name, other in document.tenants.items() if name != names[0]}
                return msgspec.structs.replace(document, tenants={**others, names[0]: changed})
            case _:
                pass
        held = _with(getattr(document, self.section), names[0], entry)
        return msgspec.structs.replace(document, **{self.section: held})


def _with(held: Mapping[str, Any], name: str, entry: Any) -> dict[str, Any]:
    changed = {**held, name: entry}
    return {name: value for name, value in changed.items() if value is not None}


def route_index(document: Document, name: str) -> int | None:
    """Where a route is: `+7495`, or `+7495/2` for the second one of that prefix."""
    prefix, _, number = name.partition("/")
    same = [index for index, route in enumerate(document.routes) if route.prefix == prefix]
    wanted = int(number) - 1 if number.isdecimal() else 0 if not number else -1
    return same[wanted] if 0 <= wanted < len(same) else None


_TENANT = kind_of(Tenant)
SECTIONS = ("subscribers", "numbers", "ivrs", "queues", "schedules", "destinations")
"""What a tenant holds that is named one by one."""

TRUNK = Noun("trunk", "trunks", TrunkRow, "NAME", "backup", inner=False)
ROUTE = Noun("route", "routes", RouteRow, "PREFIX", "+7495", inner=False)
MEDIA = Noun("media server", "media", MediaServerRow, "URI", "sip:192.0.2.10:5080", inner=False)
TENANT = Noun("tenant", "tenants", TenantRow, "TENANT", "company", inner=False)
SUBSCRIBER = Noun("subscriber", "subscribers", SubscriberRow, "EXTENSION", "201")
NUMBER = Noun("number", "numbers", DidRow, "NUMBER", "+74951234567")
IVR = Noun("ivr", "ivrs", ServiceRow, "NAME", "main")
QUEUE = Noun("queue", "queues", ServiceRow, "NAME", "sales")
SCHEDULE = Noun("schedule", "schedules", ServiceRow, "NAME", "office")
DESTINATION = Noun("destination", "destinations", ServiceRow, "NAME", "crm")
