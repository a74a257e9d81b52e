"""What a trunk says of numbers must be able to hold: shapes, rewrite rules, prefixes, whose word is taken."""

from collections.abc import Iterator, Sequence

from kemi.directory.document import Trunk
from kemi.directory.nodes import Finding, Path
from kemi.numbering.model import Shape
from kemi.numbering.plan import Plan, plan_of
from kemi.numbering.rewrite import unknown_places

NATIONAL = frozenset({"national", "national_trunk", "local"})


def check_trunk(at: Path, trunk: Trunk) -> Iterator[Finding]:
    """Give all that is wrong with one trunk, in no particular order."""
    yield from _trust(at, trunk)
    yield from _rules((*at, "ingress", "rewrite"), trunk)
    yield from _prefixes((*at, "prefixes"), trunk)
    own = trunk.prefixes
    plan = plan_of(trunk.country) if own is None else plan_of(trunk.country, own.trunk, own.international)
    for path, shape, subscribers in _shapes(at, trunk):
        # What a subscriber dials is completed by the tenant's plan and area code.
        complaint = None if subscribers else _impossible(shape, plan, trunk.area_code)
        if complaint:
            yield path, f"{shape} {complaint}"


def _shapes(at: Path, trunk: Trunk) -> Iterator[tuple[Path, Shape, bool]]:
    """Each shape with its place, and whether it is what subscribers dial."""
    ways: tuple[tuple[str, Sequence[Shape]], ...] = (
        ("calling", trunk.ingress.calling),
        ("called", trunk.ingress.called),
    )
    for role, shapes in ways:
        for index, shape in enumerate(shapes):
            yield (*at, "ingress", role, index), shape, role == "called" and trunk.kind == "mvno"
    yield (*at, "egress", "shape"), trunk.egress.shape, False
    for header, shape in trunk.egress.headers.items():
        yield (*at, "egress", "headers", header), shape, False


def _impossible(shape: Shape, plan: Plan, area_code: str | None) -> str | None:
    """Why no number can have a shape on a trunk; None where one can."""
    if shape in NATIONAL and not plan.code:
        return f"means nothing without a country; set country, or use e164 ({plan.country} is no country)"
    if shape == "national_trunk" and not plan.trunk_prefix:
        return "means nothing without a trunk prefix; set prefixes: {trunk: …} or use national"
    if shape == "local" and area_code is None:
        return 'means nothing without an area code; set area_code of the trunk, like "495"'
    return None


def _rules(at: Path, trunk: Trunk) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, entry in enumerate(trunk.ingress.rewrite):
        before = first.setdefault(entry.name, index)
        if before != index:
            text = f'"{entry.name}" is also the name of rule {before}; the trail would not tell them apart'
            yield (*at, index, "name"), f"{text}, give each its own"
        for place in dict.fromkeys(unknown_places(entry.match, entry.replace)):
            text = f"uses {{{place}}}, which match has not; write it there too, or leave it out"
            yield (*at, index, "replace"), text


def _trust(at: Path, trunk: Trunk) -> Iterator[Finding]:
    asserted = [header for header in trunk.identity if header != "From"]
    if trunk.trusted is False and asserted:
        text = f"an untrusted trunk is not believed what it asserts, but identity names {', '.join(asserted)}"
        yield (*at, "trusted"), f"{text}; write identity: [From], or trusted: true"


def _prefixes(at: Path, trunk: Trunk) -> Iterator[Finding]:
    own = trunk.prefixes
    if own is None:
        return
    for index, prefix in enumerate(own.international):
        if prefix == own.trunk:
            yield (*at, "international", index), f"{prefix} is also the trunk prefix; each needs its own"
