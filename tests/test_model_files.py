"""Model files that are damaged, newer or made to do harm: each is refused by what is wrong."""

import contextlib
import copy
import hashlib
import json
import struct
import tracemalloc

import numpy as np
import pytest
from fitted_models import NAMES, answers, models
from hypothesis import given, settings
from hypothesis import strategies as st

import hmlc
from hmlc._saving import files


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a path to write to, and the bytes of every model's file by name."""
    path = tmp_path_factory.mktemp("saved") / "m"
    files = {}
    for name in NAMES:
        hmlc.save(models(np.float32)[name], path)
        files[name] = path.read_bytes()
    return path, files


@given(data=st.data())
def test_damage_is_always_noticed(saved, data):
    path, files = saved
    content = bytearray(files[data.draw(st.sampled_from(NAMES))])
    original = bytes(content)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    if data.draw(st.booleans()):
        content += data.draw(st.binary(max_size=80))
    if bytes(content) == original:
        return
    path.write_bytes(content)
    with pytest.raises(hmlc.ModelFileError, match="cannot load"):
        hmlc.load(path)


def test_every_shorter_file_is_cut_short(saved):
    path, files = saved
    content = files["scaler"]
    for length in range(0, len(content), 3):
        path.write_bytes(content[:length])
        with pytest.raises(hmlc.ModelFileError):
            hmlc.load(path)


def parts(content):
    """Return a file's header and what follows, without its digest."""
    _, _, length, _ = struct.unpack_from("<8sIIQ", content)
    return json.loads(content[24 : 24 + length]), content[24 + length : -32]


def sealed(header, arrays, version=1):
    """Return a file with a right digest."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-(24 + len(text)) % 64)
    total = 24 + len(text) + len(arrays) + 32
    start = struct.pack("<8sIIQ", files.MAGIC, version, len(text), total) + text + arrays
    return start + hashlib.sha256(start).digest()


def test_the_format_is_the_documented_one(saved):
    for content in saved[1].values():
        header, arrays = parts(content)
        assert content[:8] == b"\x89HMLC\r\n\x1a"
        assert sealed(header, arrays) == content
        assert (len(content) - 32 - len(arrays)) % 64 == 0
    header, arrays = parts(saved[1]["scaler"])
    assert header["class"] == "StandardScaler"
    place = header["arrays"][header["state"]["mean_"]["array"]]
    assert place["dtype"] == "<f8"
    mean = struct.unpack_from(f"<{place['shape'][0]}d", arrays, place["offset"])
    assert mean == tuple(models(np.float32)["scaler"].mean_)


def test_newer_formats_are_refused_by_their_version(saved):
    path, files = saved
    path.write_bytes(sealed(*parts(files["scaler"]), version=2))
    with pytest.raises(hmlc.ModelFileError, match=r"format is version 2.*A newer hmlc is needed"):
        hmlc.load(path)


ODD = st.sampled_from(
    [None, True, 0, -1, 1, 2, 10**6, 2**62, 10**300, 0.0, -1.0, 1e308, "", "tanh", [], {}, [0],
     {"array": 0}, {"array": -1}, {"array": 10**9}, {"float": "nan"}, {"float": "inf"},
     {"tuple": []}, {"dict": [[[], 1]]}, {"dict": [[0, 1, 2]]},
     {"objects": [1, [2]]}, {"objects": ["a", "b"]}, "<f8", "<U9999999", "|O"]
)  # fmt: skip


def places_in(value, path=()):
    """Yield where there are values, as paths of keys."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield (*path, key)
        if isinstance(value[key], (dict, list)):
            yield from places_in(value[key], (*path, key))


@settings(max_examples=300)
@given(data=st.data())
def test_no_header_can_do_harm(saved, data):
    path, files = saved
    name = data.draw(st.sampled_from(NAMES))
    header, arrays = parts(files[name])
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(list(places_in(header))))
        inner = header
        for key in way:
            inner = inner[key]
        if data.draw(st.booleans()) and isinstance(inner, (dict, list)):
            inner[last] = copy.deepcopy(data.draw(ODD))
        else:
            del inner[last]
    path.write_bytes(sealed(header, arrays))
    try:
        model = hmlc.load(path)
    except hmlc.ModelFileError:
        return
    if hasattr(model, "n_features_in_") and model.n_features_in_ <= 16:
        with contextlib.suppress(TypeError, ValueError):
            answers(model, np.zeros((3, model.n_features_in_)))


@settings(max_examples=200)
@given(data=st.data())
def test_no_arrays_can_do_harm(saved, data):
    path, files = saved
    header, arrays = parts(files[data.draw(st.sampled_from(NAMES))])
    content = bytearray(arrays)
    if content:
        at = data.draw(st.integers(0, len(content) - 1))
        some = data.draw(st.binary(min_size=1, max_size=16) | st.sampled_from([b"\xff" * 64]))
        content[at : at + len(some)] = some[: len(content) - at]
    path.write_bytes(sealed(header, bytes(content)))
    try:
        model = hmlc.load(path)
    except hmlc.ModelFileError:
        return
    with np.errstate(all="ignore"):
        answers(model, np.zeros((3, 4)))


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 5000,
        b'{"a":' * 5000,
        b'{"class": NaN}',
        b'{"class": 1, "class": 2}',
        b"\xff\xfe",
        b"9" * 5000,
        b"",
        b"{}",
        b"null",
    ],
    ids=range(9),
)
def test_strange_json_is_refused(header, tmp_path):
    (tmp_path / "m").write_bytes(sealed(header, b""))
    with pytest.raises(hmlc.ModelFileError, match="cannot load"):
        hmlc.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ([2**40], "<f8"),
        ([2**20, 2**20, 2**20], "<f8"),
        ([1], "<U9999999"),
        ([2**62, 2**62, 0], "|u1"),
    ],
)
def test_nothing_is_allocated_for_what_a_file_only_announces(saved, shape, dtype):
    path, files = saved
    header, arrays = parts(files["k-means"])
    header["arrays"][0] |= {"shape": shape, "dtype": dtype}
    path.write_bytes(sealed(header, arrays))
    tracemalloc.start()
    try:
        with pytest.raises(hmlc.ModelFileError):
            hmlc.load(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_class_is_never_looked_up_by_name(saved):
    path, files = saved
    header, arrays = parts(files["scaler"])
    for name in ("os.system", "hmlc.StandardScaler", "Estimator", "object", "", None, ["KMeans"]):
        path.write_bytes(sealed({**header, "class": name}, arrays))
        with pytest.raises(hmlc.ModelFileError, match="is not a class of hmlc"):
            hmlc.load(path)
