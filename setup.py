"""Builds the kernels: one C source per family, compiled once per instruction set and float type."""

import os
import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CompileError, PlatformError

CORE = Path("hmlc/_core")
FAMILIES = sorted(path.stem for path in CORE.glob("*.pyx"))
FLOAT_BITS = (32, 64)

# The free-threaded build has no stable ABI; every other CPython >= 3.11 shares one wheel.
LIMITED_API = not sysconfig.get_config_var("Py_GIL_DISABLED")

MSVC = sys.platform == "win32" and "GCC" not in sys.version
FLAGS = (
    ["/O2", "/std:c11", "/fp:precise", "/W3"]
    if MSVC
    else [
        "-O2",
        "-g0",
        "-std=c11",
        "-ffp-contract=off",
        "-fno-math-errno",
        "-fvisibility=hidden",
        "-Wall",
        "-Wextra",
    ]
)
if os.environ.get("HMLC_WERROR") and not MSVC:
    FLAGS.append("-Werror")

# Variant name -> compiler flags. The first is what any processor of the architecture runs.
X86_VARIANTS = {
    "baseline": [],
    "avx2": ["/arch:AVX2"] if MSVC else ["-mavx2", "-mfma"],
    "avx512": ["/arch:AVX512"]
    if MSVC
    else ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mavx2", "-mfma"],
}
NO_COMPILER = """
hmlc is compiled while it is installed, and no working C compiler was found.
  Debian, Ubuntu:  apt-get install gcc python3-dev
  macOS:           xcode-select --install
  Windows:         install the Build Tools for Visual Studio (C++)
The compiler's own message: {}
"""


def variants() -> dict[str, list[str]]:
    """Return the instruction sets to compile for the machine that the wheel is for."""
    target = (os.environ.get("ARCHFLAGS") or sysconfig.get_platform()).lower()
    if any(name in target for name in ("arm64", "aarch64")):
        return {"neon": []}
    if any(name in target for name in ("x86_64", "amd64")):
        return X86_VARIANTS
    return {"baseline": []}


class BuildKernels(build_ext):
    """Compile each family's C source for every variant and float type, then link its module."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self):
        self.check_compiler()
        super().build_extensions()

    def check_compiler(self):
        probe = Path(self.build_temp) / "probe.c"
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_text("#include <stddef.h>\n#include <Python.h>\nptrdiff_t probe;\n")
        try:
            self.compiler.compile(
                [str(probe)],
                output_dir=self.build_temp,
                include_dirs=[sysconfig.get_path("include")],
            )
        except (CompileError, OSError) as error:
            raise PlatformError(NO_COMPILER.format(error)) from error

    def build_extension(self, ext):
        family = ext.name.rsplit(".", 1)[1]
        source = CORE / "c" / f"{family}.c"
        if source.exists():
            ext.extra_objects = [
                obj
                for variant, flags in variants().items()
                for bits in FLOAT_BITS
                for obj in self.compile_variant(source, variant, flags, bits)
            ]
        super().build_extension(ext)

    def compile_variant(self, source, variant, flags, bits):
        return self.compiler.compile(
            [str(source)],
            output_dir=str(Path(self.build_temp) / f"{variant}_f{bits}"),
            macros=[("HMLC_VARIANT", variant), ("HMLC_REAL_BITS", str(bits))],
            extra_postargs=FLAGS + flags,
        )


class BuildModules(build_py):
    """Leave the scripts in data/ out: installed, hmlc.data is a folder of tables."""

    def find_package_modules(self, package, package_dir):
        return [] if package == "hmlc.data" else super().find_package_modules(package, package_dir)


class StableAbiWheel(bdist_wheel):
    """Tag the wheel for every CPython from 3.11 on."""

    def finalize_options(self):
        if LIMITED_API:
            self.py_limited_api = "cp311"
        super().finalize_options()


def extensions() -> list[Extension]:
    """Return one extension per family, and the one that holds Cython's memoryview code for all."""
    macros = [(f"HMLC_WITH_{name.upper()}", "1") for name in variants()]
    if LIMITED_API:
        macros.append(("Py_LIMITED_API", "0x030B0000"))
    common = {
        "define_macros": macros,
        "include_dirs": [str(CORE / "c")],
        "extra_compile_args": FLAGS,
        "extra_link_args": [] if MSVC or sys.platform == "darwin" else ["-Wl,--strip-all"],
        "py_limited_api": LIMITED_API,
    }
    families = [
        Extension(
            f"hmlc._core.{family}",
            [str(CORE / f"{family}.pyx"), str(CORE / "c" / "dispatch.c")],
            depends=[str(path) for path in (CORE / "c").iterdir()],
            **common,
        )
        for family in FAMILIES
    ]
    shared = Extension("hmlc._core._memoryview", [str(CORE / "_memoryview.c")], **common)
    return cythonize(
        [*families, shared],
        shared_utility_qualified_name="hmlc._core._memoryview",
        compiler_directives={
            "language_level": 3,
            "autotestdict": False,
            "boundscheck": False,
            "wraparound": False,
            "initializedcheck": False,
            "cdivision": True,
            "freethreading_compatible": True,
        },
    )


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildKernels, "build_py": BuildModules, "bdist_wheel": StableAbiWheel},
)
