"""A verb on a pseudo-terminal, with somebody who answers its questions."""

import os
import pty
import subprocess
import sys
import time

from neve.testing.cli import CommandLine


def on_a_terminal(neve: CommandLine, lines: list[str], *arguments: str) -> tuple[int, str]:
    """Run a verb on a pseudo-terminal and answer its questions; return status and screen."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", *arguments],
        stdin=child, stdout=child, stderr=child, start_new_session=True,
        env=neve.environment | {"NO_COLOR": "1"},
    )  # fmt: skip
    os.close(child)
    screen = b""
    answers = list(lines)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            piece = os.read(parent, 4096)
        except OSError:
            break
        if not piece:
            break
        screen += piece
        if answers and screen.endswith(b": "):
            os.write(parent, answers.pop(0).encode() + b"\n")
    os.close(parent)
    return process.wait(30), screen.decode()
