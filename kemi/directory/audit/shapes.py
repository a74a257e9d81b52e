"""Lists of shapes and rewrite rules in which one entry takes from another."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from kemi.directory import values
from kemi.directory.audit.model import Remark, remark
from kemi.directory.document import Document
from kemi.directory.nodes import Path
from kemi.numbering.canonicalise import reader
from kemi.numbering.extent import common, extent, samples, share, within
from kemi.numbering.model import Rewrite, Role, Shape
from kemi.numbering.plan import Plan
from kemi.numbering.rewrite import changes
from kemi.routing.model import Tenant, Trunk
from kemi.routing.reading import plan_for

__all__ = ["shapes"]

REAL = 0.001
"""The part of a shape from which on an overlap counts: below it are abroad's shortest numbers behind 810."""

SHOWN = 3
"""Numbers that show an overlap."""

ROLES: tuple[Role, ...] = ("calling", "called")


def shapes(document: Document) -> Iterator[Remark]:
    """Audit what trunks say of the numbers they send."""
    tenants = values.tenants(document)
    for trunk in values.trunks(document):
        at: Path = ("trunks", trunk.name, "ingress")
        for role, listed in (("calling", trunk.calling), ("called", trunk.called)):
            yield from _repeated((*at, role), listed)
            dialled = role == "called" and trunk.kind == "mvno"
            yield from _overlapping((*at, role), listed, _contexts(trunk, tenants, dialled=dialled))
            if "extension" in listed and not dialled:
                what = "matches nothing here: only a subscriber in a mobile network dials extensions"
                yield remark("shape_never", (*at, role, listed.index("extension")), what, "remove it")
        yield from _rewrites((*at, "rewrite"), trunk.rewrites)


class _Context(msgspec.Struct, frozen=True):
    """By which plan and area numbers are read, and whose these are."""

    plan: Plan
    area_code: str | None
    tenant: str | None = None


def _contexts(trunk: Trunk, tenants: Sequence[Tenant], *, dialled: bool) -> list[_Context]:
    """What a subscriber dials follows the tenant, all else the trunk."""
    if not dialled or not tenants:
        return [_Context(plan_for(trunk), trunk.area_code)]
    first: dict[tuple[Plan, str | None], str] = {}
    for tenant in tenants:
        first.setdefault((plan_for(tenant), tenant.area_code or trunk.area_code), tenant.name)
    return [_Context(plan, area_code, name) for (plan, area_code), name in first.items()]


def _repeated(at: Path, listed: Sequence[Shape]) -> Iterator[Remark]:
    for index, shape in enumerate(listed):
        if shape in listed[:index]:
            yield remark("shape_superfluous", (*at, index), f"{shape} is there twice", "remove one")


def _overlapping(at: Path, listed: tuple[Shape, ...], contexts: Sequence[_Context]) -> Iterator[Remark]:
    told: set[tuple[str, int, int]] = set()
    for context in contexts:
        whose = f" (as {context.tenant} dials)" if context.tenant and len(contexts) > 1 else ""
        for found in _analysed(listed, context.plan, context.area_code):
            key = (found.rule, found.later, found.earlier)
            if key not in told:
                told.add(key)
                path = (*at, found.later)
                yield remark(found.rule, path, f"{found.text}{whose}", found.do, found.examples)
    for index, shape in enumerate(listed):
        of_digits = shape not in {"extension", "service", "withheld", "unknown"}
        if of_digits and not any(extent(shape, each.plan, each.area_code) for each in contexts):
            what = f"{shape} matches nothing here: no tenant has what it is completed with"
            yield remark("shape_never", (*at, index), what, "set area_code or country of the tenant")


class _Found(msgspec.Struct, frozen=True):
    rule: str
    later: int
    earlier: int
    text: str
    do: str
    examples: tuple[str, ...]


@lru_cache(maxsize=1024)
def _analysed(listed: tuple[Shape, ...], plan: Plan, area_code: str | None) -> tuple[_Found, ...]:
    """What shapes take from each other, under one plan."""
    found = []
    extents = [extent(shape, plan, area_code) for shape in listed]
    for later, shape in enumerate(listed):
        mine = extents[later]
        if not mine or shape in listed[:later]:
            continue
        if within(mine, frozenset[tuple[str, int]]().union(*extents[:later])):
            found.append(_hidden(listed, later, plan, area_code))
            continue
        for earlier in range(later):
            if listed[earlier] in listed[:earlier]:
                continue
            both = common(extents[earlier], mine)
            if both and max(share(both, mine), share(both, extents[earlier])) >= REAL:
                pair = _Pair(listed[earlier], shape, plan, area_code)
                texts = _spread([text for text in samples(both, 50) if pair.differ(text)])
                if texts:
                    found.append(_ambiguous(pair, earlier, later, texts))
    return tuple(found)


class _Pair:
    """Two shapes that take the same text; the first one has it."""

    def __init__(self, first: Shape, second: Shape, plan: Plan, area_code: str | None) -> None:
        self.first, self.second = first, second
        self._readers = (reader((first,), plan, area_code), reader((second,), plan, area_code))

    def read(self, text: str) -> tuple[str, str]:
        """What a text is by each of them alone."""
        one, other = (each.read(text, "called").value for each in self._readers)
        return one, other

    def differ(self, text: str) -> bool:
        """Whether a text is another number by each."""
        one, other = self.read(text)
        return one != other


def _spread(texts: list[str]) -> tuple[str, ...]:
    """A few of many, from the first to the last."""
    ordered = sorted(texts)
    if len(ordered) <= SHOWN:
        return tuple(ordered)
    return tuple(ordered[index * (len(ordered) - 1) // (SHOWN - 1)] for index in range(SHOWN))


def _ambiguous(pair: _Pair, earlier: int, later: int, texts: tuple[str, ...]) -> _Found:
    one, other = pair.read(texts[-1])
    return _Found(
        "shape_ambiguous",
        later,
        earlier,
        f"{pair.first} before it takes part of {pair.second}: {texts[-1]} is {one}, not {other}",
        "keep the one that this operator sends, or tell them apart by a rewrite rule",
        texts,
    )


def _hidden(listed: tuple[Shape, ...], later: int, plan: Plan, area_code: str | None) -> _Found:
    shape, before = listed[later], listed[:later]
    alone, whole = reader((shape,), plan, area_code), reader(before, plan, area_code)
    mine = extent(shape, plan, area_code)
    by = [one for one in dict.fromkeys(before) if common(extent(one, plan, area_code), mine)]
    texts = samples(mine, 50)
    changed = [text for text in texts if alone.read(text, "called").value != whole.read(text, "called").value]
    takes = f"{shape} never matches: {' and '.join(by)} before it take{'' if by[1:] else 's'} all of it"
    if not changed:
        return _Found("shape_superfluous", later, 0, takes, "remove it", _spread(texts))
    shown = _spread(changed)
    numbers = f"{whole.read(shown[-1], 'called').value}, not {alone.read(shown[-1], 'called').value}"
    return _Found(
        "shape_hidden",
        later,
        0,
        f"{takes}: {shown[-1]} is {numbers}",
        "put it before them if this operator sends it, else remove it",
        shown,
    )


_PLACE = re.compile(r"\{[a-z][a-z0-9_]*\}")
_ANY = "\ue000"
"""Stands in a placeholder for anything: no literal of a rule has it."""


def _rewrites(at: Path, rules: tuple[Rewrite, ...]) -> Iterator[Remark]:
    for index, rule in enumerate(rules):
        roles = [role for role in ROLES if rule.role in (None, role)]
        if not any(changes((rule,), role) and _applies(rule, role) for role in roles):
            what = f"changes nothing: {rule.match} becomes {rule.replace}"
            yield remark("rewrite_nothing", (*at, index), what, "correct replace, or remove the rule")
            continue
        hiding = [_hiding(rules[:index], rule, role) for role in roles]
        if all(hiding):
            first = next(filter(None, hiding))
            what = f"finds nothing to change: rule {first.name} before it makes {first.replace} of such texts"
            yield remark("rewrite_hidden", (*at, index), what, "put it before that one, or remove it")


def _applies(rule: Rewrite, role: Role) -> bool:
    return any(change(text) for change in changes((rule,), role) for text in _texts(rule))


def _texts(rule: Rewrite) -> Iterator[str]:
    """Texts that a rule matches: with nothing in its placeholders, and with its own literals there."""
    literals = dict.fromkeys(filter(None, _PLACE.split(rule.match)))
    for inside in (_ANY, *(f"{_ANY}{literal}{_ANY}" for literal in literals)):
        yield _PLACE.sub(lambda _, inside=inside: inside, rule.match)  # type: ignore[misc]


def _hiding(before: Sequence[Rewrite], rule: Rewrite, role: Role) -> Rewrite | None:
    """The rule that leaves another nothing to match; None where something is left."""
    own = changes((rule,), role)
    first: Rewrite | None = None
    for text in _texts(rule):
        if not any(change(text) for change in own):
            continue
        changed = text
        for one in before:
            for change in changes((one,), role):
                step = change(changed)
                if step is not None:
                    changed = step.after
                    first = first or one
        if any(change(changed) for change in own):
            return None
    return first
