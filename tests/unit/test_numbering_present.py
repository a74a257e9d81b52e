"""How a canonical number is written, and that what is written is read back as the same number."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kemi.numbering.canonicalise import canonicalise, is_e164
from kemi.numbering.country_codes import NSN_LENGTHS
from kemi.numbering.model import Shape, Step, Written
from kemi.numbering.plan import BY, INTERNATIONAL, KZ, PLANS, RU, Plan, plan_of
from kemi.numbering.present import present


@pytest.mark.parametrize(
    ("shape", "written", "used"),
    [
        ("e164", "+74951234567", "e164"),
        ("e164_bare", "74951234567", "e164_bare"),
        ("national_trunk", "84951234567", "national_trunk"),
        ("national", "4951234567", "national"),
        ("local", "1234567", "local"),
        ("international_prefix", "81074951234567", "international_prefix"),
        ("international_00", "0074951234567", "international_00"),
        ("unknown", "+74951234567", "e164"),
    ],
)
def test_a_number_of_the_country(shape: Shape, written: str, used: Shape) -> None:
    assert present("+74951234567", shape, RU, "495") == Written(
        "+74951234567", written, used, (Step(used, "+74951234567", written),)
    )


def test_a_local_number_of_another_area_is_dialled_with_the_trunk_prefix() -> None:
    assert present("+78121234567", "local", RU, "495").written == "88121234567"


@pytest.mark.parametrize("shape", ["national_trunk", "national", "local", "international_prefix"])
def test_a_number_abroad_takes_the_international_prefix(shape: Shape) -> None:
    written = present("+4915123456789", shape, RU, "495")
    assert (written.written, written.shape) == ("8104915123456789", "international_prefix")


@pytest.mark.parametrize("shape", ["national_trunk", "national", "local", "international_prefix"])
def test_without_a_plan_every_number_is_abroad(shape: Shape) -> None:
    written = present("+4915123456789", shape, INTERNATIONAL)
    assert (written.written, written.shape) == ("004915123456789", "international_prefix")


@pytest.mark.parametrize("shape", ["national_trunk", "national", "local", "international_prefix"])
def test_where_no_prefix_leads_abroad_a_number_stays_e164(shape: Shape) -> None:
    plan = Plan("XX", code="999")
    assert present("+4915123456789", shape, plan).written == "+4915123456789"


@pytest.mark.parametrize(
    ("canonical", "shape", "plan", "written"),
    [
        ("+375291234567", "national_trunk", BY, "80291234567"),
        ("+375171234567", "local", BY, "1234567"),
        ("+375171234567", "national", BY, "171234567"),
        ("+3758011234567", "national_trunk", BY, "88011234567"),
        ("+375800112", "national_trunk", BY, "8800112"),
        ("+375991234567", "national_trunk", BY, "810375991234567"),  # nobody's: no national number
        ("+79161234567", "national_trunk", BY, "81079161234567"),
        ("+77012345678", "national_trunk", KZ, "87012345678"),
        ("+74951234567", "national_trunk", KZ, "84951234567"),
        ("+74951234567", "national_trunk", plan_of("RU", "0", ("00", "810")), "04951234567"),
        ("+4915123456789", "national_trunk", plan_of("RU", "0", ("00", "810")), "004915123456789"),
        ("+375291234567", "national_trunk", plan_of("BY", "0"), "0291234567"),
        ("+3758011234567", "national_trunk", plan_of("BY", "0"), "08011234567"),
        ("+74951234567", "national_trunk", plan_of("RU", ""), "+74951234567"),
        ("+74951234567", "national_trunk", plan_of("XX", "0", ("011",)), "01174951234567"),
    ],
)
def test_plans_and_prefixes(canonical: str, shape: Shape, plan: Plan, written: str) -> None:
    assert present(canonical, shape, plan, "17").written == written


def test_a_local_number_never_looks_like_a_call_for_help() -> None:
    assert present("+375800112", "local", BY, "800").written == "8800112"
    assert present("+375800113", "local", BY, "800").written == "113"
    assert present("+74951234567", "local", RU, "4951234567").written == "84951234567"


@pytest.mark.parametrize("text", ["", "+", "112", "79161234567", "+89161234567", "anonymous"])
def test_what_is_not_e164_stays_verbatim(text: str) -> None:
    assert present(text, "e164_bare", RU) == Written(text, text, "unknown", (Step("unknown", text, text),))


def numbers(plan: Plan) -> st.SearchStrategy[str]:
    """Numbers of a country."""
    shapes = [(length, begin) for one in plan.nsn for length in one.lengths for begin in one.begin]
    return st.sampled_from(shapes).flatmap(
        lambda shape: st.text("0123456789", min_size=(n := shape[0] - len(shape[1])), max_size=n).map(
            lambda rest: f"+{plan.code}{shape[1]}{rest}"
        )
    )


anywhere = st.sampled_from(sorted(NSN_LENGTHS)).flatmap(
    lambda code: st.sampled_from(NSN_LENGTHS[code]).flatmap(
        lambda n: st.text("0123456789", min_size=n, max_size=n).map(lambda nsn: f"+{code}{nsn}")
    )
)
canonicals = st.one_of(numbers(RU), numbers(BY), anywhere)
plans = st.one_of(
    st.sampled_from(list(PLANS.values())),
    st.builds(
        plan_of,
        st.sampled_from(list(PLANS)),
        st.sampled_from([None, "", "0", "8", "99"]),
        st.sampled_from([(), ("00",), ("00", "810"), ("0", "00", "000"), ("810", "8")]),
    ),
)
area_codes = st.sampled_from([None, "4", "495", "4912", "8", "812", "17", "800", "7172"])
written_shapes = st.sampled_from(
    [shape for shape in get_args(Shape) if shape not in ("extension", "service", "withheld", "unknown")]
)


@given(canonicals, written_shapes, plans, area_codes)
def test_what_was_written_is_read_back(canonical, shape, plan, area_code) -> None:
    written = present(canonical, shape, plan, area_code)
    assert written.trail == (Step(written.shape, canonical, written.written),)
    read = canonicalise(written.written, "called", (written.shape,), plan, area_code)
    assert read.canonical == canonical
    # As what a subscriber dials too: nothing written is mistaken for a call for help or a service.
    dialled = canonicalise(written.written, "called", (written.shape,), plan, area_code, dialled=True)
    assert dialled.canonical == canonical


@given(canonicals, plans, area_codes)
def test_shapes_that_hold_any_number_are_never_exchanged(canonical, plan, area_code) -> None:
    for shape in ("e164", "e164_bare", "international_00"):
        assert present(canonical, shape, plan, area_code).shape == shape


@pytest.mark.parametrize("plan", [RU, KZ, BY], ids=lambda plan: plan.country)
@given(data=st.data())
def test_a_number_of_the_country_is_written_without_its_code(plan, data) -> None:
    canonical = data.draw(numbers(plan))
    for shape in ("national", "national_trunk"):
        written = present(canonical, shape, plan)
        assert written.shape == shape
        assert written.written.endswith(canonical.removeprefix(f"+{plan.code}"))


@given(st.one_of(st.text(), canonicals), st.sampled_from(get_args(Shape)), plans, area_codes)
def test_any_text_is_written_and_stays_as_written(text, shape, plan, area_code) -> None:
    written = present(text, shape, plan, area_code)
    assert written.raw == text
    assert is_e164(text[1:]) or (written.written, written.shape) == (text, "unknown")
    assert present(written.written, shape, plan, area_code).written == written.written
