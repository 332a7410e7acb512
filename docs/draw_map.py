"""Draw the map of machine learning: python docs/draw_map.py writes docs/images/."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

OUTPUT = Path(__file__).parent / "images" / "machine_learning_map.svg"

# Kind of learning, what it learns from -> family, its question -> algorithms; hmlc's have a star.
MAP = {
    ("Supervised", "rows with\ntheir answers"): {
        ("Regression", "how much?"): [
            "*Linear regression",
            "Gaussian process",
            "Support vector regression",
        ],
        ("Classification", "which one?"): [
            "*Logistic regression",
            "Naive Bayes",
            "Support vector machine",
        ],
        ("Neural networks", "both"): [
            "*Multilayer perceptron",
            "Convolutional",
            "Recurrent",
            "Transformer",
        ],
        ("Trees, neighbours", "both"): [
            "Decision tree",
            "Random forest",
            "Gradient boosting",
            "Nearest neighbours",
        ],
    },
    ("Unsupervised", "rows alone"): {
        ("Clustering", "which belong together?"): [
            "*K-means",
            "Hierarchical",
            "DBSCAN",
            "Gaussian mixture",
        ],
        ("Anomaly detection", "which are unusual?"): [
            "*Gaussian anomaly detection",
            "Isolation forest",
            "One-class SVM",
        ],
        ("Dimension reduction", "what is the shape?"): [
            "Principal components",
            "t-SNE",
            "UMAP",
            "Autoencoder",
        ],
    },
    ("Self-supervised", "answers made\nfrom the rows"): {
        ("Pre-training", "what is hidden here?"): [
            "Masked prediction",
            "Next token",
            "Contrastive",
        ],
    },
    ("Reinforcement", "rewards for\nactions"): {
        ("Value", "what is a state worth?"): ["Q-learning", "SARSA", "Deep Q-network"],
        ("Policy", "what to do next?"): ["Policy gradient", "Actor-critic", "PPO"],
    },
}

INK = "#1f2933"
QUIET = "#5b6b7a"
LINE = "#b8c4d0"
KIND_COLOURS = ["#dbe9f6", "#ddf0e0", "#efe6f6", "#f6ebdb"]
HERE = "#d9480f"

# Inches.
WIDTH = 10.7
ROW, GAP, EDGE = 0.52, 0.16, 0.12
KIND_LEAST = 0.84
KIND_WIDTH = 1.45
FAMILY_LEFT, FAMILY_WIDTH = 1.95, 1.95
CHIPS_LEFT, CHIP_GAP, CHIP_HEIGHT, CHIP_PADDING = 4.3, 0.12, 0.34, 0.13


def box(figure, left, bottom, width, height, fill, edge):
    """Add a rounded rectangle, its place in inches."""
    axes = figure.axes[0]
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.07",
            facecolor=fill,
            edgecolor=edge,
            linewidth=0.9,
        )
    )


def draw_chips(figure, names, middle):
    """Draw a family's algorithms side by side; return where the last ends."""
    left = CHIPS_LEFT
    for name in names:
        here = name.startswith("*")
        text = figure.axes[0].text(
            left + CHIP_PADDING,
            middle,
            name.removeprefix("*"),
            va="center_baseline",
            fontsize=10,
            color="white" if here else INK,
            fontweight="bold" if here else "normal",
            zorder=3,
        )
        width = text.get_window_extent().width / figure.dpi + 2 * CHIP_PADDING
        fill, edge = (HERE, HERE) if here else ("white", LINE)
        box(figure, left, middle - CHIP_HEIGHT / 2, width, CHIP_HEIGHT, fill, edge)
        left += width + CHIP_GAP
    return left - CHIP_GAP


def draw_family(figure, name, question, algorithms, middle, kind_middle):
    """Draw one row: the line from its kind, the family and its algorithms."""
    axes = figure.axes[0]
    bend = (EDGE + KIND_WIDTH + FAMILY_LEFT) / 2
    xs = [EDGE + KIND_WIDTH, bend, bend, FAMILY_LEFT]
    axes.plot(xs, [kind_middle, kind_middle, middle, middle], color=LINE, lw=1, zorder=0)
    axes.plot([FAMILY_LEFT + FAMILY_WIDTH, CHIPS_LEFT], [middle] * 2, color=LINE, lw=1, zorder=0)
    axes.text(FAMILY_LEFT + 0.08, middle + 0.085, name, va="center", fontsize=10.5, color=INK)
    axes.text(FAMILY_LEFT + 0.08, middle - 0.105, question, va="center", fontsize=9, color=QUIET)
    end = draw_chips(figure, algorithms, middle)
    if end > WIDTH - EDGE:
        raise ValueError(f"the row {name!r} ends at {end:.2f} inches, past the edge")


def kind_height(families):
    """Return the height of a kind's block."""
    return max(len(families) * ROW, KIND_LEAST)


def draw_map():
    """Return the figure."""
    total = sum(kind_height(families) for families in MAP.values())
    height = 2 * EDGE + total + (len(MAP) - 1) * GAP + 0.3
    figure = Figure(figsize=(WIDTH, height), dpi=100, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, height))
    axes.axis("off")
    top = height - EDGE
    for colour, ((kind, learns_from), families) in zip(KIND_COLOURS, MAP.items(), strict=True):
        tall = kind_height(families)
        kind_middle = top - tall / 2
        box(figure, EDGE, top - tall, KIND_WIDTH, tall, colour, colour)
        centre = EDGE + KIND_WIDTH / 2
        axes.text(
            centre, kind_middle + 0.02, kind, ha="center", va="bottom", fontsize=11, color=INK
        )
        axes.text(
            centre, kind_middle - 0.04, learns_from, ha="center", va="top", fontsize=9, color=QUIET
        )
        for i, ((name, question), algorithms) in enumerate(families.items()):
            middle = kind_middle + ((len(families) - 1) / 2 - i) * ROW
            draw_family(figure, name, question, algorithms, middle, kind_middle)
        top -= tall + GAP
    legend = (
        "In orange: what hmlc has. The other names are well-known neighbours, not all there is."
    )
    axes.text(EDGE, EDGE + 0.02, legend, va="bottom", fontsize=9, color=QUIET)
    return figure


if __name__ == "__main__":
    mpl.rcParams["svg.hashsalt"] = "hmlc"
    OUTPUT.parent.mkdir(exist_ok=True)
    draw_map().savefig(OUTPUT, metadata={"Date": None})
