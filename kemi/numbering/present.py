"""How a canonical number is written on the trunk it leaves on."""

from kemi.numbering.model import Shape, Step, Written
from kemi.numbering.plan import Plan
from kemi.numbering.shapes import is_e164

__all__ = ["present", "write"]


def write(canonical: str, shape: Shape, plan: Plan, area_code: str | None = None) -> tuple[str, Shape]:
    """A canonical number in a shape, and the shape that was really used.

    A number that the asked shape cannot express takes the next wider one: out of the area, `local`
    becomes `national_trunk`; abroad, the national shapes become `international_prefix`; where the plan
    has no such prefix the number stays E.164. Shapes that are no way to write a number (`extension`,
    `service`, `withheld`, `unknown`) leave it E.164 too.
    """
    digits = canonical[1:]
    match shape:
        case "e164_bare":
            return digits, shape
        case "international_00":
            return f"00{digits}", shape
        case "national_trunk" | "national" | "local":
            found = _national(digits, plan)
            if found is None:
                return write(canonical, "international_prefix", plan)
            nsn, prefix = found
            if shape == "national":
                return nsn, shape
            if shape == "local" and area_code and nsn.startswith(area_code):
                rest = nsn[len(area_code) :]
                # What a network takes for a call for help or for a service is no local number.
                if rest and rest not in plan.emergency and rest not in plan.short:
                    return rest, shape
            if prefix:
                return prefix + nsn, "national_trunk"
        case "international_prefix" if plan.international_prefixes:
            return plan.international_prefixes[0] + digits, shape
        case _:
            pass
    return canonical, "e164"


def _national(digits: str, plan: Plan) -> tuple[str, str] | None:
    """The national significant number and its trunk prefix, where the plan needs no country code for it."""
    if not plan.code or not digits.startswith(plan.code):
        return None
    nsn = digits[len(plan.code) :]
    for one in plan.nsn:
        if len(nsn) in one.lengths and nsn.startswith(one.begin):
            return nsn, plan.trunk_prefix if one.trunk_prefix is None else one.trunk_prefix
    return None


def present(canonical: str, shape: Shape, plan: Plan, area_code: str | None = None) -> Written:
    """As `write`, with the trail. A text that is not E.164 with plus stays verbatim, shape `unknown`."""
    if canonical[:1] != "+" or not is_e164(canonical[1:]):
        return Written(canonical, canonical, "unknown", (Step("unknown", canonical, canonical),))
    written, used = write(canonical, shape, plan, area_code)
    return Written(canonical, written, used, (Step(used, canonical, written),))
