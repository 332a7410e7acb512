"""Generate the two artificial tables, microchips.csv and server.csv.

    python data/make_artificial.py            write them beside this script
    python data/make_artificial.py FOLDER     write them into FOLDER

Both imitate the shape of a well-known teaching set without any of its rows. NumPy's RandomState is
used because its stream is frozen: every version of NumPy gives the same bytes.
"""

import argparse
from pathlib import Path

import numpy as np

MICROCHIP_ROWS = 118
MICROCHIP_RANGE = (-0.83, 1.11)
NORMAL_SERVERS = 298
FAR_ANOMALIES = 6
HIDDEN_ANOMALIES = 3
SERVER_MEAN = np.array([14.064, 15.021])
SERVER_VARIANCE = np.array([0.928, 0.851])
SERVER_CORRELATION = 0.352


def make_microchips() -> str:
    """Return a table of 118 chips: two test results and whether the chip was accepted.

    The label is drawn with log-odds that are a quadratic form of the two results, so the best
    boundary is an ellipse, and no boundary is right about every chip.
    """
    random = np.random.RandomState(3)
    results = np.round(random.uniform(*MICROCHIP_RANGE, size=(MICROCHIP_ROWS, 2)), 6)
    x, y = results.T
    log_odds = 4.671 + 2.866 * x + 3.710 * y - 10.859 * x * x - 6.611 * x * y - 10.603 * y * y
    accepted = random.uniform(size=MICROCHIP_ROWS) < 1 / (1 + np.exp(-log_odds))
    return table("test_1,test_2,accepted", results, accepted)


def make_servers() -> str:
    """Return a table of 307 servers: latency (ms), throughput (MB/s) and whether it is an anomaly.

    Three of the nine anomalies come from the normal servers' own distribution: no threshold on a
    density can tell them.
    """
    random = np.random.RandomState(0)
    latency, other = random.normal(size=(2, NORMAL_SERVERS + HIDDEN_ANOMALIES))
    throughput = SERVER_CORRELATION * latency + np.sqrt(1 - SERVER_CORRELATION**2) * other
    inside = np.column_stack([latency, throughput])
    angle = random.uniform(0, 2 * np.pi, FAR_ANOMALIES)
    distance = random.uniform(5, 10, FAR_ANOMALIES)
    far = distance[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])

    servers = SERVER_MEAN + np.sqrt(SERVER_VARIANCE) * np.concatenate([inside, far])
    anomaly = np.arange(len(servers)) >= NORMAL_SERVERS
    order = random.permutation(len(servers))
    return table("latency_ms,throughput_mb_s,anomaly", servers[order], anomaly[order])


def table(header: str, values: np.ndarray, labels: np.ndarray) -> str:
    """Return the CSV text of two columns of numbers and one of 0 and 1."""
    rows = [f"{x:.6f},{y:.6f},{int(label)}" for (x, y), label in zip(values, labels, strict=True)]
    return "\n".join([header, *rows, ""])


def main() -> None:
    """Write both tables."""
    parser = argparse.ArgumentParser(description="Generate microchips.csv and server.csv.")
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(__file__).parent, help="default: beside me"
    )
    folder = parser.parse_args().folder
    (folder / "microchips.csv").write_bytes(make_microchips().encode())
    (folder / "server.csv").write_bytes(make_servers().encode())


if __name__ == "__main__":
    main()
