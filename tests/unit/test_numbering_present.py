"""How a canonical number is written, and that what is written is read back as the same number."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kemi.numbering.canonicalise import canonicalise, is_e164
from kemi.numbering.country_codes import NSN_LENGTHS
from kemi.numbering.model import Shape, Step, Written
from kemi.numbering.plan import INTERNATIONAL, RU
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
def test_without_a_plan_a_number_stays_e164(shape: Shape) -> None:
    assert present("+4915123456789", shape, INTERNATIONAL).written == "+4915123456789"


@pytest.mark.parametrize("text", ["", "+", "112", "79161234567", "+89161234567", "anonymous"])
def test_what_is_not_e164_stays_verbatim(text: str) -> None:
    assert present(text, "e164_bare", RU) == Written(text, text, "unknown", (Step("unknown", text, text),))


russian = st.tuples(st.sampled_from("346789"), st.text("0123456789", min_size=9, max_size=9)).map(
    lambda parts: "+7" + "".join(parts)
)
codes = st.sampled_from(sorted(NSN_LENGTHS))
anywhere = codes.flatmap(
    lambda code: st.sampled_from(NSN_LENGTHS[code]).flatmap(
        lambda n: st.text("0123456789", min_size=n, max_size=n).map(lambda nsn: f"+{code}{nsn}")
    )
)


@given(
    st.one_of(russian, anywhere),
    st.sampled_from(["e164", "e164_bare", "international_prefix", "international_00"]),
)
def test_what_was_written_is_read_back(canonical: str, shape: Shape) -> None:
    written = present(canonical, shape, RU)
    assert written.shape == shape
    assert canonicalise(written.written, "called", (shape,), RU).canonical == canonical


@given(russian, st.sampled_from(["national", "national_trunk", "local"]), st.sampled_from(["495", "4912"]))
def test_a_number_of_the_country_is_read_back(canonical: str, shape: Shape, area_code: str) -> None:
    written = present(canonical, shape, RU, area_code)
    assert canonicalise(written.written, "called", (written.shape,), RU, area_code).canonical == canonical


@given(st.text(), st.sampled_from(get_args(Shape)), st.sampled_from([RU, INTERNATIONAL]))
def test_any_text_is_written_somehow(text, shape, plan) -> None:
    written = present(text, shape, plan, "495")
    assert written.raw == text
    assert is_e164(text[1:]) or written.written == text
