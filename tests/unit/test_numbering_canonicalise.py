"""What a text is: shapes one by one, the order of a list, the traps of the Russian plan, any text at all."""

from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kemi.numbering.canonicalise import canonicalise, is_e164
from kemi.numbering.model import Number, Shape, Step
from kemi.numbering.plan import INTERNATIONAL, RU, plan_of

SHAPES: tuple[Shape, ...] = get_args(Shape)
DIALLED: tuple[Shape, ...] = (
    "service",
    "extension",
    "e164",
    "national_trunk",
    "international_prefix",
    "local",
)
EXTENSIONS = {"201", "202", "1120"}


def called(text: str, *shapes: Shape, area_code: str | None = "495", dialled: bool = False) -> Number:
    return canonicalise(text, "called", shapes, RU, area_code, EXTENSIONS.__contains__, dialled=dialled)


@pytest.mark.parametrize(
    ("shape", "text", "value"),
    [
        ("e164", "+79161234567", "+79161234567"),
        ("e164", "+375291234567", "+375291234567"),
        ("e164", "+77012345678", "+77012345678"),
        ("e164_bare", "79161234567", "+79161234567"),
        ("e164_bare", "4915123456789", "+4915123456789"),
        ("national_trunk", "89161234567", "+79161234567"),
        ("national_trunk", "88121234567", "+78121234567"),
        ("national_trunk", "88001234567", "+78001234567"),
        ("national_trunk", "87012345678", "+77012345678"),
        ("national", "9161234567", "+79161234567"),
        ("national", "8121234567", "+78121234567"),
        ("local", "1234567", "+74951234567"),
        ("international_prefix", "8104915123456789", "+4915123456789"),
        ("international_prefix", "81079161234567", "+79161234567"),
        ("international_00", "004915123456789", "+4915123456789"),
        ("extension", "202", "202"),
        ("service", "*98", "*98"),
        ("service", "#31#", "#31#"),
    ],
)
def test_a_shape_fits(shape: Shape, text: str, value: str) -> None:
    number = called(text, shape)
    assert number.value == value
    assert number.shape == shape
    assert number.canonical == (value if value.startswith("+") else None)
    assert number.trail == (Step(shape, text, value),)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ("e164", "79161234567"),
        ("e164", "+89161234567"),  # the commonly mistyped mobile: 89 is nobody's code
        ("e164", "+7916123456"),
        ("e164", "+791612345678"),
        ("e164", "+7380671234567"),
        ("e164", "++79161234567"),
        ("e164", "+"),
        ("e164", "+٧٩١٦١٢٣٤٥٦٧"),
        ("e164_bare", "+79161234567"),
        ("e164_bare", "89161234567"),
        ("national_trunk", "9161234567"),
        ("national_trunk", "79161234567"),
        ("national_trunk", "81049151234"),  # after 8 an NSN begins with neither 0, 1, 2 nor 5
        ("national_trunk", "8916123456"),
        ("national", "79161234567"),
        ("national", "1234567890"),
        ("local", "123456"),
        ("local", "12345678"),
        ("local", "123456a"),
        ("international_prefix", "004915123456789"),
        ("international_prefix", "810"),
        ("international_prefix", "8109161234567890123"),
        ("international_00", "00"),
        ("extension", "203"),
        ("extension", "2"),
        ("extension", "2010000"),
        ("service", "98*"),
        ("service", "*98x"),
        ("withheld", "79161234567"),
        ("unknown", "79161234567"),
        ("withheld", "anonymous"),  # nobody withholds whom they call
        ("withheld", ""),
    ],
)
def test_a_shape_does_not_fit_and_the_text_goes_on_verbatim(shape: Shape, text: str) -> None:
    assert called(text, shape) == Number(
        text, None, "unknown", "unknown", text, (Step("unknown", text, text),)
    )


def test_the_first_shape_that_fits_wins() -> None:
    assert called("84912345678", "national_trunk", "e164_bare").canonical == "+74912345678"
    assert called("84912345678", "e164_bare", "national_trunk").canonical == "+84912345678"


@pytest.mark.parametrize(
    ("text", "shapes", "canonical"),
    [
        ("84912345678", ("e164_bare",), "+84912345678"),  # Vietnam
        ("84912345678", ("national_trunk",), "+74912345678"),  # Ryazan
        ("4930123456", ("e164_bare",), "+4930123456"),  # Berlin
        ("4930123456", ("national",), "+74930123456"),  # a Russian NSN
        ("380671234567", ("national", "national_trunk", "e164"), None),  # Ukraine, not +7380671234567
        ("+4915123456789", ("e164",), "+4915123456789"),  # never 8 and the last ten digits
        ("8121234567", ("national",), "+78121234567"),  # Saint Petersburg's area code begins with 8
        ("8121234567", ("national_trunk",), None),
        ("88121234567", ("national_trunk",), "+78121234567"),
        ("88121234567", ("national",), None),
        ("79161234567#4951234567", ("e164_bare", "national"), None),  # caller#DID
        ("491512345678", ("national", "national_trunk"), None),  # twelve digits
        ("810891612345678901234", ("international_prefix",), None),  # 21 digits
        ("81089161234567890123456", ("international_prefix",), None),  # 23 digits
    ],
)
def test_what_guessing_gets_wrong(text: str, shapes: tuple[Shape, ...], canonical: str | None) -> None:
    number = called(text, *shapes)
    assert number.canonical == canonical
    if canonical is None:
        assert number.value == text


def test_a_local_number_means_nothing_without_an_area_code() -> None:
    assert called("1234567", "local", area_code=None).kind == "unknown"
    assert called("123456", "local", area_code="4912").canonical == "+74912123456"


def test_extensions_need_somebody_who_knows_them() -> None:
    assert canonicalise("201", "called", ("extension",), RU).kind == "unknown"


def test_separators_are_a_step_of_their_own() -> None:
    number = called("8 (916) 123-45-67", *DIALLED)
    assert number.canonical == "+79161234567"
    assert number.trail == (
        Step("separators", "8 (916) 123-45-67", "89161234567"),
        Step("national_trunk", "89161234567", "+79161234567"),
    )


@pytest.mark.parametrize(
    "separator", [" ", "-", ".", "/", "\t", "\u00a0", "\u2009", "\u202f", "\u2011", "\u2212"]
)
def test_what_separates(separator: str) -> None:
    assert called(f"+7916{separator}1234567", "e164").canonical == "+79161234567"


def test_separators_do_not_make_an_unknown_number_less_verbatim() -> None:
    assert called("0916 123-45-67", *DIALLED).value == "0916 123-45-67"


@pytest.mark.parametrize("digits", ["112", "101", "102", "103", "104"])
def test_an_emergency_number_that_a_subscriber_dialled(digits: str) -> None:
    assert called(digits, *DIALLED, dialled=True) == Number(
        digits, None, "emergency", None, digits, (Step("emergency", digits, digits),)
    )


def test_the_same_digits_from_elsewhere_are_no_emergency() -> None:
    assert called("112", "national", "national_trunk").kind == "unknown"
    assert called("1120", *DIALLED, dialled=True).kind == "extension"
    assert called("8112", *DIALLED, dialled=True).kind == "unknown"


@pytest.mark.parametrize("text", ["anonymous", "Anonymous", "unavailable", "UNKNOWN", "restricted", "", "  "])
def test_a_withheld_caller_is_recognised_on_every_trunk(text: str) -> None:
    number = canonicalise(text, "calling", ("e164",), RU)
    assert (number.kind, number.shape, number.canonical) == ("withheld", "withheld", None)
    assert number.raw == text


def test_a_plan_without_national_rules_reads_international_numbers_only() -> None:
    assert plan_of("XX") is INTERNATIONAL
    for shape in ("national", "national_trunk", "local", "international_prefix"):
        assert canonicalise("89161234567", "called", (shape,), INTERNATIONAL, "495").kind == "unknown"
    assert canonicalise("+79161234567", "called", ("e164",), INTERNATIONAL).canonical == "+79161234567"
    assert canonicalise("112", "called", (), INTERNATIONAL, dialled=True).kind == "emergency"


def test_a_text_of_absurd_length_is_not_looked_into() -> None:
    text = "+7" + " " * 1_000_000 + "9161234567"
    assert called(text, *SHAPES).value == text


# Texts near to numbers find more than random ones.
texts = st.one_of(
    st.text(),
    st.text("0123456789+*#", max_size=24),
    st.text("0123456789+*# -.()/\u00a0٣", max_size=70),
    st.from_regex(r"\A(\+?7|8|810|00)?[0-9]{3,15}\Z"),
)
shape_lists = st.lists(st.sampled_from(SHAPES), unique=True).map(tuple)
area_codes = st.sampled_from([None, "", "495", "4912", "8", "12345678901"])


@given(texts, st.sampled_from(["calling", "called"]), shape_lists, area_codes, st.booleans())
@example("\ud800", "called", SHAPES, "495", True)
def test_any_text_gives_a_number(text, role, shapes, area_code, dialled) -> None:
    number = canonicalise(text, role, shapes, RU, area_code, EXTENSIONS.__contains__, dialled=dialled)
    assert number.raw == text
    assert (number.canonical is not None) == (number.kind == "e164")
    if number.canonical is not None:
        assert number.canonical == number.value
        assert is_e164(number.canonical[1:])
    if number.kind == "unknown":
        assert number.value == text
    if number.kind not in ("unknown", "withheld", "emergency"):
        assert number.shape in shapes
    # The trail is a chain: each step begins with what the one before it left.
    assert number.trail[0].before == text
    for step, following in zip(number.trail, number.trail[1:], strict=False):
        assert step.after == following.before
    if number.kind != "withheld":
        assert number.trail[-1].after == number.value


@given(texts, shape_lists.map(lambda shapes: tuple(dict.fromkeys((*shapes, "e164")))), area_codes)
def test_what_was_canonicalised_stays_as_it_is(text, shapes, area_code) -> None:
    first = canonicalise(text, "called", shapes, RU, area_code)
    again = canonicalise(first.value, "called", shapes, RU, area_code)
    assert (again.value, again.canonical, again.kind) == (first.value, first.canonical, first.kind)
