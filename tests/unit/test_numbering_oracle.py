"""libphonenumber as an oracle: every number it holds for valid is one here, and means the same."""

import importlib.util
from pathlib import Path

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneNumberFormat, PhoneNumberType

from kemi.numbering import country_codes
from kemi.numbering.canonicalise import canonicalise
from kemi.numbering.plan import RU

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


def digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def test_every_valid_number_is_e164() -> None:
    assert len(EXAMPLES) > 900
    assert [n for n in EXAMPLES if canonicalise(n, "called", ("e164",), RU).canonical != n] == []


def test_national_forms_mean_what_the_oracle_says() -> None:
    wrong = {}
    for number in EXAMPLES:
        parsed = phonenumbers.parse(number)
        if parsed.country_code == 7:
            dialled = digits(phonenumbers.format_out_of_country_calling_number(parsed, "RU"))
            read = canonicalise(dialled, "called", ("national_trunk", "national"), RU)
            if read.canonical != number:
                wrong[number] = read
    assert wrong == {}


def test_abroad_is_dialled_as_the_oracle_says() -> None:
    wrong = {}
    for number in EXAMPLES:
        parsed = phonenumbers.parse(number)
        if parsed.country_code != 7:
            dialled = digits(phonenumbers.format_out_of_country_calling_number(parsed, "RU"))
            read = canonicalise(dialled, "called", ("international_prefix",), RU)
            if read.canonical != number:
                wrong[number] = read
    assert wrong == {}


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
