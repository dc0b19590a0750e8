"""What verbs declare to answer: documented, unique, and made of what JSON can carry."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "cli_json_reference.py"
    spec = importlib.util.spec_from_file_location("cli_json_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(script: ModuleType) -> None:
    assert script.PAGE.read_text() == script.page(), "run scripts/cli_json_reference.py"


def test_a_type_means_one_thing(script: ModuleType) -> None:
    kinds: dict[str, type] = {}
    for name, module in script.leaves():
        assert module.RESULTS, name
        for result in module.RESULTS:
            assert result.kind, result
            assert kinds.setdefault(result.kind, result) is result, f"{name}: {result.kind}"
