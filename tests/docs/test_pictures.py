"""Every page of the panel is in the documentation, in both languages and themes."""

import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

from neve.panel.pages import PAGES

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
NO_PAGES = {
    "/": "leads on",
    "/zip/{bucket}": "a zip file",
    "/object/{bucket}/download": "leads to S3",
    "/object/{bucket}/image": "leads to S3",
    "/folder/{bucket}": "leads on",
    "/trace/stream": "for the script of /trace",
    "/buckets/{bucket}/progress": "while something runs",
    "/tasks/{name}": "while something runs",
    "/object/{bucket}/compare": "two versions that one chooses",
    "/object/{bucket}/delete-version": "asks about a version that one chooses",
}


def shown_paths() -> list[str]:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from panel_pictures import SHOTS  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    for shot in SHOTS:
        for kind in ("en-light", "en-dark", "fr-light", "fr-dark"):
            assert (PICTURES / f"{shot.name}-{kind}.png").exists(), shot.name
    return [urlsplit(shot.path).path for shot in SHOTS]


def test_every_page_has_its_pictures() -> None:
    shown = shown_paths()
    missing = [
        page.path
        for page in PAGES
        if page.method == "GET" and page.path not in NO_PAGES
        if not any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", page.path), path) for path in shown)
    ]
    assert missing == []


def test_no_picture_is_left_over() -> None:
    text = "".join(
        (ROOT / "docs" / name).read_text() for name in ("reference/panel.md", "how-to/panel.md")
    )
    assert [path.name for path in PICTURES.iterdir() if path.name not in text] == []
