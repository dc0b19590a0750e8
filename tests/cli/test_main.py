"""The command line: quick to start, helpful, and never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neve import __version__
from neve.cli.main import VERBS, find_verb, main, module_name
from neve.testing.server import LiveServer

SOURCE = str(Path(__file__).parents[2] / "src")
CPU_S_MAX = 0.150
HELP_CPU_S_MAX = 0.100
LS_CPU_S_MAX = 0.200


def cpu_of(*arguments: str, **environment: str) -> float:
    """Return the CPU seconds of a Python process, the best of several runs."""
    best = float("inf")
    for _ in range(5):
        before = os.times()
        subprocess.run(
            [sys.executable, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": SOURCE, **environment},
        )
        after = os.times()
        spent = after.children_user + after.children_system
        best = min(best, spent - before.children_user - before.children_system)
    return best


def test_import_is_quick() -> None:
    assert cpu_of("-c", "import neve.cli.main") < CPU_S_MAX


def test_help_is_quick() -> None:
    assert cpu_of("-m", "neve", "--help") < HELP_CPU_S_MAX


def test_ls_of_a_bucket_is_quick(live_server: LiveServer) -> None:
    client = live_server.client()
    client.create_bucket(Bucket="quick-ls")
    client.put_object(Bucket="quick-ls", Key="k")
    host = live_server.endpoint.removeprefix("http://")
    alias = f"http://{live_server.access_key}:{live_server.secret_key}@{host}"
    spent = cpu_of("-m", "neve", "ls", "quick/quick-ls", NEVE_HOST_quick=alias)
    assert spent < LS_CPU_S_MAX


def test_command_line_imports_no_server_before_it_is_needed() -> None:
    code = "import sys, neve.cli.main; print([m for m in sys.modules if m.startswith('neve.')])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )
    assert set(eval(done.stdout)) == {"neve.cli", "neve.cli.main", "neve.errors"}


def every_verb() -> list[str]:
    """The full names of all verbs, those of groups as well."""
    names: list[str] = []

    def visit(words: list[str], verbs: dict[str, str]) -> None:
        for verb in verbs:
            _, module, _ = find_verb([*words, verb])
            visit([*words, verb], getattr(module, "VERBS", {}))
            if hasattr(module, "run"):
                names.append(" ".join([*words, verb]))

    visit([], VERBS)
    return names


def test_every_module_of_a_verb_is_in_a_table() -> None:
    folder = Path(SOURCE) / "neve" / "cli" / "verbs"
    files = {
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if path.stem != "__init__" and not path.stem.startswith("_")
    } | {"version"}
    named = {".".join(map(module_name, name.split())) for name in every_verb()}
    assert named == files


@pytest.mark.parametrize("words", [["alias"], ["alias", "--help"], ["help", "alias"]])
def test_help_of_a_group_lists_its_verbs(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "usage: neve alias VERB" in text
    assert "\n  set " in text


def test_unknown_verb_of_a_group_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alias", "sett"]) == 2
    assert capsys.readouterr().err == ("neve: 'sett' is no verb of neve alias; did you mean set?\n")
    assert main(["alias", "xyz"]) == 2
    assert "choose one of set, ls, rm, import, export." in capsys.readouterr().err


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for verb in VERBS:
        assert f"\n  {verb} " in text
    assert main([]) == 0


@pytest.mark.parametrize("verb", every_verb())
def test_help_of_a_verb_has_examples_and_describes_every_flag(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*verb.split(), "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert f"neve {verb}" in text.partition("examples:")[2]
    for line in text.partition("options:")[2].partition("examples:")[0].splitlines():
        if line.startswith("  -") and len(line) < 25:
            assert line.strip(), "a flag without help"


def test_every_setting_with_a_flag_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import fields

    from neve.config import Config

    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    text = capsys.readouterr().out
    for item in fields(Config):
        if item.metadata.get("flag"):
            assert "--" + item.name.replace("_", "-") in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == main(["version"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"neve {__version__}"


def test_unknown_verb_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["srve"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "serve" in error


def test_missing_argument_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serve"])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "DATA" in error


def test_unexpected_error_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import neve.cli.verbs.version

    def fail(options: object, session: object) -> int:
        raise RuntimeError("what nobody foresaw")

    monkeypatch.setattr(neve.cli.verbs.version, "run", fail)
    assert main(["version"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "what nobody foresaw" in error
    monkeypatch.setenv("NEVE_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        main(["version"])


def test_interrupt_is_quiet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import neve.cli.verbs.version

    def interrupted(options: object, session: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(neve.cli.verbs.version, "run", interrupted)
    assert main(["version"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["backup", "{}/absent", "{}/target"],
        ["backup", "{}", "{}/target"],
        ["restore", "{}/absent", "{}/target"],
        ["restore", "{}", "{}/target"],
        ["rebuild", "{}/absent"],
        ["rebuild", "{}"],
    ],
)
def test_verbs_on_what_is_no_store_refuse_in_one_sentence_and_write_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main([each.format(tmp_path) for each in arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("neve: ")
    assert error.count("\n") == 1
    assert "NEVE_TRACEBACK" not in error
    assert os.listdir(tmp_path) == []
