"""What a text is: shapes one by one, the order of a list, the traps of the Russian plan, any text at all."""

from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kemi.numbering.canonicalise import canonicalise, is_e164, reader
from kemi.numbering.model import Number, Rewrite, Shape, Step
from kemi.numbering.plan import BY, INTERNATIONAL, KZ, PLANS, RU, plan_of

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
    for shape in ("national", "national_trunk", "local", "international_prefix"):
        assert canonicalise("89161234567", "called", (shape,), INTERNATIONAL, "495").kind == "unknown"
    assert canonicalise("+79161234567", "called", ("e164",), INTERNATIONAL).canonical == "+79161234567"
    abroad = canonicalise("0079161234567", "called", ("international_prefix",), INTERNATIONAL)
    assert abroad.canonical == "+79161234567"
    assert canonicalise("112", "called", (), INTERNATIONAL, dialled=True).kind == "emergency"


BELARUS = ("national_trunk", "national", "local", "international_prefix")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("80291234567", "+375291234567"),
        ("8 (029) 123-45-67", "+375291234567"),
        ("88011234567", "+3758011234567"),
        ("8800112", "+375800112"),
        ("291234567", "+375291234567"),
        ("8011234567", "+3758011234567"),
        ("1234567", "+375171234567"),
        ("810375291234567", "+375291234567"),
        ("81079161234567", "+79161234567"),
        ("8291234567", None),  # the 0 is missing
        ("0291234567", None),  # what some operators take beside 80: a matter of prefixes
        ("80991234567", None),  # 99 is nobody's
    ],
)
def test_in_belarus_a_zero_follows_the_trunk_prefix(text: str, canonical: str | None) -> None:
    assert canonicalise(text, "called", BELARUS, BY, "17").canonical == canonical


def test_prefixes_are_configuration() -> None:
    plan = plan_of("RU", "0", ("00", "810"))
    shapes = ("national_trunk", "international_prefix")
    assert canonicalise("09161234567", "called", shapes, plan).canonical == "+79161234567"
    assert canonicalise("89161234567", "called", shapes, plan).kind == "unknown"
    assert canonicalise("004915123456789", "called", shapes, plan).canonical == "+4915123456789"
    assert canonicalise("8104915123456789", "called", shapes, plan).canonical == "+4915123456789"
    belarus = plan_of("BY", "0", ("00",))
    assert canonicalise("0291234567", "called", shapes, belarus).canonical == "+375291234567"
    assert canonicalise("08011234567", "called", shapes, belarus).canonical == "+3758011234567"
    assert canonicalise("80291234567", "called", shapes, belarus).kind == "unknown"


def test_without_a_trunk_prefix_nothing_is_behind_it() -> None:
    plan = plan_of("RU", "")
    assert canonicalise("9161234567", "called", ("national_trunk",), plan).kind == "unknown"
    assert canonicalise("9161234567", "called", ("national",), plan).canonical == "+79161234567"


@pytest.mark.parametrize("area_code", ["4", "49", "495", "4951", "49512", "495123456"])
def test_an_area_code_of_any_length_completes_a_local_number(area_code: str) -> None:
    local = "4951234567".removeprefix(area_code)
    assert canonicalise(local, "called", ("local",), RU, area_code).canonical == "+74951234567"


@pytest.mark.parametrize("area_code", ["1", "5", "4951234567", "49512345678"])
def test_an_area_that_the_country_has_not_completes_nothing(area_code: str) -> None:
    assert all(
        canonicalise("1" * digits, "called", ("local",), RU, area_code).kind == "unknown"
        for digits in range(12)
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("79161234567;phone-context=+7", "79161234567"),
        ("79161234567;npdi;rn=+79990000000", "79161234567"),
        ("79161234567;ext=12;isub=5", "79161234567"),
        ("79161234567;tgrp=a;trunk-context=example.org", "79161234567"),
        ("79161234567;", "79161234567"),
        ("79161234567;;", "79161234567"),
    ],
)
def test_parameters_are_taken_off_as_a_step(text: str, number: str) -> None:
    assert called(text, "e164_bare") == Number(
        text,
        "+79161234567",
        "e164",
        "e164_bare",
        "+79161234567",
        (Step("parameters", text, number), Step("e164_bare", number, "+79161234567")),
    )


def test_a_local_number_takes_nothing_from_its_context() -> None:
    text = "1234567;phone-context=+7812"
    assert called(text, "local").canonical == "+74951234567"
    assert called(text, "e164").value == text


def test_an_unknown_number_shows_what_was_tried_on_it() -> None:
    text = "0916 123-45-67;ext=1"
    assert called(text, *DIALLED).trail == (
        Step("parameters", text, "0916 123-45-67"),
        Step("separators", "0916 123-45-67", "09161234567"),
        Step("unknown", "09161234567", text),
    )


@pytest.mark.parametrize("text", ["anonymous;phone-context=example.org", ";phone-context=+7", "Restricted;"])
def test_a_caller_is_withheld_parameters_or_not(text: str) -> None:
    number = canonicalise(text, "calling", ("e164",), RU)
    assert (number.kind, number.value) == ("withheld", "anonymous")
    assert [step.rule for step in number.trail] == ["parameters", "withheld"]


def test_separators_make_no_word_of_what_was_none() -> None:
    assert canonicalise("un-known", "calling", ("e164",), RU).kind == "unknown"
    assert canonicalise("--", "calling", ("e164",), RU).kind == "unknown"


@pytest.mark.parametrize(("code", "rule"), [("#31#", "clir_invoke"), ("*31#", "clir_suppress")])
def test_a_code_before_a_dialled_number_is_a_step(code: str, rule: str) -> None:
    number = called(f"{code}8 916 123 4567", *DIALLED, dialled=True)
    assert number.canonical == "+79161234567"
    assert number.trail == (
        Step("separators", f"{code}8 916 123 4567", f"{code}89161234567"),
        Step(rule, f"{code}89161234567", "89161234567"),
        Step("national_trunk", "89161234567", "+79161234567"),
    )
    assert called(f"{code}+79161234567", *DIALLED, dialled=True).canonical == "+79161234567"
    assert called(f"{code}201", *DIALLED, dialled=True).kind == "extension"
    assert called(f"{code}112", *DIALLED, dialled=True).kind == "emergency"
    assert called(f"{code}112", *DIALLED, dialled=True).value == "112"
    # Alone it is a service code, and from a public network it is nothing known.
    alone = called(code, *DIALLED, dialled=True)
    assert (alone.kind, alone.value) == ("service", code)
    assert called(f"{code}89161234567", "national_trunk").kind == "unknown"


def test_a_code_before_what_nothing_fits_is_told_and_stays() -> None:
    number = called("#31#380671234567", *DIALLED, dialled=True)
    assert (number.kind, number.value) == ("unknown", "#31#380671234567")
    assert [step.rule for step in number.trail] == ["clir_invoke", "unknown"]


@pytest.mark.parametrize(
    ("plan", "text"), [(RU, "122"), (RU, "115"), (KZ, "111"), (KZ, "1414"), (RU, "1-2-2"), (RU, "122;ext=1")]
)
def test_a_public_service_is_known_where_it_was_dialled(plan, text) -> None:
    number = canonicalise(text, "called", DIALLED, plan, "495", dialled=True)
    assert (number.kind, number.shape, number.canonical) == ("short", None, None)
    assert number.value in plan.short
    assert number.trail[-1].rule == "short"
    assert canonicalise(text, "called", DIALLED, plan, "495").kind == "unknown"


def test_a_shape_comes_before_a_public_service() -> None:
    number = canonicalise("122", "called", ("extension",), RU, None, {"122"}.__contains__, dialled=True)
    assert number.kind == "extension"


def test_emergency_numbers_of_the_world() -> None:
    for digits in ("112", "911", "000", "08", "110", "118", "119", "999"):
        assert canonicalise(digits, "called", (), INTERNATIONAL, dialled=True).kind == "emergency"
    assert canonicalise("911", "called", (), RU, dialled=True).kind == "unknown"


OFFICE = Rewrite("office", "9900{number}", "{number}")
PAIR = Rewrite("pair", "{caller}#{did}", "{did}", "called")


def test_a_rule_of_the_trunk_comes_first_and_gives_its_step_its_name() -> None:
    number = canonicalise(
        "79161234567#8 495 1234567", "called", ("national_trunk",), RU, rewrites=(OFFICE, PAIR)
    )
    assert number.canonical == "+74951234567"
    assert number.trail == (
        Step("pair", "79161234567#8 495 1234567", "8 495 1234567"),
        Step("separators", "8 495 1234567", "84951234567"),
        Step("national_trunk", "84951234567", "+74951234567"),
    )


def test_a_rule_sees_the_parameters() -> None:
    moscow = Rewrite("moscow", "{number};phone-context=+7495", "+7495{number}")
    number = canonicalise("1234567;phone-context=+7495", "calling", ("e164",), RU, rewrites=(moscow,))
    assert number.canonical == "+74951234567"
    assert [step.rule for step in number.trail] == ["moscow", "e164"]


def test_a_rule_may_say_that_a_caller_is_withheld() -> None:
    zeros = Rewrite("zeros", "0000000000", "")
    number = canonicalise("0000000000", "calling", ("e164",), RU, rewrites=(zeros,))
    assert number.kind == "withheld"
    assert [step.rule for step in number.trail] == ["zeros", "withheld"]


def test_rules_apply_to_digits_alone_too_and_what_nothing_fits_stays_as_it_came() -> None:
    assert (
        canonicalise("990089161234567", "called", ("national_trunk",), RU, rewrites=(OFFICE,)).kind == "e164"
    )
    number = canonicalise("99001", "called", ("national_trunk",), RU, rewrites=(OFFICE,))
    assert (number.kind, number.value) == ("unknown", "99001")
    assert number.trail == (Step("office", "99001", "1"), Step("unknown", "1", "99001"))


@pytest.mark.parametrize("text", ["112", "1-1-2", "112;phone-context=example.org", "#31#112"])
def test_no_rule_keeps_anybody_from_help(text: str) -> None:
    spoiling = (Rewrite("all", "{number}", "8495{number}"), Rewrite("help", "112", "84951234567"))
    number = canonicalise(text, "called", DIALLED, RU, dialled=True, rewrites=spoiling)
    assert (number.kind, number.value) == ("emergency", "112")


def test_a_rule_may_uncover_a_call_for_help() -> None:
    number = canonicalise("9900112", "called", DIALLED, RU, dialled=True, rewrites=(OFFICE,))
    assert (number.kind, number.value) == ("emergency", "112")


def test_rules_of_the_other_role_do_not_apply() -> None:
    read = reader(("national",), RU, None, (PAIR,))
    assert read.read("1#9161234567", "called").kind == "e164"
    assert read.read("1#9161234567", "calling").kind == "unknown"
    assert (
        reader(("national",), RU, None, (PAIR,), "calling").read("1#9161234567", "called").kind == "unknown"
    )


@pytest.mark.parametrize(
    "text",
    ["+7" + " " * 1_000_000 + "9161234567", "79161234567" + ";" * 300, "7" * 65, "7" * 4096, "+" + "1" * 64],
)
def test_a_text_of_absurd_length_is_carried_as_it_came(text: str) -> None:
    assert called(text, *SHAPES).value == text
    assert called(text, *SHAPES).kind == "unknown"


@pytest.mark.parametrize(
    "text",
    [
        "+７９１６１２３４５６７",
        "+७९१६१२३४५६७",
        "７９１６１２３４５６７",
        "²²²",
        "офис",
        "+7916123456O",
        "1\0",
    ],
)
def test_other_alphabets_are_no_digits(text: str) -> None:
    assert called(text, *SHAPES, dialled=True).value == text
    assert called(text, *SHAPES, dialled=True).kind == "unknown"


# Texts near to numbers find more than random ones.
texts = st.one_of(
    st.text(),
    st.text("0123456789+*#", max_size=24),
    st.text("0123456789+*# -.()/;=\u00a0٣", max_size=70),
    st.from_regex(r"\A([#*]31#)?(\+?7|8|80|810|00|\+?375)?[0-9]{3,15}(;[a-z]+(=[+0-9a-z.]+)?)?\Z"),
    st.sampled_from(["anonymous", "112", "122", "#31#", "*31#112", "911", "; ;", "1414;a"]),
    st.text("17+ ;#\u00a0é", min_size=200, max_size=4096),
)
shape_lists = st.lists(st.sampled_from(SHAPES), unique=True).map(tuple)
area_codes = st.sampled_from([None, "", "495", "4912", "8", "17", "800", "12345678901"])
plans = st.one_of(
    st.sampled_from([*PLANS.values()]),
    st.builds(
        plan_of,
        st.sampled_from(list(PLANS)),
        st.sampled_from([None, "", "0", "8", "99"]),
        st.sampled_from([(), ("00",), ("00", "810"), ("0", "00", "000")]),
    ),
)
pieces = st.text("0123456789+#;=*ab {}", max_size=6)
patterns = st.one_of(
    st.text(max_size=12),
    st.lists(st.one_of(pieces, st.sampled_from(["{a}", "{b}", "{c}", "{d}"])), max_size=7).map("".join),
)
rules = st.builds(
    Rewrite, st.sampled_from(["r1", "r2"]), patterns, patterns, st.sampled_from([None, "calling", "called"])
)
rule_lists = st.lists(rules, max_size=6).map(tuple)


@given(
    texts, st.sampled_from(["calling", "called"]), shape_lists, plans, area_codes, st.booleans(), rule_lists
)
@example("\ud800", "called", SHAPES, RU, "495", True, ())
@example("\ud800;", "called", SHAPES, RU, "495", True, (OFFICE,))
def test_any_text_gives_a_number(  # noqa: PLR0917 (hypothesis gives them in order)
    text, role, shapes, plan, area_code, dialled, rewrites
) -> None:
    number = canonicalise(
        text, role, shapes, plan, area_code, EXTENSIONS.__contains__, dialled=dialled, rewrites=rewrites
    )
    assert number.raw == text
    assert (number.canonical is not None) == (number.kind == "e164")
    if number.canonical is not None:
        assert number.canonical == number.value
        assert is_e164(number.canonical[1:])
    if number.kind == "unknown":
        assert number.value == text
        assert number.trail[-1].rule == number.shape == "unknown"
    if number.kind in ("emergency", "short"):
        assert dialled
        assert number.shape is None
    if number.kind not in ("unknown", "withheld", "emergency", "short"):
        assert number.shape in shapes
    # The trail is a chain: each step begins with what the one before it left.
    assert number.trail[0].before == text
    assert number.trail[-1].after == number.value
    for step, following in zip(number.trail, number.trail[1:], strict=False):
        assert step.after == following.before
        assert step.before != step.after


@given(
    texts,
    shape_lists.map(lambda shapes: tuple(dict.fromkeys(("e164", *shapes)))),
    plans,
    area_codes,
    st.booleans(),
)
def test_what_was_canonicalised_stays_as_it_is(text, shapes, plan, area_code, dialled) -> None:
    first = canonicalise(text, "called", shapes, plan, area_code, dialled=dialled)
    again = canonicalise(first.value, "called", shapes, plan, area_code, dialled=dialled)
    assert (again.value, again.canonical, again.kind) == (first.value, first.canonical, first.kind)


@given(texts, plans, area_codes, st.booleans())
def test_without_a_shape_nothing_is_guessed(text, plan, area_code, dialled) -> None:
    number = canonicalise(text, "called", (), plan, area_code, dialled=dialled)
    assert number.canonical is None
    assert number.kind in (("unknown", "emergency", "short") if dialled else ("unknown",))


@given(texts, shape_lists, plans, area_codes)
def test_the_order_of_the_list_decides(text, shapes, plan, area_code) -> None:
    """A list reads as its first shape that reads the text alone."""
    number = canonicalise(text, "called", shapes, plan, area_code)
    alone = (canonicalise(text, "called", (shape,), plan, area_code) for shape in shapes)
    assert number == next((one for one in alone if one.kind != "unknown"), number)
    assert number.kind == "unknown" or number.shape in shapes
