"""Results as text and JSON, colours, tables, and the progress of transfers."""

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar

import pytest

from neve.cli import transfers
from neve.cli.output import Failure, Output, Result, Style, table
from neve.cli.transfers import Transfers


@dataclass(frozen=True)
class Inner(Result):
    some_name: Annotated[str, "a name"]


@dataclass(frozen=True)
class Thing(Result):
    kind: ClassVar[str] = "thing"
    quiet: ClassVar[bool] = True

    file_name: Annotated[str, "a name"]
    from_: Annotated[datetime, "a time"]
    inner: Annotated[list[Inner], "more"]

    def text(self, style: Style) -> str:
        return style.bold(self.file_name)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


THING = Thing("a\x1b]b", datetime(2026, 11, 28, tzinfo=UTC), [Inner("x")])


def test_json_is_one_object_per_line() -> None:
    stream = io.StringIO()
    output = Output(as_json=True, coloured=True, stream=stream)
    output.show(THING)
    output.show(Failure("no", "Code", "t"))
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {
            "status": "success", "type": "thing", "fileName": "a\x1b]b",
            "from": "2026-11-28T00:00:00Z", "inner": [{"someName": "x"}],
        },
        {"status": "error", "type": "failure", "message": "no", "code": "Code", "target": "t"},
    ]  # fmt: skip
    assert output.status == 1


def test_names_that_are_no_utf8_do_not_break_the_output() -> None:
    for as_json in (False, True):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, "utf-8")
        Output(as_json, coloured=False, stream=stream).show(Thing("\udcff", THING.from_, []))
        stream.flush()
        assert b"?" in raw.getvalue()


def test_text_is_coloured_for_terminals_only(capsys: pytest.CaptureFixture[str]) -> None:
    for coloured, shown in ((False, "a\\x1b]b\n"), (True, "\x1b[1ma\\x1b]b\x1b[0m\n")):
        stream = io.StringIO()
        Output(coloured=coloured, stream=stream).show(THING)
        assert stream.getvalue() == shown
    stream = io.StringIO()
    output = Output(quiet=True, stream=stream)
    output.show(THING)
    output.show(Failure("no way", "Code"))
    assert stream.getvalue() == ""
    assert capsys.readouterr().err == "neve: no way\n"


def test_a_key_cannot_colour_even_a_coloured_line() -> None:
    stream = io.StringIO()
    Output(coloured=True, stream=stream).show(Thing("a\x1b[31mb\x07", THING.from_, []))
    assert stream.getvalue() == "\x1b[1ma\\x1b[31mb\\x07\x1b[0m\n"


def test_tables() -> None:
    assert table([("a", "1"), ("bbb", "22")], right=(1,)) == "a     1\nbbb  22"
    assert table([]) == ""


def test_progress_is_silent_for_a_second_and_off_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for stream in (io.StringIO(), Terminal()):
        with Transfers(Output(), stream) as progress:
            progress.advance(progress.begin("f", 10), 5)
        assert stream.getvalue() == ""
    monkeypatch.setattr(transfers, "SILENT_S", 0.0)
    monkeypatch.setattr(transfers, "PERIOD_S", 0.0)
    for output in (Output(quiet=True), Output(as_json=True)):
        terminal = Terminal()
        with Transfers(output, terminal) as progress:
            progress.advance(progress.begin("f", 10), 5)
        assert terminal.getvalue() == ""


def test_progress_shows_totals_and_files_and_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "SILENT_S", 0.0)
    monkeypatch.setattr(transfers, "PERIOD_S", 0.0)
    terminal = Terminal()
    output = Output(stream=io.StringIO())
    with Transfers(output, terminal) as progress:
        progress.expect(2, 4096)
        progress.expect(0, 0, counted=True)
        one = progress.begin("one\n", 2048)
        progress.advance(one, 1024)
        shown = terminal.getvalue()
        assert " 25 %  1.0 KiB of 4.0 KiB  0 of 2 objects" in shown
        assert " left" in shown
        assert " 50 %  one\\n" in shown
        progress.advance(one, 1024)
        progress.end(one)
        assert "1 of 2 objects" in terminal.getvalue()
        assert output.screen is progress
        output.show(THING)
    assert output.screen is None
    assert terminal.getvalue().endswith("\x1b[J")
