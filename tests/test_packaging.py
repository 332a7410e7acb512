"""The source distribution and the wheel: what they hold, that they work alone.

No network: built with the tools installed here.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
pytest.importorskip("build", reason="the 'build' package is not installed")
if not (ROOT / "setup.py").exists():
    pytest.skip("the project's sources are not beside the tests", allow_module_level=True)


def run(*command, **options):
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=900, check=False, **options
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Return (sdist, wheel), the wheel built from the unpacked sdist, outside the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "*.so", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=ignored)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    run(*build, "--sdist", str(source))
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    run(*build, "--wheel", str(unpacked), env={**os.environ, "HMLC_WERROR": "1"})
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


def test_sdist_holds_sources_tests_and_data_but_nothing_built(distributions):
    with tarfile.open(distributions[0]) as archive:
        names = [name.split("/", 1)[-1] for name in archive.getnames()]
    for wanted in ("setup.py", "LICENSE", "tests/conftest.py", "hmlc/_core/c/simd.h",
                   "hmlc/_core/moments.pyx", "data/README.md", "data/iris.csv"):  # fmt: skip
        assert wanted in names
    assert not [name for name in names if name.endswith((".so", ".pyc", ".pyd"))]
    assert not [name for name in names if name.startswith("hmlc/_core/") and
                name.count("/") == 2 and name.endswith(".c")]  # fmt: skip


def test_wheel_is_small_and_holds_no_sources(distributions):
    wheel = distributions[1]
    assert wheel.stat().st_size < 2 << 20
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        installed = sum(info.file_size for info in archive.infolist())
    assert installed < 4 << 20
    assert "hmlc/py.typed" in names
    assert "hmlc/_core/moments.pyi" in names
    assert "hmlc/data/iris.csv" in names
    assert "hmlc/examples/k_means_iris.py" in names
    assert not [name for name in names if name.endswith((".c", ".h", ".pyx", ".pxd", ".gz"))]
    assert [name for name in names if name.endswith("licenses/LICENSE")]


@pytest.mark.skipif(
    sys.version_info >= (3, 13) and not sys._is_gil_enabled(), reason="no stable ABI"
)
def test_one_wheel_serves_every_python_from_3_11(distributions):
    assert "-cp311-abi3-" in distributions[1].name


def test_wheel_works_with_numpy_alone(distributions, tmp_path):
    site = tmp_path / "site"
    with zipfile.ZipFile(distributions[1]) as archive:
        archive.extractall(site)
    packages = Path(np.__file__).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (packages / name).exists():
            (site / name).symlink_to(packages / name)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import hmlc;"
        "assert hmlc.backend() == 'c';"
        "model = hmlc.KMeans(n_clusters=2, random_state=0).fit([[0.0], [0.1], [5.0], [5.1]]);"
        "print(sorted(model.cluster_centers_[:, 0].round(2).tolist()), hmlc.__file__)"
    )
    printed = run(sys.executable, "-I", "-S", "-W", "error", "-c", code, cwd=tmp_path)
    assert printed.startswith("[0.05, 5.05]")
    assert str(site) in printed


def test_without_a_compiler_the_build_says_what_to_install(tmp_path):
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "*.so", "__pycache__", "*.gz")
    shutil.copytree(ROOT, source, ignore=ignored)
    result = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=source,
        env={**os.environ, "CC": "/nonexistent/cc"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode != 0
    assert "no working C compiler was found" in result.stderr
    assert "apt-get install gcc python3-dev" in result.stderr
