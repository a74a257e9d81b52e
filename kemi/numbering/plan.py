"""Dial plans as data: what a country's operators and subscribers shorten, and how to complete it.

A plan states facts of a country and holds no code: another country is another entry of PLANS. A trunk and
a tenant each name their country; a country without a plan gets INTERNATIONAL, which completes nothing.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

__all__ = ["INTERNATIONAL", "PLANS", "WORLD", "Nsn", "Plan", "country_of", "plan_of"]


class Nsn(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """National significant numbers of one kind (ITU-T E.164): how many digits, and how they begin.

    `trunk_prefix` is what precedes them in a national call where it is not the plan's.
    """

    lengths: tuple[int, ...]
    begin: tuple[str, ...]
    trunk_prefix: str | None = None


class Plan(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """The dial plan of one country (ITU-T E.164, E.129).

    `code` is the country code without plus, `trunk_prefix` what precedes a national significant number
    (NSN) in a national call ("" where the country has none), `international_prefixes` what may precede a
    country code: any of them is read, the first is written. `nsn` is what can be dialled without the
    country code; `own` is how those NSNs begin that are this country's, where others share the code.
    `emergency` numbers are dialled as they are: no prefix, no area code; the first is the general one.
    `short` are public services that anybody may dial from anywhere in the country.
    """

    country: str
    code: str = ""
    trunk_prefix: str = ""
    international_prefixes: tuple[str, ...] = ()
    nsn: tuple[Nsn, ...] = ()
    own: tuple[str, ...] = ("",)
    emergency: tuple[str, ...] = ("112",)
    short: tuple[str, ...] = ()


# Russia and Kazakhstan share the code 7 and dial each other like their own: 8 and ten digits. 0, 1, 2 and 5
# begin no number in use, so that 810 and what follows is never taken for one.
SEVEN = (Nsn((10,), ("3", "4", "6", "7", "8", "9")),)

# `own`: the agreement of both governments on the code 7. 80X, 881 to 889 and 89X are both countries'
# (free-phone and the like) or nobody's, and so is 1XX.
RU = Plan(
    country="RU",
    code="7",
    trunk_prefix="8",
    international_prefixes=("810",),
    nsn=SEVEN,
    own=("2", "3", "4", "5", "81", "82", "83", "84", "85", "86", "87", "880", "9"),
    # 01 to 04 are kept for fixed lines beside 101 to 104 (order 360 of the Ministry of Communications, 2013).
    emergency=("112", "101", "102", "103", "104", "01", "02", "03", "04"),
    # Public services online (order 360), and the information service of each region.
    short=("115", "122"),
)
KZ = Plan(
    country="KZ",
    code="7",
    trunk_prefix="8",
    international_prefixes=("810",),
    nsn=SEVEN,
    own=("0", "6", "7"),
    emergency=("112", "101", "102", "103", "104"),
    # Contact centres: for families and children (Code on Marriage and Family, article 67-1), and for public
    # services (order 83 of the Minister for Investments and Development, 2016).
    short=("111", "1414"),
)
# Numbers of an area or a mobile network are dialled 8, 0 and nine digits: the 0 is no part of the NSN. Those
# of services (800, 801, 803, 820, 902) are dialled 8 and the NSN. So has libphonenumber: `national_prefix`
# 8, of which `national_prefix_for_parsing` takes `0|80?` off, and formats `8 0$1` and `8 $1`. Short numbers
# are the emergency ones only: from 105 on free and charged services lie side by side.
BY = Plan(
    country="BY",
    code="375",
    trunk_prefix="80",
    international_prefixes=("810",),
    nsn=(
        Nsn((9,), ("15", "16", "17", "21", "22", "23", "24", "25", "29", "33", "44")),
        Nsn((6, 7, 8, 9, 10), ("800",), "8"),
        Nsn((10,), ("801", "803", "902"), "8"),
        Nsn((11,), ("820",), "8"),
    ),
    emergency=("112", "101", "102", "103", "104"),
)

# The world in UN M49, which libphonenumber too writes where there is no country.
WORLD = "001"
# International calls begin with 00 (ITU-T E.164). The emergency numbers are those that a handset knows
# without a SIM card (3GPP TS 22.101, section 10.1).
INTERNATIONAL = Plan(
    country=WORLD,
    international_prefixes=("00",),
    emergency=("112", "911", "000", "08", "110", "118", "119", "999"),
)

PLANS: Mapping[str, Plan] = {plan.country: plan for plan in (RU, KZ, BY, INTERNATIONAL)}


@lru_cache(maxsize=1024)
def plan_of(country: str, trunk_prefix: str | None = None, international: tuple[str, ...] = ()) -> Plan:
    """The dial plan of an ISO 3166 country code; INTERNATIONAL where there is none.

    `trunk_prefix` and `international` are what is dialled in place of the plan's prefixes, for all of its
    numbers: countries change theirs (8 and 810 to 0 and 00), each operator in its own time.
    """
    plan = PLANS.get(country, INTERNATIONAL)
    if trunk_prefix is not None:
        nsn = tuple(Nsn(one.lengths, one.begin) for one in plan.nsn)
        plan = msgspec.structs.replace(plan, trunk_prefix=trunk_prefix, nsn=nsn)
    if international:
        plan = msgspec.structs.replace(plan, international_prefixes=international)
    return plan


def country_of(canonical: str) -> str | None:
    """Whose an E.164 number with plus is, among the countries that have a plan.

    None for all others, and for numbers that two countries share (+7 800).
    """
    for plan in PLANS.values():
        code = f"+{plan.code}"
        if plan.code and canonical.startswith(code) and canonical.startswith(plan.own, len(code)):
            return plan.country
    return None
