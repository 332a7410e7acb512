"""What the plots show, in numbers: no pixels are compared."""

import importlib
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression

mpl.use("Agg")
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.text import Text

from hmlc import plots
from hmlc.metrics import silhouette_samples

CURVE = SimpleNamespace(
    thresholds=np.array([-30.0, -8.0, -5.0, -1.0]),
    precisions=np.array([1.0, 1.0, 0.6, 0.1]),
    recalls=np.array([0.01, 0.5, 0.9, 1.0]),
    f1s=np.array([0.02, 2 / 3, 0.72, 0.18]),
    threshold=-5.0,
)


class Bell:
    """A detector of the standard normal distribution."""

    threshold_ = -4.0

    def score_samples(self, X):
        return -0.5 * np.sum(np.asarray(X) ** 2, axis=1) - np.log(2 * np.pi)


def line(ax, rng):
    x = rng.normal(size=(40, 1))
    return plots.regression_line(LinearRegression().fit(x, 2 * x[:, 0] + 1), x, x[:, 0], ax=ax)


def surface(ax, rng):
    X, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    return plots.regression_surface(LinearRegression().fit(X, y), X, y, ax=ax)


def regions(ax, rng):
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 3
    return plots.decision_regions(LogisticRegression().fit(X, y), X, y, ax=ax)


def clusters(ax, rng):
    X = rng.normal(size=(40, 4))
    return plots.clusters(KMeans(3, n_init=1, random_state=0).fit(X), X, (1, 3), ax=ax)


PLOTS = {
    "cost_history": lambda ax, rng: plots.cost_history(
        SimpleNamespace(cost_history_=np.arange(9, 0, -1)), ax=ax
    ),
    "regression_line": line,
    "regression_surface": surface,
    "scatter_classes": lambda ax, rng: plots.scatter_classes(
        rng.normal(size=(9, 2)), np.arange(9) % 3, ax=ax
    ),
    "decision_regions": regions,
    "clusters": clusters,
    "silhouette": lambda ax, rng: plots.silhouette(
        rng.normal(size=(40, 2)), np.arange(40) % 3, ax=ax
    ),
    "elbow": lambda ax, rng: plots.elbow(
        KMeans(3, n_init=1, random_state=0), rng.normal(size=(40, 2)), range(2, 6), ax=ax
    ),
    "density_contours": lambda ax, rng: plots.density_contours(
        Bell(), rng.normal(size=(200, 2)), ax=ax
    ),
    "threshold_curve": lambda ax, rng: plots.threshold_curve(CURVE, ax=ax),
    "weight_images": lambda ax, rng: plots.weight_images(rng.normal(size=(5, 16)), ax=ax),
    "image_grid": lambda ax, rng: plots.image_grid(
        rng.random((5, 16)), range(5), [0, 1, 2, 3, 9], ax=ax
    ),
    "speed_chart": lambda ax, rng: plots.speed_chart(
        [SimpleNamespace(kernel="gram", seconds={"c": 1.0, "numpy": 2.0, "python": 300.0})], ax=ax
    ),
}


@pytest.fixture(autouse=True)
def _no_figures_left():
    yield
    pyplot.close("all")


def new_axes(name):
    projection = "3d" if name == "regression_surface" else None
    return Figure(layout="constrained").subplots(subplot_kw={"projection": projection})


def test_every_plot_is_tried():
    assert set(PLOTS) | {"save", "image_report"} == set(plots.__all__)


def test_image_report_shows_weights_costs_and_predictions(rng):
    model = SimpleNamespace(cost_history_=[2.0, 1.0], predict=lambda X: np.zeros(len(X), int))
    figure = plots.image_report(
        model, rng.normal(size=(4, 16)), rng.random((6, 16)), np.arange(6) % 2, (4, 4)
    )
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert "4 sets of weights" in titles
    assert "Cost while fitting" in titles
    assert "6 images, 3 predicted wrong" in titles


@pytest.mark.parametrize("name", PLOTS)
def test_given_axes_are_drawn_into_and_returned(name, rng, tmp_path):
    ax = new_axes(name)
    assert PLOTS[name](ax, rng) is ax
    assert pyplot.get_fignums() == []
    ax.figure.savefig(tmp_path / "plot.png")


@pytest.mark.parametrize("name", PLOTS)
def test_a_figure_is_made_saved_and_closed(name, rng, tmp_path):
    before = dict(mpl.rcParams)
    ax = PLOTS[name](None, rng)
    assert pyplot.get_fignums() == [ax.figure.number]
    plots.save(ax, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert pyplot.get_fignums() == []
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", PLOTS)
def test_words_do_not_overlap(name, rng):
    ax = PLOTS[name](None, rng)
    ax.figure.draw_without_rendering()
    own = [child for child in ax.get_children() if isinstance(child, Text)]
    texts = [*own, ax.xaxis.label, ax.yaxis.label]
    boxes = [t.get_window_extent() for t in texts if t.get_text() and t.get_visible()]
    if ax.get_legend() is not None:
        boxes.append(ax.get_legend().get_window_extent())
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def words(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_cost_history_has_every_cost_and_a_fitting_axis():
    ax = plots.cost_history(SimpleNamespace(cost_history_=np.array([5.0, 3.0, 2.0])))
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[0, 5], [1, 3], [2, 2]])
    assert ax.get_yscale() == "linear"
    ax = plots.cost_history(SimpleNamespace(cost_history_=np.array([[500.0, 1], [3.0, 0.5]])))
    assert ax.get_yscale() == "log"
    assert words(ax) == ["target 0", "target 1"]


def test_regression_line_follows_the_model(rng):
    x = rng.uniform(-3, 5, (30, 1))
    model = LinearRegression().fit(x, 2 * x[:, 0] + 1)
    ax = plots.regression_line(model, x, x[:, 0], feature_name="wealth", target_name="joy")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), 2 * ax.lines[0].get_xdata() + 1)
    assert (ax.lines[0].get_xdata()[0], ax.lines[0].get_xdata()[-1]) == (x.min(), x.max())
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), np.column_stack([x, x]))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("wealth", "joy")


def test_regression_surface_parts_points_above_and_below(rng):
    X = rng.normal(size=(30, 2))
    y = np.where(np.arange(30) < 10, 1.0, -1.0)
    model = SimpleNamespace(predict=lambda X: np.zeros(len(X)))
    ax = plots.regression_surface(model, X, y)
    assert [len(c.get_offsets()) for c in ax.collections[1:3]] == [10, 20]
    heights = np.concatenate([line.get_data_3d()[2] for line in ax.lines])
    assert np.nansum(np.abs(heights)) == 30  # a stalk each, of length 1, from the surface at 0


def test_decision_regions_name_classes_and_cover_the_data(rng):
    X, y = rng.normal(size=(60, 2)), np.array(["no", "so", "yes"])[np.arange(60) % 3]
    model = LogisticRegression().fit(X, y)
    ax = plots.decision_regions(model, X, y, feature_names=("a", "b"), target_names="NSY")
    assert words(ax) == ["N", "S", "Y"]
    assert ax.get_xlim()[0] < X[:, 0].min() < X[:, 0].max() < ax.get_xlim()[1]
    assert ax.get_ylim()[0] < X[:, 1].min() < X[:, 1].max() < ax.get_ylim()[1]


def test_decision_regions_of_more_classes_than_colours(rng):
    X, y = rng.normal(size=(90, 2)), np.arange(90) % 9
    assert len(words(plots.decision_regions(LogisticRegression().fit(X, y), X, y))) == 9


def test_clusters_draw_the_columns_chosen(rng):
    X = rng.normal(size=(50, 4))
    model = KMeans(3, n_init=1, random_state=0).fit(X)
    ax = plots.clusters(model, X, (1, 3), feature_names=["p", "q", "r", "s"])
    centers = ax.collections[-1].get_offsets()
    np.testing.assert_allclose(centers, model.cluster_centers_[:, [1, 3]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("q", "s")
    assert sum(len(c.get_offsets()) for c in ax.collections[:-1]) == 50


def test_silhouette_bars_are_the_silhouettes_sorted(rng):
    X = np.concatenate([rng.normal(size=(30, 2)), rng.normal(size=(20, 2)) + 4])
    labels = np.array(["far", "near"])[(np.arange(50) < 31).astype(int)]
    samples = silhouette_samples(X, labels)
    ax = plots.silhouette(X, labels)
    for cluster, bars in zip(("far", "near"), ax.collections, strict=True):
        vertices = bars.get_paths()[0].vertices
        ends = sorted({x for x, _ in vertices} - {0.0})
        np.testing.assert_allclose(ends, np.sort(samples[labels == cluster]))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["far: 19", "near: 31"]
    assert ax.get_title(loc="left") == f"Mean silhouette {samples.mean():.3f}"
    assert ax.get_xlim()[0] < samples.min()


def test_elbow_fits_copies_and_marks_the_models_own_number(rng):
    X = rng.normal(size=(60, 2))
    model = KMeans(4, n_init=1, random_state=0)
    ax = plots.elbow(model, X, [2, 4, 5])
    expected = [KMeans(k, n_init=1, random_state=0).fit(X).inertia_ for k in (2, 4, 5)]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), np.column_stack([[2, 4, 5], expected]))
    np.testing.assert_allclose(ax.lines[1].get_xydata(), [[4, expected[1]]])
    assert words(ax) == [f"4 clusters: {expected[1]:.4g}"]
    assert not hasattr(model, "inertia_")
    assert plots.elbow(model, X, [2, 3]).get_legend() is None


def test_density_contours_ring_the_flagged(rng):
    X = np.concatenate([rng.uniform(-1, 1, (50, 2)), [[6.0, 0.0], [0.0, -7.0]]])
    ax = plots.density_contours(Bell(), X)
    np.testing.assert_array_equal(ax.collections[-1].get_offsets(), X[50:])
    assert ax.get_title(loc="left") == "2 of 52 rows flagged"


def test_threshold_curve_marks_the_chosen():
    ax = plots.threshold_curve(CURVE)
    np.testing.assert_allclose(ax.lines[-1].get_xydata(), [[-5, 0.72]])
    assert "chosen: -5, F1 0.720" in words(ax)
    assert -9 < ax.get_xlim()[0] < -8  # F1 at -30 is below a tenth of the best


def test_weight_images_are_symmetric_about_zero():
    weights = np.array([[-1.0, 0.5, 0.0, 0.25], [0.1, 0.2, 0.3, 0.4]])
    ax = plots.weight_images(weights, (2, 2), names=["a", "b"])
    assert ax.images[0].get_clim() == (-1, 1)
    picture = ax.images[0].get_array()
    np.testing.assert_array_equal(picture[:2, :2], weights[0].reshape(2, 2))
    np.testing.assert_array_equal(picture[:2, 3:], weights[1].reshape(2, 2))
    assert [text.get_text() for text in ax.texts] == ["a", "b"]


def test_weight_images_are_not_blinded_by_a_few_weights(rng):
    weights = rng.uniform(-1, 1, (10, 100))
    weights[0, :3] = 1e4
    limit = plots.weight_images(weights).images[0].get_clim()[1]
    assert 0.99 < limit < 1


def test_image_grid_colours_right_and_wrong():
    images = np.random.default_rng(0).random((50, 4, 4))
    labels = ["boot"] * 50
    predicted = ["boot", "bag", *["boot"] * 48]
    ax = plots.image_grid(images, labels, predicted, limit=6)
    assert [t.get_text() for t in ax.texts][:3] == ["boot", "boot\nas bag", "boot"]
    assert ax.texts[0].get_color() != ax.texts[1].get_color() == ax.lines[1].get_color()
    assert len(ax.texts) == 6
    assert ax.get_title(loc="left") == "6 images, 1 predicted wrong"


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.regression_line(None, np.ones((3, 2)), np.ones(3)), r"1 column\(s\)"),
        (lambda: plots.decision_regions(None, np.ones((3, 3)), np.ones(3)), r"2 column\(s\)"),
        (lambda: plots.weight_images(np.ones((2, 6)), (2, 2)), "6 pixels do not fit"),
        (lambda: plots.weight_images(np.ones(4)), "n, rows, columns"),
        (lambda: plots.image_grid(np.ones((2, 4)), [1]), "2 images, 1 labels"),
    ],
)
def test_bad_input(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
    assert pyplot.get_fignums() == []


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    find = importlib.import_module

    def missing(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return find(name, *rest)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"pip install 'hmlc\[plot\]'"):
        plots.threshold_curve(CURVE)
