import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from hmlc._data_formats import read_csv, read_idx


def write_table(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


def write_idx(tmp_path, content):
    path = tmp_path / "array.idx.gz"
    path.write_bytes(gzip.compress(content))
    return path


def images(rows, height=28, width=28, body=None, magic=b"\0\0\x08\x03"):
    body = bytes(rows * height * width) if body is None else body
    return magic + struct.pack(">3I", rows, height, width) + body


def test_a_table_is_read_by_the_names_of_its_columns(tmp_path):
    path = write_table(tmp_path, 'a,"b c",kind\n1,-2.5e3,"x, y"\n3,4,z\n')
    table = read_csv(path)
    np.testing.assert_array_equal(table.numbers(["b c", "a"]), [[-2500, 1], [4, 3]])
    np.testing.assert_array_equal(table.codes("kind", ["z", "x, y"]), [1, 0])
    assert table.texts("kind") == ("x, y", "z")


@pytest.mark.parametrize(
    "text", ["\ufeffa,b\n1,2\n", "a,b\r\n1,2\r\n", "a,b\n\n1,2\n\n", "a,b\n1,2"]
)
def test_byte_order_marks_line_ends_and_blank_lines_do_not_matter(tmp_path, text):
    np.testing.assert_array_equal(
        read_csv(write_table(tmp_path, text)).numbers(["a", "b"]), [[1, 2]]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,four\n", r"line 3, column 'b': expected a finite number, got 'four'"),
        ("a,b\n1,\n", r"line 2, column 'b': expected a finite number, got ''"),
        ("a,b\n1,nan\n", r"line 2, column 'b': expected a finite number, got 'nan'"),
        ("a,b\n\n1,inf\n", r"line 3, column 'b': expected a finite number, got 'inf'"),
        ("a,b\n1,2\n3\n", r"line 3: expected 2 columns, got 1"),
        ("a,b\n1,2,3\n", r"line 2: expected 2 columns, got 3"),
        ("a,c\n1,2\n", r"line 1: expected a column 'b', got a, c"),
        ("a,a\n1,2\n", r"line 1: expected distinct columns, got a, a"),
        ("a,b\n", r"expected a header and at least one row, got 1 lines"),
        ("", r"expected a header and at least one row, got 0 lines"),
        ('a,b\n1,"2\n', r"line 2: unexpected end of data"),
    ],
)
def test_a_broken_table_is_refused_with_file_line_and_column(tmp_path, text, message):
    path = write_table(tmp_path, text)
    with pytest.raises(ValueError, match=message) as raised:
        read_csv(path).numbers(["a", "b"])
    assert str(raised.value).startswith(str(path))


def test_an_unknown_class_is_refused(tmp_path):
    table = read_csv(write_table(tmp_path, "a,kind\n1,x\n2,w\n"))
    with pytest.raises(ValueError, match="line 3, column 'kind': expected one of x, y, got 'w'"):
        table.codes("kind", ["x", "y"])


def test_a_table_in_another_encoding_is_refused(tmp_path):
    path = write_table(tmp_path, "name,x\nC\u00f4te,1\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"table\.csv: expected UTF-8 text"):
        read_csv(path)


def test_the_first_rows_of_an_idx_file_are_read(tmp_path):
    pixels = np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)
    path = write_idx(tmp_path, images(3, body=pixels.tobytes()))
    for n_rows in (1, 2, 3):
        array = read_idx(path, (28, 28), n_rows)
        assert array.dtype == np.uint8
        assert array.flags.writeable
        np.testing.assert_array_equal(array, pixels[:n_rows])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected an IDX header of 16 bytes, got 0"),
        (images(2)[:15], "expected an IDX header of 16 bytes, got 15"),
        (images(2, magic=b"\0\0\x08\x01"), "expected the IDX magic 00000803, got 00000801"),
        (images(2, magic=b"\0\0\x0d\x03"), "expected the IDX magic 00000803, got 00000d03"),
        (images(2, magic=b"\x7fELF"), "expected the IDX magic 00000803, got 7f454c46"),
        (images(2, width=27), r"expected rows of shape \(28, 28\), got \(28, 27\)"),
        (images(1), "expected at least 2 rows, got 1"),
        (images(2)[:-1], "expected 1568 bytes in 2 rows, got 1567"),
        (images(2) + b"\0", "expected 1568 bytes in 2 rows, got more"),
        (images(2**32 - 1, body=bytes(9)), "expected 1568 bytes in 2 rows, got 9"),
    ],
)
def test_a_hostile_idx_file_is_refused(tmp_path, content, message):
    path = write_idx(tmp_path, content)
    with pytest.raises(ValueError, match=message) as raised:
        read_idx(path, (28, 28), 2)
    assert str(raised.value).startswith(str(path))


def test_an_announced_size_is_not_allocated(tmp_path):
    rows = 60_000
    path = write_idx(tmp_path, images(rows, body=bytes(100)))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="got 100"):
            read_idx(path, (28, 28), rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < rows * 28 * 28 / 8


@pytest.mark.parametrize("damage", ["truncate", "flip", "plain"])
def test_a_damaged_gzip_file_is_refused(tmp_path, damage):
    path = write_idx(tmp_path, images(50, body=np.random.default_rng(0).bytes(50 * 784)))
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        content = content[:-2000]
    elif damage == "flip":
        content[20_000] ^= 0xFF
    else:
        content = images(50)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"array\.idx\.gz: expected a whole gzip file"):
        read_idx(path, (28, 28), 50)
