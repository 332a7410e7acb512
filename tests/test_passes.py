"""The driver: how rows are cut, that threads leave no trace, that errors and Ctrl-C come out."""

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmlc import _passes


@given(st.integers(1, 10**7), st.integers(0, 10**9))
def test_lanes_are_whole_blocks_that_cover_all_rows(n_rows, partial_bytes):
    bounds = _passes.lane_bounds(n_rows, partial_bytes)
    assert bounds[0] == 0
    assert bounds[-1] == n_rows
    assert all(a < b for a, b in itertools.pairwise(bounds))
    assert all(start % _passes.BLOCK_ROWS == 0 for start in bounds[:-1])
    assert len(bounds) - 1 <= _passes.MAX_LANES


@pytest.mark.parametrize("n_rows", [1, 255, 256, 257, 100_003])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("source", [np.float32, np.uint8, ">f8"])
def test_pieces_are_the_rows(n_rows, order, source, rng):
    X = np.asarray(rng.integers(0, 200, (n_rows, 7)), source, order=order)
    reader = _passes.RowReader(X, np.float32)
    seen = [(rows.copy(), first, last) for rows, first, last in reader.pieces(0, n_rows)]
    assert all(rows.flags.c_contiguous and rows.dtype == np.float32 for rows, _, _ in seen)
    assert all((last - first) % 256 == 0 for _, first, last in seen[:-1])
    np.testing.assert_array_equal(np.concatenate([rows for rows, _, _ in seen]), X)


def reduce_order(n_rows, n_jobs, last_first=False):
    """Return the order in which partial sums are joined, as a nested string."""
    result = _passes.reduce_rows(
        np.zeros((n_rows, 1)),
        np.float64,
        lambda rows, first, last, partial: partial.append(f"{first}-{last}"),
        list,
        lambda left, right: left.append(f"({','.join(right)})"),
        n_jobs=n_jobs,
        flops_per_row=1e9,
        last_first=last_first,
    )
    return ",".join(result)


@given(st.permutations(range(13)), st.integers(1, 13))
def test_the_tree_joins_neighbours_whoever_comes_first(order, n_lanes):
    tree = _passes._Tree(n_lanes, lambda left, right: left.append(right))
    for lane in order:
        if lane < n_lanes:
            tree.join(lane, [lane])
    nodes = [[lane] for lane in range(n_lanes)]
    while len(nodes) > 1:
        for left, right in zip(nodes[::2], nodes[1::2], strict=False):
            left.append(right)
        nodes = nodes[::2]
    assert tree.total == nodes


def test_few_partials_are_held_at_a_time():
    """On one thread: one for each level of the tree, and the lane's own."""
    held, most = [0], [0]

    def new_partial():
        held[0] += 1
        most[0] = max(most[0], held[0])
        return [0]

    def merge(left, right):
        held[0] -= 1

    X = np.zeros((64 * 256, 1))
    _passes.reduce_rows(
        X, np.float64, lambda *_: None, new_partial, merge, n_jobs=1, flops_per_row=1e9
    )
    assert most[0] == 7


@pytest.mark.parametrize("n_jobs", [2, 3, 7])
def test_reduction_tree_does_not_depend_on_threads(n_jobs):
    for n_rows in (1, 300, 5_000, 100_000):
        assert reduce_order(n_rows, n_jobs) == reduce_order(n_rows, 1)


def test_a_pass_may_begin_with_the_last_rows():
    seen = []
    _passes.reduce_rows(
        np.zeros((100_000, 1)),
        np.float64,
        lambda rows, first, last, partial: seen.append(first),
        list,
        lambda left, right: None,
        n_jobs=1,
        flops_per_row=1e9,
        last_first=True,
    )
    assert seen == sorted(seen, reverse=True)
    assert reduce_order(100_000, 2, last_first=True) == reduce_order(100_000, 1)


def test_tasks_run_once_each_and_on_several_threads():
    threads = [None] * 200

    def task(index):
        assert threads[index] is None
        threads[index] = threading.get_ident()
        time.sleep(0.001)

    _passes.run_tasks(task, 200, 3)
    assert None not in threads
    assert len(set(threads)) == 3


def test_an_error_in_a_task_ends_the_pass_and_the_pool_survives():
    ran = []

    def task(index):
        ran.append(index)
        if index == 3:
            raise RuntimeError("task 3")
        time.sleep(0.002)

    with pytest.raises(RuntimeError, match="task 3"):
        _passes.run_tasks(task, 1000, 2)
    assert len(ran) < 1000
    counted = []
    _passes.run_tasks(counted.append, 50, 2)
    assert sorted(counted) == list(range(50))


def test_an_error_ends_what_other_threads_are_at(monkeypatch):
    monkeypatch.setattr(_passes, "CALL_BYTES", 1)
    pieces = []

    def kernel(rows, first, last, partial):
        pieces.append(first)
        if first == 20 * _passes.BLOCK_ROWS:
            raise RuntimeError("a piece of the first lane")
        time.sleep(0.002)

    X = np.zeros((400 * _passes.BLOCK_ROWS, 1))
    with pytest.raises(RuntimeError, match="a piece of the first lane"):
        _passes.reduce_rows(
            X, X.dtype, kernel, list, list.extend, n_jobs=2, flops_per_row=1e4,
            partial_bytes=_passes.PARTIALS_BYTES // 2,
        )  # fmt: skip
    # A lane has a hundred pieces, and each thread was at about the twentieth.
    assert len(pieces) < 70


def test_nested_use_stays_on_the_callers_thread():
    seen = []

    def inner(_):
        seen.append(threading.current_thread().name)

    def outer(_):
        _passes.run_tasks(inner, 4, 4)

    _passes.run_tasks(outer, 6, 2)
    assert len(seen) == 24


def test_a_team_is_there_as_a_whole():
    """A barrier of which every thread of the team is a party opens."""
    for threads in (1, 2, 3, 7):
        barrier = threading.Barrier(threads)
        seen = []

        def task(thread, count, barrier=barrier, seen=seen):
            barrier.wait(20)
            seen.append((thread, count))

        _passes.run_together(task, threads)
        assert sorted(seen) == [(thread, threads) for thread in range(threads)]


def test_a_team_is_of_one_while_the_pool_is_busy():
    seen = []

    def outer(_):
        _passes.run_together(lambda *who: seen.append(who), 3)

    _passes.run_tasks(outer, 4, 2)
    assert seen == [(0, 1)] * 4
    _passes.run_together(lambda thread, count: outer(None), 2)
    assert seen == [(0, 1)] * 6


def test_an_error_in_a_team_comes_out_and_the_pool_survives():
    def task(thread, count):
        if thread == 1:
            raise RuntimeError("thread 1")

    with pytest.raises(RuntimeError, match="thread 1"):
        _passes.run_together(task, 3)
    test_a_team_is_there_as_a_whole()


def test_threads_follow_environment_and_thread(monkeypatch):
    monkeypatch.setenv("HMLC_NUM_THREADS", "5")
    assert _passes.n_threads() == 5
    assert _passes.n_threads(2) == 2
    assert _passes.n_threads(-1) == _passes.available_cpus()
    monkeypatch.setenv("HMLC_NUM_THREADS", "nonsense")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert _passes.n_threads() == 1
    monkeypatch.setenv("HMLC_NUM_THREADS", "5")
    found = []
    thread = threading.Thread(target=lambda: found.append(_passes.n_threads()))
    thread.start()
    thread.join()
    assert found == [1]


def _count_in_child(queue):
    counted = []
    _passes.run_tasks(counted.append, 20, 2)
    queue.put(sorted(counted))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_makes_a_pool_of_its_own():
    _passes.run_tasks(lambda index: None, 20, 2)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_count_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=20) == list(range(20))
    child.join(20)
    assert child.exitcode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize(
    "work",
    [
        "_passes.run_together(lambda *_: meeting.wait(5), 3)",
        "_passes.run_tasks(lambda index: time.sleep(0), 9, 3)",
    ],
)
def test_ctrl_c_never_loses_a_thread(work):
    """However the interruption falls, the threads meet, and the pool serves on."""
    code = f"""
        import signal, threading, time
        from hmlc import _passes

        meeting, interrupted, is_armed = threading.Barrier(3), 0, False

        def interrupt(*_):
            global interrupted, is_armed
            if is_armed:
                is_armed, interrupted = False, interrupted + 1
                raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.0007)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                is_armed = True
                {work}
                is_armed = False
            except KeyboardInterrupt:
                pass
        seen = []
        _passes.run_together(lambda *who: (meeting.wait(5), seen.append(who)), 3)
        print(interrupted > 10, sorted(seen))
    """
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.stdout == "True [(0, 3), (1, 3), (2, 3)]\n", child.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_a_pass_soon():
    # A shell's background job is started with interruptions ignored, which its children inherit.
    code = """
        import signal, time
        from hmlc import _passes
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("ready", flush=True)
        _passes.run_tasks(lambda index: time.sleep(0.01), 100_000, 2)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=20)
    assert "KeyboardInterrupt" in errors
    assert child.returncode != 0


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 5000, 30_000])
@pytest.mark.parametrize("source", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("flops", [1, 1e6])
def test_map_rows_visits_every_row_once_in_whole_blocks(n, source, n_jobs, flops):
    X = np.arange(3 * n).reshape(n, 3).astype(source)
    seen = np.zeros((n, 3), np.float32)
    ends = []

    def kernel(rows, first, last):
        assert rows.dtype == np.float32
        assert rows.flags.c_contiguous
        seen[first:last] += rows + 1
        ends.append((first, last))

    _passes.map_rows(X, np.float32, kernel, n_jobs=n_jobs, flops_per_row=flops)
    np.testing.assert_array_equal(seen, X.astype(np.float32) + 1)
    assert all(first % _passes.BLOCK_ROWS == 0 for first, _ in ends)
    assert all(last % _passes.BLOCK_ROWS == 0 for _, last in ends if last < n)
