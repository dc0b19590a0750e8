"""Write the completion of this command for a shell: verbs, flags, aliases, buckets, keys.

bash: in ~/.bashrc, `eval "$(neve completion bash)"`; zsh: the same in ~/.zshrc, after compinit;
fish: `neve completion fish > ~/.config/fish/completions/neve.fish`. Buckets and keys are asked of
the server as you press Tab; a server that does not answer at once is not waited for.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session

EXAMPLES = """\
examples:
  neve completion bash
  neve completion zsh
  neve completion fish
"""

_SCRIPTS = {
    "bash": """\
_neve() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$(printf '%q' "$word")")
    done < <(command neve completion line -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then compopt -o nospace; fi
}
complete -o default -F _neve neve""",
    "zsh": """\
_neve() {
    local -a found folders others
    found=("${(@f)$(command neve completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    folders=(${(M)found:#*/}) others=(${found:#*/})
    (( $#folders )) && compadd -Q -S '' -- "${(@q)folders}"
    (( $#others )) && compadd -Q -- "${(@q)others}"
    _files
}
compdef _neve neve""",
    "fish": """\
function __neve_words
    set -l words (commandline -opc) (commandline -ct)
    command neve completion words -- $words[2..-1] 2>/dev/null
end
complete -c neve -a '(__neve_words)'""",
}


@dataclass(frozen=True)
class Script(Result):
    """The completion for a shell."""

    kind: ClassVar[str] = "completionScript"
    verbatim: ClassVar[bool] = True

    shell: Annotated[str, "bash, zsh or fish"]
    script: Annotated[str, "what the shell is to read"]

    def text(self, style: Style) -> str:
        """The script."""
        return self.script


@dataclass(frozen=True)
class Word(Result):
    """A word that may stand where the cursor is."""

    kind: ClassVar[str] = "completionWord"

    word: Annotated[str, "the whole word"]

    def text(self, style: Style) -> str:
        """The word."""
        return self.word


RESULTS = (Script, Word, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the shell; `words` and `line` are what the scripts themselves call."""
    parser.add_argument(
        "shell", choices=[*_SCRIPTS, "words", "line"], metavar="SHELL", help="bash, zsh or fish"
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help=argparse.SUPPRESS)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Write the script, or the words that may follow."""
    if options.shell in _SCRIPTS:
        yield Script(options.shell, _SCRIPTS[options.shell])
        return
    from neve.cli.completer import candidates, of_line, split

    if options.shell == "line":
        found = of_line(" ".join(options.words), session)
    else:
        found = candidates([split(word)[-1] for word in options.words or [""]], session)
    for word in found:
        yield Word(word)
