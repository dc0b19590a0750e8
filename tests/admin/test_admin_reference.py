"""The reference of the admin API is what the code says."""

import importlib.util
from pathlib import Path

from neve.admin.routes import ROUTES

ROOT = Path(__file__).parent.parent.parent


def test_the_reference_is_up_to_date() -> None:
    path = ROOT / "scripts" / "admin_reference.py"
    spec = importlib.util.spec_from_file_location("admin_reference", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PAGE.read_text() == script.page()
    for route in ROUTES:
        assert f"`{route.method} {route.path}`" in script.page()
