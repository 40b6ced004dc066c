"""The code base keeps its own shape: sizes, module docstrings, and no leftovers."""

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("rs3gw", "cluster", "replication")
FILE_LINES_MAX = 400
TEST_FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
FUNCTION_LINES_MEDIAN_MAX = 10
LEFTOVERS = ("TODO", "FIXME", "XXX", "breakpoint(")
SKIPS = ("mark.skip", "pytest.skip", "importorskip", "mark.xfail", "unittest.skip")
VAGUE_NAMES = ("utils.py", "helpers.py", "misc.py")

sources = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
)
tests = sorted(path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))


def functions_of(tree):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def lines_of(function):
    return (function.end_lineno or function.lineno) - function.lineno + 1


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", sources, ids=name_of)
def test_a_module_is_tidy(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= FILE_LINES_MAX
    assert not text.strip() or ast.get_docstring(tree), "say in a docstring what this module is for"
    assert path.name not in VAGUE_NAMES
    assert [word for word in LEFTOVERS if word in text] == []
    for function in functions_of(tree):
        lines = lines_of(function)
        assert lines <= FUNCTION_LINES_MAX, f"{function.name} is {lines} lines"


@pytest.mark.parametrize("path", tests, ids=name_of)
def test_a_test_module_is_tidy(path):
    text = path.read_text()
    assert text.count("\n") <= TEST_FILE_LINES_MAX
    assert [word for word in (*LEFTOVERS, *SKIPS) if word in text] == []


def test_functions_are_short():
    lengths = [
        lines_of(function)
        for path in sources
        for function in functions_of(ast.parse(path.read_text()))
    ]
    assert statistics.median(lengths) <= FUNCTION_LINES_MEDIAN_MAX
