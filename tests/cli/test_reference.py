"""What verbs declare to answer: documented, unique, and made of what JSON can carry."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def load(name: str) -> ModuleType:
    path = ROOT / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load("cli_json_reference")


@pytest.mark.parametrize("name", ["cli_json_reference", "cli_reference"])
def test_the_page_is_up_to_date(name: str) -> None:
    module = load(name)
    assert module.PAGE.read_text() == module.page(), f"run scripts/{name}.py"


def test_a_type_means_one_thing(script: ModuleType) -> None:
    kinds: dict[str, type] = {}
    for name, module in script.leaves():
        assert module.RESULTS, name
        for result in module.RESULTS:
            assert result.kind, result
            assert kinds.setdefault(result.kind, result) is result, f"{name}: {result.kind}"
