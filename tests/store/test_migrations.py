from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, PrimaryKeyConstraint, inspect

import kemi.calls.tables
import kemi.directory.tables
from kemi import store

MIGRATIONS = Path(store.__file__).parent.parent / "migrations"


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'fmc.sqlite'}"


@pytest.fixture
def engine(url):
    store.migrate(url)
    engine = store.engine_for(url)
    yield engine
    engine.dispose()


def alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def test_the_file_is_not_for_everybody(engine, tmp_path):
    with engine.begin():
        modes = {path.name: path.stat().st_mode & 0o007 for path in tmp_path.iterdir()}
    assert modes == {"fmc.sqlite": 0, "fmc.sqlite-wal": 0, "fmc.sqlite-shm": 0}


def test_migrations_make_what_the_models_declare(engine):
    with store.reading(engine) as connection:
        differences = compare_metadata(MigrationContext.configure(connection), store.Base.metadata)
    assert differences == []


def test_constraint_names_are_the_models_names(engine):
    with store.reading(engine) as connection:
        database = inspect(connection)
        for table in kemi.directory.tables.Base.metadata.sorted_tables:
            declared = {
                str(constraint.name)
                for constraint in table.constraints
                if not isinstance(constraint, PrimaryKeyConstraint)
            }
            made = {
                constraint["name"]
                for constraint in (
                    *database.get_unique_constraints(table.name),
                    *database.get_foreign_keys(table.name),
                    *database.get_check_constraints(table.name),
                )
            }
            assert made == declared, table.name


def test_down_leaves_nothing_and_up_works_again(engine, url):
    with engine.begin() as connection:
        command.downgrade(alembic(connection), "base")
    with store.reading(engine) as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    store.migrate(url)
    store.migrate(url)
