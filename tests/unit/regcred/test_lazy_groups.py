"""The tables of lazy groups match the commands and their modules."""

import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from regcred.__main__ import main
from regcred.cli.lazy_group import Lazy, LazyGroup


def tables(group: LazyGroup, *path: str) -> Iterator[tuple[LazyGroup, str, tuple[str, ...]]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        if name in group.lazy:
            yield group, name, (*path, name)
        inner = group.get_command(context, name)
        if isinstance(inner, LazyGroup):
            yield from tables(inner, *path, name)


@pytest.mark.parametrize(
    ("group", "name", "path"), [pytest.param(*one, id=" ".join(one[2])) for one in tables(main)]
)
def test_the_table_has_each_command_with_its_short_help(
    group: LazyGroup, name: str, path: tuple[str, ...]
) -> None:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.get_short_help_str(limit=1000) == group.lazy[name].short_help
    assert CliRunner().invoke(main, [*path, "--help"]).exit_code == 0


def test_only_a_missing_package_is_reported_as_not_installed(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(f"{tmp_path}/mistaken.py", "w") as file:  # noqa: PTH123 a test's own file
        file.write("import regcred.no_such_module")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    group = LazyGroup(
        "g", lazy={"m": Lazy("mistaken:m", "A mistake."), "n": Lazy("not_there.x:n", "Not there.")}
    )
    with pytest.raises(ModuleNotFoundError):
        group.get_command(click.Context(group), "m")
    with pytest.raises(click.ClickException, match="not part of this installation: not_there"):
        group.get_command(click.Context(group), "n")
    assert group.get_command(click.Context(group, resilient_parsing=True), "n") is None
