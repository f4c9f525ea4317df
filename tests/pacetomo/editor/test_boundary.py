"""What may know of whom: acquisition nothing of the editor, and the editor's model nothing of a window."""

import ast
import subprocess
import sys
from pathlib import Path

import pacetomo

PACKAGE = Path(pacetomo.__file__).parent


def imported(path):
    """Names of all modules that a source file imports, also within functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_acquisition_loads_nothing_of_the_editor():
    code = (
        "import sys, pacetomo.acquire, pacetomo.batch, pacetomo.scope.serialem_scope, pacetomo.finishing\n"
        "print([name for name in sys.modules if name.startswith(('pacetomo.editor', 'dearpygui'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_no_module_outside_of_the_editor_imports_it_but_the_commands():
    users = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "editor" not in path.relative_to(PACKAGE).parts
        and any(name.startswith("pacetomo.editor") for name in imported(path))
    }
    assert users <= {"cli.py", "cli_edit.py"} | {name for name in users if name.startswith("selection")}


def test_the_model_loads_without_a_window():
    modules = [
        f"pacetomo.editor.{path.stem}"
        for path in (PACKAGE / "editor").glob("*.py")
        if path.stem != "__init__"
    ]
    code = f"import sys, {', '.join(modules)}\nprint([n for n in sys.modules if n.startswith('dearpygui')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(modules) > 10
    assert found.stdout.strip() == "[]"
