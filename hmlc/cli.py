"""The command line: ``hmlc demo``, ``hmlc bench``, ``hmlc info``."""

import argparse
import importlib.util
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType

import hmlc
from hmlc import _backend, _passes

DEMOS = (
    "univariate_linear_regression",
    "multivariate_linear_regression",
    "non_linear_regression",
    "logistic_linear_boundary",
    "logistic_non_linear_boundary",
    "logistic_mnist",
    "logistic_fashion_mnist",
    "k_means_iris",
    "anomaly_detection_server",
    "mlp_mnist",
    "mlp_fashion_mnist",
)

Quality = dict[str, float]
Demo = Callable[[Path, Path | None], Quality]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 for a failure, 2 for bad usage."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except KeyboardInterrupt:
        print("hmlc: interrupted", file=sys.stderr)
        return 130
    except (ImportError, OSError, ValueError) as error:
        print(f"hmlc: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hmlc", description=hmlc.__doc__)
    parser.add_argument("--version", action="version", version=f"hmlc {hmlc.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo", help="train every algorithm on real data; figures, quality and speed"
    )
    demo.add_argument("name", nargs="?", choices=DEMOS, metavar="NAME", help=", ".join(DEMOS))
    _add_folders(demo, default_out=Path("hmlc-demo"))
    demo.set_defaults(run=_demo)

    bench = commands.add_parser("bench", help="compiled against NumPy against plain Python")
    bench.add_argument("--chart", type=Path, metavar="FILE", help="draw the result into FILE")
    bench.add_argument(
        "--peers", action="store_true", help="hmlc against other libraries, in a checkout"
    )
    bench.set_defaults(run=_bench)

    info = commands.add_parser("info", help="version, backend, instruction set, threads, build")
    info.set_defaults(run=_info)
    return parser


def _add_folders(parser: argparse.ArgumentParser, default_out: Path) -> None:
    parser.add_argument(
        "--out", type=Path, default=default_out, metavar="DIR",
        help="folder for the figures (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=Path, default=None, metavar="DIR",
        help="folder of the data sets (default: ./data, the package's own, or the download cache)",
    )  # fmt: skip


def run_example(demo: Demo) -> None:
    """Run one example script's demo with --out and --data from its command line."""
    parser = argparse.ArgumentParser(description=sys.modules[demo.__module__].__doc__)
    _add_folders(parser, default_out=Path("hmlc-demo"))
    options = parser.parse_args()
    _run_demo(demo, options.out, _data_folder(options.data))


def _data_folder(given: Path | None) -> Path | None:
    if given is not None and not given.is_dir():
        raise ValueError(f"--data must be a folder; {given} is not one")
    if given is None and Path("data", "iris.csv").is_file():
        return Path("data")
    return given


def _run_demo(demo: Demo, out: Path, data: Path | None) -> Quality:
    out.mkdir(parents=True, exist_ok=True)
    return demo(out, data)


def _demo(options: argparse.Namespace) -> None:
    """Run one demo, or all and the benchmark; a demo without its data does not stop the others."""
    data = _data_folder(options.data)
    if options.name:
        _run_demo(_load_demo(options.name), options.out, data)
        return
    from hmlc import benchmark, plots

    qualities: dict[str, Quality] = {}
    missing: list[OSError] = []
    timings: list[benchmark.Timing] = []
    steps = len(DEMOS) + len(benchmark.WORKLOADS)
    with _progress(steps) as advance:
        for name in DEMOS:
            advance(name)
            print(f"\n{name.replace('_', ' ')}")
            try:
                qualities[name] = _run_demo(_load_demo(name), options.out, data)
            except OSError as error:
                print(f"not run: {error}")
                missing.append(error)
        for timing in benchmark.run_all():
            advance(timing.kernel)
            timings.append(timing)
    print("\nquality")
    for name, quality in qualities.items():
        shown = ", ".join(f"{what} {value:.4g}" for what, value in quality.items())
        print(f"  {name:<32} {shown}")
    print(f"\nspeed: one thread, float64, {_machine()}\n")
    print(benchmark.format_table(timings))
    plots.save(plots.speed_chart(timings), options.out / "speed.png")
    print(f"\nfigures: {options.out}/")
    if missing:
        raise OSError(f"{len(missing)} of {len(DEMOS)} demos did not run: {missing[0]}")


def _bench(options: argparse.Namespace) -> None:
    if options.peers:
        _bench_peers(options.chart)
        return
    from hmlc import benchmark

    with _progress(len(benchmark.WORKLOADS)) as advance:
        timings = []
        for timing in benchmark.run_all():
            advance(timing.kernel)
            timings.append(timing)
    print(f"one thread, float64, {_machine()}\n")
    print(benchmark.format_table(timings))
    if options.chart:
        from hmlc import plots

        plots.save(plots.speed_chart(timings), options.chart)


def _bench_peers(chart: Path | None) -> None:
    """Run the comparison with other libraries, which stands in the checkout only."""
    for folder in (Path.cwd(), Path(hmlc.__file__).parent.parent):
        if (folder / "benchmarks" / "harness.py").is_file():
            sys.path.append(str(folder))
            break
    else:
        raise ImportError(
            "the comparison with other libraries is not part of an installation: run "
            "hmlc bench --peers in a checkout of the repository, after "
            "pip install --group bench"
        )
    main = importlib.import_module("benchmarks.__main__").main
    if main(["--chart", str(chart)] if chart else []):
        raise ValueError("some work was not done to the quality asked for; see above")


def _info(options: argparse.Namespace) -> None:
    import numpy

    rows = {
        "hmlc": hmlc.__version__,
        "backend": hmlc.backend(),
        "instruction set": _backend.instruction_set(),
        "threads": str(_passes.n_threads()),
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "build": _build(),
        "location": str(Path(hmlc.__file__).parent),
    }
    for name, value in rows.items():
        print(f"{name + ':':<17} {value}")


def _build() -> str:
    """Tell how the kernels in use were built."""
    if hmlc.backend() != "c":
        return "kernels interpreted"
    library = Path(_backend.kernels().elementwise.__file__).name
    return f"{library.split('.', 1)[1]} (stable ABI)" if "abi3" in library else library


def _machine() -> str:
    return f"{_backend.instruction_set()}, {platform.machine()}, Python {platform.python_version()}"


def _load_demo(name: str) -> Demo:
    """Return an example's main function, from the package or from the checkout beside it."""
    package = Path(hmlc.__file__).parent
    for folder in (package / "examples", package.parent / "examples"):
        path = folder / f"{name}.py"
        if path.is_file():
            main: Demo = _load(path).main
            return main
    raise ImportError(f"the example {name}.py is missing from this installation")


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"hmlc_example_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    """Show a bar below what is printed, where that is a terminal and tqdm is installed.

    Yields what names each step.
    """
    try:
        from tqdm import tqdm
        from tqdm.contrib import DummyTqdmFile
    except ImportError:
        yield lambda name: None
        return
    with tqdm(total=steps, file=sys.stdout, leave=False, disable=None) as bar:

        def advance(name: str) -> None:
            bar.set_description(name, refresh=False)
            bar.update()

        with redirect_stdout(sys.stdout if bar.disable else DummyTqdmFile(sys.stdout)):
            yield advance


if __name__ == "__main__":
    sys.exit(main())
