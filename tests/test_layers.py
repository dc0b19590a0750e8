"""The import ladder of the architecture: a module imports only from layers above its own line."""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "neve"

LADDER: dict[str, set[str]] = {
    "": set(),  # single modules of the package root: values, errors, doors
    "catalog": {""},
    "blobs": {""},
    "audit": {""},
    "iam": {""},
    "engine": {"", "catalog", "blobs", "iam"},
    "s3": {"", "catalog", "engine", "iam"},
    "admin": {"", "catalog", "engine", "iam", "audit", "s3"},
    "moving": {"", "catalog", "engine", "iam", "s3", "admin"},
    "client": {""},
    "panel": {"", "client"},
    "server": {"", "catalog", "engine", "iam", "audit", "s3", "admin", "panel"},
    "cli": {"", "engine", "moving", "client", "server"},
    "testing": {
        *("", "catalog", "blobs", "engine", "iam", "s3", "admin", "moving", "client", "server"),
        "cli",
    },
}


def layer_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (SOURCE / parts[1]).is_dir() else ""


def imports_of(path: Path) -> set[str]:
    """Modules of ours that a file imports when it runs; those for type checkers do not count."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.startswith("neve."))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("neve"):
            if node.module == "neve":
                found.update(f"neve.{alias.name}" for alias in node.names)
            else:
                found.add(node.module)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def test_no_module_imports_from_below_its_layer() -> None:
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        relative = path.relative_to(SOURCE)
        if relative.name == "__main__.py":
            continue
        layer = relative.parts[0] if len(relative.parts) > 1 else ""
        allowed = LADDER[layer] | {layer}
        wrong += [
            f"{relative} imports {module}"
            for module in sorted(imports_of(path))
            if layer_of(module) not in allowed
        ]
    assert wrong == []


def test_operations_do_not_import_the_server_or_the_disk() -> None:
    for path in (SOURCE / "s3").rglob("*.py"):
        assert "neve.disk" not in imports_of(path), path


OPERATORS = {"serve", "backup", "restore", "rebuild", "key", "import_/minio_drive"}
"""Verbs that work on a folder of this machine; all others of the command line speak HTTP."""


OF_CLIENTS = {"neve.names", "neve.errors", "neve.signing", "neve.sealed_bodies", "neve.__version__"}
"""What whoever speaks HTTP to a server may share with it."""


def test_the_client_and_the_panel_know_no_server() -> None:
    for layer in ("client", "panel"):
        for path in sorted((SOURCE / layer).rglob("*.py")):
            own = (f"neve.{layer}", "neve.client")
            others = {name for name in imports_of(path) if not name.startswith(own)}
            assert others <= OF_CLIENTS, path


def test_client_verbs_know_no_server() -> None:
    for path in sorted((SOURCE / "cli").rglob("*.py")):
        verb = str(path.relative_to(SOURCE / "cli").with_suffix("")).removeprefix("verbs/")
        if verb in OPERATORS:
            continue
        others = {
            name for name in imports_of(path) if not name.startswith(("neve.cli", "neve.client"))
        }
        assert others <= OF_CLIENTS, path
