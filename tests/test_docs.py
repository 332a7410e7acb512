"""The pages: every link leads to a file, every kernel named exists, every example runs."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FAMILIES = {path.stem for path in (ROOT / "hmlc" / "_core" / "numpy_twin").glob("[!_]*.py")}


def by_name(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


@by_name(PAGES)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    files = [link.split("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in files if not (page.parent / link).is_file()] == []


@by_name(PAGES)
def test_kernels_named_exist(page):
    named = re.findall(r"`(\w+)\.(\w+)`", page.read_text(encoding="utf-8"))
    missing = [
        f"{family}.{kernel}"
        for family, kernel in named
        if family in FAMILIES
        and not hasattr(importlib.import_module(f"hmlc._core.numpy_twin.{family}"), kernel)
    ]
    # A family's header and twins are written family.h and family.py.
    files = (".c", ".h", ".py", ".pyi", ".pyx")
    assert [name for name in missing if not name.endswith(files)] == []


@by_name([page for page in PAGES if "```python\n" in page.read_text(encoding="utf-8")])
def test_python_examples_run(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(page), "exec"), {})
