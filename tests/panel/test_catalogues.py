"""Every message of the panel has its French."""

import re
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

PANEL = Path(__file__).resolve().parents[2] / "src" / "neve" / "panel"
METHODS = [("**.py", "python"), ("**.html", "jinja2.ext.babel_extract")]
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
}
PLACE = re.compile(r"%\(\w+\)[sdf]")


def messages() -> dict[str, str]:
    """Every message that the sources have, and where."""
    found = {}
    for name, line, message, *_ in extract_from_dir(str(PANEL), METHODS, keywords=KEYWORDS):
        text = message if isinstance(message, str) else message[0]
        found[text] = f"{name}:{line}"
    return found


def french() -> dict[str, list[str]]:
    found = {}
    for path in sorted((PANEL / "locale" / "fr").glob("*.po")):
        with path.open("rb") as stream:
            for message in read_po(stream, locale="fr"):
                if not message.id:
                    continue
                assert not message.fuzzy, f"{path.name}: {message.id}"
                key = message.id if isinstance(message.id, str) else message.id[0]
                text = message.string
                found[key] = [text] if isinstance(text, str) else list(text)
    return found


def test_every_message_is_in_french() -> None:
    known = french()
    missing = {text: place for text, place in messages().items() if not all(known.get(text, [""]))}
    assert missing == {}


def test_no_translation_is_of_a_message_that_is_gone() -> None:
    used = messages()
    assert [text for text in french() if text not in used] == []


def test_translations_have_the_places_of_their_messages() -> None:
    for text, translations in french().items():
        for each in translations:
            assert set(PLACE.findall(each)) >= set(PLACE.findall(text)) - {"%(count)s"}, text
