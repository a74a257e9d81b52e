from pathlib import Path

import pytest
from sqlalchemy import select

from demo import provision
from kemi.directory import apply, rows, yamlfile
from kemi.directory.tables import RevisionRow
from kemi.settings import CHECKOUT, Settings, load
from kemi.store import engine_for, migrate, reading

DATA = CHECKOUT / "demo" / "demo.yaml"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load({"FMC_STATE": str(tmp_path)})


@pytest.fixture
def said() -> list[str]:
    return []


def held(settings: Settings) -> object:
    engine = engine_for(settings.database)
    with reading(engine) as connection:
        document = rows.document(connection)
    engine.dispose()
    return document


def revisions(settings: Settings) -> list[str]:
    engine = engine_for(settings.database)
    with reading(engine) as connection:
        found = list(connection.execute(select(RevisionRow.who)).scalars())
    engine.dispose()
    return found


def apply_as(settings: Settings, who: str, file: Path) -> None:
    migrate(settings.database)
    engine = engine_for(settings.database)
    apply.apply(engine, yamlfile.load(file), who=who, file=file.name)
    engine.dispose()


def test_an_empty_database_gets_the_directory(settings: Settings, said: list[str]) -> None:
    provision.provision(settings, DATA, said.append)
    assert held(settings) == yamlfile.load(DATA)
    assert said == []


def test_again_changes_nothing(settings: Settings, said: list[str]) -> None:
    provision.provision(settings, DATA, said.append)
    provision.provision(settings, DATA, said.append)
    assert revisions(settings) == ["demo"]
    assert said == []


def test_an_earlier_directory_of_the_demo_is_brought_up_to_date(
    settings: Settings, said: list[str], tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier.yaml"
    earlier.write_text(DATA.read_text().replace('"204"', '"299"'))
    apply_as(settings, "demo", earlier)
    provision.provision(settings, DATA, said.append)
    assert held(settings) == yamlfile.load(DATA)
    assert said == []


def test_somebody_elses_directory_is_moved_aside_with_its_events(settings: Settings, said: list[str]) -> None:
    apply_as(settings, "operator", CHECKOUT / "examples" / "company.yaml")
    (settings.spool / "worker-1").mkdir(parents=True)
    before = held(settings)
    provision.provision(settings, DATA, said.append)
    assert held(settings) == yamlfile.load(DATA)
    (aside,) = (settings.state / "aside").iterdir()
    assert str(aside) in said[0]
    assert held(load({"FMC_STATE": str(aside)})) == before
    assert (aside / "spool" / "worker-1").exists()
    assert not settings.spool.exists()


def test_a_foreign_database_server_is_left_alone(tmp_path: Path) -> None:
    on_server = load({"FMC_STATE": str(tmp_path), "FMC_DATABASE": "postgresql+psycopg://host/fmc"})
    with pytest.raises(provision.ForeignDirectoryError, match="FMC_DATABASE"):
        provision._move_aside(on_server)
    assert list(tmp_path.iterdir()) == []
