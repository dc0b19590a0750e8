"""The reference of operations is what the code says."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from neve.s3.operations import __path__ as OPERATIONS_PATH
from neve.s3.routes import PREFLIGHT, ROUTES

ROOT = Path(__file__).parent.parent.parent


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "operations_reference", ROOT / "scripts" / "operations_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_up_to_date() -> None:
    reference = script()
    assert reference.PAGE.read_text() == reference.page()


def test_every_operation_is_on_the_page() -> None:
    text = script().page()
    for route in ROUTES:
        assert re.search(rf"\b{route.operation}\b", text), route.operation


def test_every_module_of_operations_is_in_the_table_and_says_what_it_serves() -> None:
    files = {path.stem for path in Path(OPERATIONS_PATH[0]).glob("*.py")} - {"__init__"}
    assert files == {route.module for route in (*ROUTES, PREFLIGHT) if route.module}
    for route in ROUTES:
        if route.module and route.module != "unconfigured":
            first = (script().module_of(route).__doc__ or "").partition(":")[0]
            assert route.operation in first.split(", "), route.operation
