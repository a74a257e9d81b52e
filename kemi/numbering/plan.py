"""Dial plans as data: what a country's operators and subscribers shorten, and how to complete it.

A plan states facts of a country and holds no code: another country is another entry of PLANS. A trunk and
a tenant each name their country; a country without a plan gets INTERNATIONAL, which completes nothing.
"""

from collections.abc import Mapping

import msgspec


class Plan(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """The dial plan of one country (ITU-T E.164, E.129).

    `code` is the country code without plus, `trunk_prefix` what precedes a national significant number
    (NSN) in a national call, `international_prefix` what precedes a country code; each is "" where the
    country has none. An NSN has one of `nsn_lengths` digits and begins with one of `nsn_first`.
    `emergency` numbers are dialled as they are: no prefix, no area code. The first is the general one.
    """

    country: str
    code: str = ""
    trunk_prefix: str = ""
    international_prefix: str = ""
    nsn_lengths: tuple[int, ...] = ()
    nsn_first: str = ""
    emergency: tuple[str, ...] = ("112",)


# NSNs that begin with 3, 4, 8 and 9 are Russia's, 6 and 7 Kazakhstan's: both share the code 7 and are
# dialled alike, 8 and ten digits.
RU = Plan(
    country="RU",
    code="7",
    trunk_prefix="8",
    international_prefix="810",
    nsn_lengths=(10,),
    nsn_first="346789",
    emergency=("112", "101", "102", "103", "104"),
)

# 112 is what a handset anywhere in the world may dial (3GPP TS 22.101, section 10.1).
INTERNATIONAL = Plan(country="")

PLANS: Mapping[str, Plan] = {plan.country: plan for plan in (RU,)}


def plan_of(country: str) -> Plan:
    """The dial plan of an ISO 3166 country code; INTERNATIONAL where there is none."""
    return PLANS.get(country, INTERNATIONAL)
