"""Every example runs as a script would, reaches its quality, and draws its figure."""

from pathlib import Path

import pytest

from hmlc import cli

pytest.importorskip("matplotlib", reason="matplotlib is not installed")
DATA = Path(__file__).resolve().parents[1] / "data"
if not DATA.is_dir():
    pytest.skip("the data sets are not beside the tests", allow_module_level=True)

# What each must reach: the name of a quality and its least value.
LEAST = {
    "univariate_linear_regression": {"held-out R2": 0.55},
    "multivariate_linear_regression": {"held-out R2": 0.65},
    "non_linear_regression": {"R2": 0.98},
    "logistic_linear_boundary": {"held-out accuracy": 0.9},
    "logistic_non_linear_boundary": {"training accuracy": 0.85},
    "logistic_mnist": {"held-out accuracy": 0.89},
    "logistic_fashion_mnist": {"held-out accuracy": 0.80},
    "k_means_iris": {"agreement with species": 0.95, "silhouette": 0.65},
    "anomaly_detection_server": {"F1": 0.75},
    "mlp_mnist": {"held-out accuracy": 0.94},
    "mlp_fashion_mnist": {"held-out accuracy": 0.82},
}


def test_every_demo_is_held_to_a_quality():
    assert set(LEAST) == set(cli.DEMOS)


@pytest.mark.parametrize("name", cli.DEMOS)
def test_example(name, tmp_path, capsys):
    quality = cli._load_demo(name)(tmp_path, DATA)
    for what, least in LEAST[name].items():
        assert quality[what] >= least
    (figure,) = tmp_path.iterdir()
    assert figure.name == f"{name}.png"
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.strip()
