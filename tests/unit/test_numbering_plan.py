"""Dial plans: whose facts they are, whose number is whose, and prefixes that a trunk sets itself."""

import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, shortnumberinfo

from kemi.numbering.canonicalise import is_e164
from kemi.numbering.plan import BY, INTERNATIONAL, KZ, PLANS, RU, WORLD, country_of, plan_of

COUNTRIES = [plan for plan in PLANS.values() if plan.code]


def test_a_country_without_a_plan_completes_nothing() -> None:
    assert set(PLANS) == {"RU", "KZ", "BY", WORLD}
    for unknown in ("XX", "", "DE", "ru", WORLD):
        assert plan_of(unknown) is INTERNATIONAL
    assert (INTERNATIONAL.code, INTERNATIONAL.nsn, INTERNATIONAL.trunk_prefix) == ("", (), "")


def test_a_plan_is_made_once() -> None:
    assert plan_of("RU") is RU
    assert plan_of("RU", "0", ("00",)) is plan_of("RU", "0", ("00",))


def test_prefixes_of_a_trunk_take_the_place_of_the_plans() -> None:
    plan = plan_of("BY", "0", ("00", "810"))
    assert (plan.trunk_prefix, plan.international_prefixes) == ("0", ("00", "810"))
    assert {one.trunk_prefix for one in plan.nsn} == {None}
    assert plan_of("BY", None, ("00",)).nsn == BY.nsn
    assert plan_of("RU", "0").international_prefixes == ("810",)
    assert plan_of("XX", None, ("011",)).international_prefixes == ("011",)


@pytest.mark.parametrize("plan", COUNTRIES, ids=lambda plan: plan.country)
def test_a_plan_says_what_the_oracle_says(plan) -> None:
    metadata = PhoneMetadata.metadata_for_region(plan.country)
    assert str(metadata.country_code) == plan.code
    assert metadata.preferred_international_prefix.replace("~", "") == plan.international_prefixes[0]
    assert plan.trunk_prefix.startswith(metadata.national_prefix)


@pytest.mark.parametrize("plan", COUNTRIES, ids=lambda plan: plan.country)
def test_who_helps_is_who_the_oracle_knows(plan) -> None:
    known = {
        digits
        for digits in (f"{n:0{size}}" for size in (2, 3) for n in range(10**size))
        if shortnumberinfo.is_emergency_number(digits, plan.country)
    }
    # It has no 04 and no 104: the gas service.
    assert known <= set(plan.emergency) <= known | {"104", "04"}


@pytest.mark.parametrize("plan", PLANS.values(), ids=lambda plan: plan.country)
def test_the_general_number_comes_first_and_nothing_is_two_things(plan) -> None:
    assert plan.emergency[0] == "112"
    dialled = [*plan.emergency, *plan.short]
    assert len(set(dialled)) == len(dialled)
    assert all(digits.isdigit() and not is_e164(digits) for digits in dialled)


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+79161234567", "RU"),
        ("+74951234567", "RU"),
        ("+78121234567", "RU"),
        ("+77012345678", "KZ"),
        ("+77172123456", "KZ"),
        ("+76001234567", "KZ"),
        ("+78001234567", None),  # free-phone of both
        ("+78091234567", None),
        ("+375291234567", "BY"),
        ("+4915123456789", None),
        ("+37411123456", None),
        ("112", None),
        ("anonymous", None),
        ("", None),
    ],
)
def test_whose_a_number_is(number: str, country: str | None) -> None:
    assert country_of(number) == country


def test_whose_a_number_is_the_oracle_says_too() -> None:
    for area in range(1000):
        number = f"+7{area:03}1234567"
        region = phonenumbers.region_code_for_number(phonenumbers.parse(number))
        ours = country_of(number)
        assert ours is None or region in (None, ours), number


def test_no_number_is_two_countries() -> None:
    for begin in RU.own:
        assert not begin.startswith(KZ.own)
        assert not any(other.startswith(begin) for other in KZ.own)
