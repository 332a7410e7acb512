"""The chart of how many times faster the compiled kernels are."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from hmlc._plot_style import INK, PALETTE, Axes, dress, new_axes


def speed_chart(timings: Iterable[Any], ax: Axes = None) -> Axes:
    """Draw how many times faster each compiled kernel is than its twins.

    Parameters
    ----------
    timings : iterable
        Objects with a `kernel` name and `seconds`, a dict with "c" and its twins' backends.
    ax : matplotlib Axes, optional
    """
    rows = list(timings)
    others = [name for name in rows[0].seconds if name != "c"]
    ax = new_axes(ax, height=1.2 + 0.5 * len(rows))
    thick = 0.8 / len(others)
    for index, other in enumerate(others):
        times = [row.seconds[other] / row.seconds["c"] for row in rows]
        places = np.arange(len(rows)) + (index - (len(others) - 1) / 2) * thick
        bars = ax.barh(places, times, height=thick, color=PALETTE[index], label=f"than {other}")
        ax.bar_label(bars, [_times(value) for value in times], padding=3, fontsize=8, color=INK)
    ax.set_yticks(np.arange(len(rows)), [row.kernel for row in rows])
    ax.set_xscale("log")
    widths = [bar.get_width() for bar in ax.patches]
    ax.set_xlim(0.8 * min(1.0, *widths), 2.5 * max(widths))
    ax.axvline(1, color=INK, linewidth=0.8)
    ax.invert_yaxis()
    dress(ax, "Compiled kernels", "times faster, logarithmic", "", legend=None)
    ax.legend(
        loc="lower right", bbox_to_anchor=(1, 1), ncols=len(others), fontsize=9, frameon=False
    )
    ax.grid(visible=False, axis="y")
    return ax


def _times(value: float) -> str:
    return f"{value:,.0f}x" if value >= 100 else f"{value:.2g}x"
