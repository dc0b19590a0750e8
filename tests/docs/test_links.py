"""Every link of the documentation leads somewhere, and every page can be reached."""

from pathlib import Path

import pytest

from .pages import ROOT, anchors, links, name_of, pages, prose


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_relative_link_resolves(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), link


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    queue = [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in seen:
            continue
        seen.add(page)
        targets = [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
        queue += [target for target in targets if target.suffix == ".md" and target.exists()]
    assert sorted(map(name_of, set(pages()) - seen)) == []


WRITTEN_BY_HAND = [page for page in pages() if page.name != "operations.md"]


@pytest.mark.parametrize("page", WRITTEN_BY_HAND, ids=name_of)
def test_a_page_has_one_title_and_no_long_lines(page: Path) -> None:
    lines = prose(page).splitlines()
    assert [line for line in lines if line.startswith("# ")] == lines[:1]
    assert [line for line in lines if len(line) > 120 and line[:1] not in ("|", "<")] == []
