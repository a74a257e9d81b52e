"""What is legal but wrong in a directory: `fmcctl check`. Pure: a Document in, findings out.

`kemi.directory.checks` refuses what cannot be applied; here is what can, and does not do what was meant.
"""

from collections.abc import Iterator

from kemi.directory.audit.model import RULES, Remark, Rule, Severity, remark
from kemi.directory.audit.outward import outward
from kemi.directory.audit.reach import reach
from kemi.directory.audit.services import services
from kemi.directory.audit.shapes import shapes
from kemi.directory.checks import check
from kemi.directory.document import Document

__all__ = ["RULES", "Remark", "Rule", "Severity", "audit"]

_SECTIONS = ("trunks", "routes", "media", "tenants")


def audit(document: Document) -> list[Remark]:
    """All that is found, by trunk, route and tenant in the order of the file."""
    found = {each: None for part in (_refused, shapes, reach, outward, services) for each in part(document)}
    named = {
        "trunks": {name: index for index, name in enumerate(document.trunks)},
        "tenants": {name: index for index, name in enumerate(document.tenants)},
    }

    def place(each: Remark) -> tuple[int, int]:
        section = str(each.path[0])
        name = each.path[1] if len(each.path) > 1 else -1
        return _SECTIONS.index(section), name if isinstance(name, int) else named[section][name]

    return sorted(found, key=place)


def _refused(document: Document) -> Iterator[Remark]:
    for path, text in check(document):
        what, _, do = text.partition("; ")
        yield remark("refused", path, what, do)
