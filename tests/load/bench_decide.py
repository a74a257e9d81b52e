"""How long the pure core takes: microseconds per number and per decision. Run: python tests/load/bench_decide.py."""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from company import HOST, MVNO, directory

from kemi.numbering.canonicalise import canonicalise
from kemi.numbering.model import Rewrite
from kemi.numbering.plan import RU
from kemi.numbering.present import present
from kemi.routing.decide import decide
from kemi.routing.explain import call_from
from kemi.routing.model import MEDIA, Call, Fmc

PAIR = (Rewrite("pair", "{caller}#{did};npdi", "{did};npdi"),)
ROUNDS, TIMES = 15, 20_000


def microseconds(work: Callable[[], object]) -> float:
    """Median over rounds of the mean of one run."""
    rounds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(TIMES):
            work()
        rounds.append((time.perf_counter() - begun) / TIMES * 1e6)
    return statistics.median(rounds)


def main() -> None:
    example = directory()
    sim = call_from(
        "mvno-main",
        '"Закупки" <sip:79990000201@ims.example>;tag=f1',
        "89161234567",
        {
            "P-Served-User": "<sip:+79990000201@ims.example>;sescase=orig;regstate=reg",
            "P-Asserted-Identity": "<sip:+79990000201@ims.example>, <tel:+79990000201>",
        },
    )
    media = Call(
        source=MEDIA,
        ruri=f"sip:+79161234567@{HOST}",
        headers={
            "From": f"<sip:+79990000201@{HOST}>;tag=as1",
            "P-Asserted-Identity": f"<sip:+79990000201@{HOST}>",
        },
        fmc=Fmc("company", "mobile_originated", "201", "dial"),
    )
    client = call_from("legacy-landline", "9161234567", "4951234567")

    def no(_: str) -> bool:
        return False

    rows: dict[str, Callable[[], object]] = {
        "canonicalise +79161234567": lambda: canonicalise(
            "+79161234567", "called", MVNO.called, RU, "495", no
        ),
        "canonicalise 89161234567": lambda: canonicalise("89161234567", "called", MVNO.called, RU, "495", no),
        "canonicalise 8 (916) 123-45-67": lambda: canonicalise(
            "8 (916) 123-45-67", "called", MVNO.called, RU, "495", no
        ),
        "canonicalise, no shape fits": lambda: canonicalise(
            "380671234567", "called", MVNO.called, RU, "495", no
        ),
        "canonicalise, a rule and parameters": lambda: canonicalise(
            "79161234567#84951234567;npdi", "called", MVNO.called, RU, "495", no, rewrites=PAIR
        ),
        "present national_trunk": lambda: present("+79161234567", "national_trunk", RU),
        "decide mobile-originated, leg 1": lambda: decide(sim, example, HOST),
        "decide mobile-originated, leg 2": lambda: decide(media, example, HOST),
        "decide DID, leg 1": lambda: decide(client, example, HOST),
        "decide mobile-originated, explained": lambda: decide(sim, example, HOST, explain=True),
    }
    for name, work in rows.items():
        print(f"{microseconds(work):8.2f} µs  {name}")  # noqa: T201


if __name__ == "__main__":
    main()
