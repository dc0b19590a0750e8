"""The command line as its users run it: a process of its own, with settings of its own.

With `--json` every line that it prints is checked against the types that the verb declares.
"""

import json
import os
import subprocess
import sys
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from neve.testing.live import LiveServer

_SOURCE = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0


class CommandLine:
    """`neve` with a settings' folder of its own and, as the alias `live`, a server."""

    def __init__(self, folder: Path, server: LiveServer | None = None) -> None:
        self.folder = folder
        self.server = server
        self.environment = self._variables()
        if server is not None:
            self.alias("live", server.endpoint, server.access_key, server.secret_key)

    def alias(self, name: str, url: str, access_key: str = "", secret_key: str = "") -> None:
        """Make an alias, by the environment."""
        scheme, _, host = url.partition("://")
        keys = f"{access_key}:{secret_key}@" if access_key else ""
        self.environment[f"NEVE_HOST_{name}"] = f"{scheme}://{keys}{host}"

    def run(
        self,
        *arguments: str,
        status: int | None = 0,
        stdin: bytes = b"",
        cwd: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb; check the exit status unless it is None."""
        done = subprocess.run(
            [sys.executable, "-m", "neve", *arguments],
            input=stdin,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            cwd=cwd or self.folder,
            env=self.environment | (environment or {}),
        )
        text = subprocess.CompletedProcess(
            done.args, done.returncode, _text(done.stdout), _text(done.stderr)
        )
        if status is not None:
            shown = f"neve {' '.join(arguments)}: {done.returncode}\n{text.stdout}{text.stderr}"
            assert done.returncode == status, shown
            assert "NEVE_TRACEBACK" not in text.stderr, shown
        return text

    def json(self, *arguments: str, status: int = 0, **options: Any) -> list[dict[str, Any]]:
        """Run a verb with --json; return what it printed, checked against its declaration."""
        from neve.cli.main import find_verb

        done = self.run(*arguments, "--json", status=status, **options)
        name, module, _ = find_verb(list(arguments))
        found = [json.loads(line) for line in done.stdout.splitlines()]
        for line in found:
            check_result(name, module.RESULTS, line)
        return found

    def _variables(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NEVE_", "MC_", "MINIO_", "AWS_", "XDG_"))
        }
        path = kept.get("PYTHONPATH", "")
        return kept | {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_SOURCE), path))),
            "HOME": str(self.folder / "home"),
            "TZ": "UTC",
            "PYTHONIOENCODING": "utf-8",
            "COLUMNS": "100",
        }


def check_result(name: str, results: tuple[type[Any], ...], line: dict[str, Any]) -> None:
    """Check that a JSON object is one of those that the verb declares."""
    from neve.cli.output import camel

    kinds = {result.kind: result for result in results}
    kind = line.get("type", "")
    assert kind in kinds, f"{name} answers {kind!r}, which it does not declare"
    result = kinds[kind]
    assert line["status"] == ("error" if result.failed else "success"), line
    hints = get_type_hints(result, include_extras=True)
    types = {camel(item.name): get_args(hints[item.name])[0] for item in fields(result)}
    assert set(line) == {"status", "type", *types}, f"{name}, {kind}: other fields than declared"
    for field, hint in types.items():
        assert conforms(line[field], hint), f"{name}, {kind}.{field}: {line[field]!r} is no {hint}"


def conforms(value: Any, hint: Any) -> bool:
    """Whether a value of JSON is what the type of a result's field becomes."""
    from neve.cli.output import Result, camel

    if isinstance(hint, UnionType):
        return any(conforms(value, each) for each in get_args(hint))
    origin = get_origin(hint)
    if origin in (list, tuple):
        return isinstance(value, list) and all(conforms(each, get_args(hint)[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            conforms(each, get_args(hint)[1]) for each in value.values()
        )
    if hint is NoneType:
        return value is None
    if hint is datetime:
        return isinstance(value, str) and value.endswith("Z")
    if hint is Any:
        return True
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if issubclass(hint, Result):
        hints = get_type_hints(hint, include_extras=True)
        return set(value) == {camel(name.name) for name in fields(hint)} and all(
            conforms(value[camel(name.name)], get_args(hints[name.name])[0])
            for name in fields(hint)
        )
    return type(value) is hint


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
