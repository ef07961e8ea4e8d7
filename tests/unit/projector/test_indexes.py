"""The indexes of a generation are read from their file."""

from importlib.resources import files

from projector.write.indexes import wanted_indexes


def test_every_statement_of_the_file_is_an_index() -> None:
    lines = (files("projector") / "generation" / "indexes.sql").read_text().splitlines()
    statements = [line for line in lines if line and not line.startswith("--")]
    assert [f"CREATE INDEX {name} ON {table} {rest};" for name, table, rest in wanted_indexes()] == statements
