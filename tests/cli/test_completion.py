"""Completion, in the shells that are here."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neve.cli.completer import split
from neve.cli.main import VERBS
from neve.testing.cli import CommandLine


def words(neve: CommandLine, *typed: str) -> list[str]:
    return neve.run("completion", "words", "--", *typed).stdout.splitlines()


def test_verbs_flags_and_choices(neve: CommandLine) -> None:
    assert words(neve, "") == list(VERBS)
    assert words(neve, "ali") == ["alias"]
    assert words(neve, "alias", "") == ["set", "ls", "rm", "import", "export"]
    assert words(neve, "ls", "--ver") == ["--versions"]
    assert words(neve, "--json", "pin") == ["ping"]
    assert words(neve, "completion", "z") == ["zsh"]
    assert words(neve, "nonsense", "x") == []


def test_aliases_buckets_and_keys(neve: CommandLine, bucket: str, client: Any) -> None:
    for key in ("da ta/x", "data/a", "data/b/c", "other"):
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    assert words(neve, "cat", "li") == ["live/"]
    assert f"live/{bucket}/" in words(neve, "cat", "live/")
    assert words(neve, "cat", f"live/{bucket}/da") == [
        f"live/{bucket}/da ta/", f"live/{bucket}/data/",
    ]  # fmt: skip
    assert words(neve, "cat", f"live/{bucket}/da\\ ta/") == [f"live/{bucket}/da ta/x"]
    assert words(neve, "cat", "other-file", f"live/{bucket}/data/") == [
        f"live/{bucket}/data/a", f"live/{bucket}/data/b/",
    ]  # fmt: skip
    neve.alias("gone", "http://127.0.0.1:9")
    assert words(neve, "cat", "gone/") == []
    assert words(neve, "cat", "gone/b/k") == []


def test_bash(neve: CommandLine, bucket: str, client: Any, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash
    client.put_object(Bucket=bucket, Key="da ta/x", Body=b"")
    program = tmp_path / "neve"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m neve "$@"\n')
    program.chmod(0o755)
    client.put_object(Bucket=bucket, Key="year=2026/00:15", Body=b"")
    path = f"{tmp_path}:{neve.environment['PATH']}"
    for typed, replaced in {
        f"neve ls live/{bucket}/d": f"live/{bucket}/da\\ ta/",
        f"neve ls live/{bucket}/da\\ ta/": f"live/{bucket}/da\\ ta/x",
        f"neve ls live/{bucket}/year=20": "2026/",
        f"neve ls live/{bucket}/year=2026/00:": "15",
    }.items():
        script = (
            'eval "$(neve completion bash)"; COMP_LINE=$TYPED; COMP_POINT=${#COMP_LINE}; '
            'compopt() { :; }; _neve; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            [bash, "-c", script], capture_output=True, text=True, timeout=30,
            env=neve.environment | {"PATH": path, "TYPED": typed},
        )  # fmt: skip
        assert done.stderr == ""
        assert done.stdout == f"{replaced}\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("neve ls ", ["neve", "ls", ""]),
        ("neve  ls a\\ b", ["neve", "ls", "a b"]),
        ("neve ls 'a b\\", ["neve", "ls", "a b\\"]),
        ('neve ls "a b" c', ["neve", "ls", "a b", "c"]),
        ("", [""]),
    ],
)
def test_a_line_is_divided_as_a_shell_does(line: str, words: list[str]) -> None:
    assert split(line) == words


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_accept_their_script(neve: CommandLine, shell: str) -> None:
    script = neve.run("completion", shell).stdout
    assert "neve completion words --" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not here")
    done = subprocess.run([program, "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
