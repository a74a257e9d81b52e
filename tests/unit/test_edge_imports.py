"""What the SIP workers load, and that Kamailio finds it."""

import json
import os
import subprocess
import sys
import sysconfig

from kemi.settings import CHECKOUT

REPORT = """
import json, sys, types
sys.modules["KSR"] = types.ModuleType("KSR")
sys.path.insert(0, sys.argv[1])
{statement}
print(json.dumps(sorted(sys.modules)))
"""


def loaded(statement: str, **environment: str) -> set[str]:
    """Modules of a fresh interpreter after the statement, as app_python3 would run it."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(statement=statement), str(CHECKOUT / "kamailio")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return set(json.loads(done.stdout))


def test_the_edge_loads_no_sql_and_nothing_slow():
    modules = loaded("import kemi.edge.handlers")
    top = {name.partition(".")[0] for name in modules}
    assert "lmdb" in top
    assert top.isdisjoint({"sqlalchemy", "phonenumbers", "alembic", "typer", "yaml", "httpx"})
    assert {name for name in modules if name.startswith("kemi.")} >= {
        "kemi.edge.apply",
        "kemi.routing.decide",
    }
    assert not any(name.startswith(("kemi.cli", "kemi.agent", "kemi.media")) for name in modules)


def test_kamailio_finds_the_shim():
    """By its base name, in its own directory, with the packages where FMC_SITE says they are."""
    site = sysconfig.get_path("purelib")
    modules = loaded("import edge; assert callable(edge.mod_init)", FMC_SITE=site, PYTHONPATH="")
    assert "kemi.edge.handlers" in modules


def test_loading_the_shim_again_loads_all_of_kemi_again():
    statement = """
import edge
first = sys.modules["kemi.edge.handlers"]
del sys.modules["edge"]
import edge
assert sys.modules["kemi.edge.handlers"] is not first
"""
    loaded(statement, FMC_SITE=sysconfig.get_path("purelib"))


def test_mod_init_touches_nothing_but_its_metrics(tmp_path):
    """It runs before the fork: what it opened would be shared by all workers."""
    statement = """
import edge
made = edge.mod_init()
for name in ("child_init", "invite", "answered", "ended", "failed"):
    assert callable(getattr(made, name))
"""
    state = tmp_path / "state"
    loaded(statement, FMC_SITE=sysconfig.get_path("purelib"), FMC_STATE=str(state))
    assert [path.name for path in state.iterdir()] == ["metrics"]
