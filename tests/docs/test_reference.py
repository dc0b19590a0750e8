"""The reference says what the code says."""

import base64
import importlib.util
import re
import urllib.request
from types import ModuleType

import pytest

from neve.s3.routes import ROUTES
from neve.testing.server import LiveServer, wait_until

from .pages import ROOT, tables

REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "reference_tables.py"
    spec = importlib.util.spec_from_file_location("reference_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["configuration", "limits", "errors", "policies"])
def test_the_tables_are_up_to_date(script: ModuleType, name: str) -> None:
    page = REFERENCE / f"{name}.md"
    assert page in script.pages()
    assert page.read_text() == script.fill(page.read_text())


def metrics_of(server: LiveServer) -> str:
    keys = base64.b64encode(f"{server.access_key}:{server.secret_key}".encode()).decode()
    request = urllib.request.Request(
        f"{server.endpoint}/neve/metrics", headers={"Authorization": f"Basic {keys}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.read().decode())


def test_the_metrics_of_a_live_server_are_those_of_the_page(fresh_server: LiveServer) -> None:
    # The steward's figures appear with its first report.
    wait_until(lambda: "neve_scrub_findings" in metrics_of(fresh_server))
    wait_until(lambda: "neve_checkpoint_pages" in metrics_of(fresh_server))
    served = dict(re.findall(r"^# TYPE (\S+) (\S+)$", metrics_of(fresh_server), re.MULTILINE))
    rows = [row for row in tables(REFERENCE / "metrics.md") if row[0].startswith("`neve_")]
    assert {row[0].strip("`"): row[1] for row in rows} == served


@pytest.mark.parametrize("path", ["README.md", "docs/features.md"])
def test_what_is_marked_as_working_is_served_and_nothing_else(path: str) -> None:
    """Of the operations in a row's first cell all are served (`yes`) or none is (`not yet`)."""
    served = {route.operation: route.module not in ("", "unconfigured") for route in ROUTES}
    for row in tables(ROOT / path):
        named = [name for name in re.findall(r"`(\w+)`", row[0]) if name in served]
        mark = next((cell for cell in row if re.match(r"(yes|partly|not yet|no)\b", cell)), None)
        if not named or mark is None:
            continue
        if mark.startswith("yes"):
            assert all(served[name] for name in named), row
        if mark.startswith("no"):
            assert not any(served[name] for name in named), row
