"""Write kemi/numbering/country_codes.py from the metadata of `phonenumbers` (libphonenumber).

Run it after an update of phonenumbers: `image/enter python tools/country_codes.py`. A test says when the
checked-in file is behind. For a country with a dial plan of our own the plan's lengths hold.
"""
# ruff: noqa: INP001 (a script, not a package)

from pathlib import Path

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from kemi.numbering.plan import PLANS

LONGEST = 15  # digits of an E.164 number, country code included (ITU-T E.164, section 6)
NON_GEOGRAPHIC = "001"
# The seven digits in the metadata are Canada's 310 numbers, which cannot be called with a country code.
CORRECTED = {"1": [10]}
OUTPUT = Path(__file__).parents[1] / "kemi" / "numbering" / "country_codes.py"

HEAD = '''"""Assigned country codes and how many digits may follow each.

Written by tools/country_codes.py from the metadata of libphonenumber: do not edit.
"""

from collections.abc import Mapping

NSN_LENGTHS: Mapping[str, tuple[int, ...]] = {
'''


def lengths(code: int, regions: tuple[str, ...]) -> list[int]:
    """Digits that may follow a country code, over all countries and services that share it."""
    found: set[int] = set()
    for region in regions:
        metadata = (
            PhoneMetadata.metadata_for_nongeo_region(code)
            if region == NON_GEOGRAPHIC
            else PhoneMetadata.metadata_for_region(region)
        )
        if metadata is not None and metadata.general_desc is not None:
            found.update(metadata.general_desc.possible_length)
    return sorted(n for n in found if n + len(str(code)) <= LONGEST)


def module() -> str:
    """The text of kemi/numbering/country_codes.py."""
    table = {str(code): lengths(code, regions) for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()}
    table.update(CORRECTED)
    for plan in PLANS.values():
        if plan.code:
            table[plan.code] = sorted({length for one in plan.nsn for length in one.lengths})
    rows = (f'    "{code}": {tuple(table[code])},\n' for code in sorted(table))
    return HEAD + "".join(rows) + "}\n"


if __name__ == "__main__":
    OUTPUT.write_text(module(), encoding="utf-8")
