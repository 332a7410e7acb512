"""The chart of how many times faster the compiled kernels are."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from hmlc._plots.style import FAINT, INK, MARKERS, PALETTE, Axes, dress, new_axes


def speed_chart(timings: Iterable[Any], ax: Axes = None) -> Axes:
    """Draw how many times faster each compiled kernel is than its twins.

    Parameters
    ----------
    timings : iterable
        Objects with a `kernel` name and `seconds`, a dict with "c" and its twins' backends.
    ax : matplotlib Axes, optional

    Examples
    --------
    >>> from hmlc import plots
    >>> from hmlc.benchmark import Timing
    >>> timing = Timing("moments.update", "1,000 x 10", {"c": 1e-5, "numpy": 8e-5, "python": 1e-2})
    >>> ax = plots.speed_chart([timing])
    >>> [text.get_text() for text in ax.texts]
    ['8x', '1,000x']
    """
    rows = list(timings)
    others = [name for name in rows[0].seconds if name != "c"]
    ax = new_axes(ax, width=8, height=1.0 + 0.2 * len(rows))
    places = np.arange(len(rows))
    ax.hlines(places, 0, 1e9, color=FAINT, linewidth=0.6)
    largest = 1.0
    smallest = 1.0
    for index, other in enumerate(others):
        times = np.array([row.seconds[other] / row.seconds["c"] for row in rows])
        label = f"than {_NAMES.get(other, other)}"
        ax.plot(times, places, MARKERS[index], color=PALETTE[index], markersize=5, label=label)
        for place, value in zip(places, times, strict=True):
            ax.annotate(
                _times(value), (value, place), (6, 0), textcoords="offset points", fontsize=7,
                color=INK, verticalalignment="center",
            )  # fmt: skip
        largest, smallest = max(largest, times.max()), min(smallest, times.min())
    ax.set_yticks(places, [row.kernel for row in rows], fontsize=8)
    ax.set_xscale("log")
    ax.set_xlim(0.7 * smallest, 2.5 * largest)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.axvline(1, color=INK, linewidth=0.8)
    dress(ax, "Compiled kernels", "times faster, logarithmic", "", legend=None)
    ax.tick_params(axis="y", labelsize=8)
    ax.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=len(others), fontsize=9, frameon=False
    )
    ax.grid(visible=False, axis="y")
    return ax


_NAMES = {"numpy": "NumPy", "python": "plain Python"}


def _times(value: float) -> str:
    return f"{value:,.0f}x" if value >= 100 else f"{value:.2g}x"
