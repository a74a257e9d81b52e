"""libphonenumber as an oracle: every number it holds for valid is one here, and means the same."""

import importlib.util
from pathlib import Path
from typing import get_args

import phonenumbers
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from kemi.numbering import country_codes
from kemi.numbering.canonicalise import canonicalise
from kemi.numbering.model import Shape
from kemi.numbering.plan import BY, INTERNATIONAL, KZ, RU, Plan, country_of
from kemi.numbering.present import present

ROOT = Path(__file__).parents[2]

EXAMPLES = sorted(
    {
        phonenumbers.format_number(number, PhoneNumberFormat.E164)
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in PhoneNumberType.values()
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    }
    | {
        phonenumbers.format_number(number, PhoneNumberFormat.E164)
        for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS
        if (number := phonenumbers.example_number_for_non_geo_entity(code)) is not None
    }
)
# Not E.164: Canada's 310 numbers cannot be called with a country code.
NATIONAL_ONLY = ["+13101234"]
EXAMPLES = [number for number in EXAMPLES if number not in NATIONAL_ONLY and len(number) <= 16]


# The countries whose numbers are made at random too, with all that is odd in the world's plans: numbers of many
# lengths (AT, DE), of few digits (EE), a zero kept after the code (IT), a shared code (US, CA, KZ, RU, GB), an
# inner prefix (AR, BR, MX), neighbours.
REGIONS = (
    *("RU", "KZ", "BY", "UA", "UZ", "KG", "TJ", "TM", "AM", "AZ", "GE", "MD", "LT", "LV", "EE", "FI", "PL"),
    *("DE", "AT", "CH", "FR", "GB", "IT", "ES", "TR", "IL", "AE", "CN", "IN", "JP", "KR", "VN", "US", "CA"),
    *("BR", "AR", "MX", "AU"),
)
KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
)


def nsn_patterns(region: str) -> list[str]:
    """What national significant numbers of a country look like."""
    metadata = PhoneMetadata.metadata_for_region(region)
    found = (getattr(metadata, kind) for kind in KINDS)
    return [kind.national_number_pattern for kind in found if kind and kind.national_number_pattern]


def understood(text: str, region: str | None = None) -> str | None:
    """What the oracle says that a text is; None where it is no number to it."""
    try:
        return phonenumbers.format_number(phonenumbers.parse(text, region), PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        return None


def is_sound(number: str) -> bool:
    """Whether a made number is one to the oracle, and itself when it is read again.

    Some are not: it takes a digit for a national prefix left in by mistake (+375 8 01…). Nor are its 15 digits
    after +7 8108: dialled from Russia that is abroad (810), +800. Nor Canada's 310 numbers, see above.
    """
    return (
        len(number) <= 16
        and not (number.startswith(("+1", "+7")) and len(number) != 12)
        and phonenumbers.is_valid_number(phonenumbers.parse(number))
        and understood(number) == number
    )


def of_country(region: str) -> st.SearchStrategy[str]:
    """Valid numbers of a country, of all kinds alike."""
    code = phonenumbers.country_code_for_region(region)
    nsn = st.sampled_from(nsn_patterns(region)).flatmap(
        lambda pattern: st.from_regex(rf"\A(?:{pattern})\Z", alphabet=st.sampled_from("0123456789"))
    )
    return nsn.map(lambda nsn: f"+{code}{nsn}").filter(is_sound)


valid = st.one_of(st.sampled_from(EXAMPLES), st.sampled_from(REGIONS).flatmap(of_country))


def test_every_valid_number_is_e164() -> None:
    assert len(EXAMPLES) > 900
    assert [n for n in EXAMPLES if canonicalise(n, "called", ("e164",), RU).canonical != n] == []


@settings(max_examples=1000)
@given(valid, st.sampled_from([RU, KZ, BY, INTERNATIONAL]))
def test_a_valid_number_of_any_country_is_what_the_oracle_says(number: str, plan: Plan) -> None:
    forms = {
        "e164": number,
        "e164_bare": number[1:],
        "international_00": f"00{number[1:]}",
        "international_prefix": plan.international_prefixes[0] + number[1:],
    }
    region = None if plan is INTERNATIONAL else plan.country
    for shape, text in forms.items():
        read = canonicalise(text, "called", (shape,), plan)
        assert (read.canonical, read.shape) == (number, shape)
        assert understood(f"+{text}" if shape == "e164_bare" else text, region) == number or (
            # The oracle knows a country's own international prefix only.
            shape == "international_00" or region is None
        )
    # No other list of one shape makes another number of what has a plus.
    for shape in get_args(Shape):
        assert canonicalise(number, "called", (shape,), plan).canonical in (number, None)


@settings(max_examples=1000)
@given(valid, st.sampled_from([RU, KZ, BY]))
def test_what_a_person_dials_is_what_the_oracle_says(number: str, plan: Plan) -> None:
    """Written by the oracle as dialled in a country, separators and all: read as the number it was."""
    dialled = phonenumbers.format_out_of_country_calling_number(phonenumbers.parse(number), plan.country)
    dialled = dialled.replace("~", "")
    shapes: tuple[Shape, ...] = ("national_trunk", "international_prefix")
    read = canonicalise(dialled, "called", shapes, plan, dialled=True)
    assert read.canonical == number == understood(dialled, plan.country)


@settings(max_examples=300)
@given(st.sampled_from([RU, KZ, BY]).flatmap(lambda plan: st.tuples(st.just(plan), of_country(plan.country))))
def test_a_national_number_is_what_the_oracle_says(drawn: tuple[Plan, str]) -> None:
    plan, number = drawn
    nsn = number.removeprefix(f"+{plan.code}")
    read = canonicalise(nsn, "called", ("national",), plan)
    assert read.canonical == number
    trunk = present(number, "national_trunk", plan)
    assert trunk.shape == "national_trunk"
    assert understood(trunk.written, plan.country) == number
    assert country_of(number) in (plan.country, None)


def test_all_assigned_codes_are_known() -> None:
    assert {int(code) for code in country_codes.NSN_LENGTHS} == set(COUNTRY_CODE_TO_REGION_CODE)


def test_no_code_begins_with_another() -> None:
    codes = set(country_codes.NSN_LENGTHS)
    assert [code for code in codes for n in range(1, len(code)) if code[:n] in codes] == []


def test_the_table_is_what_its_script_writes() -> None:
    path = ROOT / "tools" / "country_codes.py"
    spec = importlib.util.spec_from_file_location("tools_country_codes", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = (ROOT / "kemi" / "numbering" / "country_codes.py").read_text(encoding="utf-8")
    assert written == script.module(), "run: image/enter python tools/country_codes.py"
