import gzip
import hashlib
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hmlc import _data_files
from hmlc._data_files import (
    RemoteFile,
    cache_dir,
    download,
    find_or_fetch,
    search_path,
    shipped_dir,
)

CONTENTS = b"x,y\n" + b"1,2\n" * 100


class Host:
    """A web server on this machine: what it serves under each path, and what was asked of it."""

    def __init__(self):
        self.bodies = {}
        self.announced = {}
        self.requests = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                host.requests.append(self.path)
                body = host.bodies.get(self.path)
                self.send_response(404 if body is None else 200)
                length = host.announced.get(self.path, len(body or b""))
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def serve(self, name, body, contents=None):
        contents = body if contents is None else contents
        self.bodies[f"/{name}"] = body
        digest = hashlib.sha256(contents).hexdigest()
        return RemoteFile(name, f"{self.url}/{name}", digest, len(contents))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("HMLC_DATA", raising=False)
    return tmp_path / "cache" / "hmlc"


@pytest.fixture
def host():
    host = Host()
    thread = threading.Thread(target=host.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield host
    host.server.shutdown()
    thread.join()
    host.server.server_close()


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_download_lands_in_the_cache_and_is_not_repeated(host, cache):
    remote = host.serve("set/table.csv", CONTENTS)
    path = find_or_fetch(remote, None, fetch=True)
    assert path == cache / "set" / "table.csv"
    assert path.read_bytes() == CONTENTS
    assert find_or_fetch(remote, None, fetch=True) == path
    assert host.requests == ["/set/table.csv"]
    assert files_in(cache) == [path]


def test_the_checksum_of_a_compressed_file_is_of_its_contents(host, cache):
    remote = host.serve("table.csv.gz", gzip.compress(CONTENTS), CONTENTS)
    assert gzip.decompress(download(remote).read_bytes()) == CONTENTS


def test_a_missing_page_is_an_error(host, cache):
    remote = RemoteFile("table.csv", f"{host.url}/gone.csv", "0" * 64, 10)
    with pytest.raises(OSError, match=r"gone\.csv: HTTP Error 404"):
        download(remote)
    assert files_in(cache) == []


def test_no_answer_is_an_error_that_says_how_to_do_without(host, cache):
    remote = host.serve("table.csv", CONTENTS)
    host.server.server_close()
    with pytest.raises(OSError, match="cannot fetch") as raised:
        download(remote)
    for part in (remote.url, str(cache / "table.csv"), "data_dir", "HMLC_DATA"):
        assert part in str(raised.value)
    assert files_in(cache) == []


def wrong_checksum(host):
    remote = host.serve("table.csv", CONTENTS)
    return replace(remote, sha256="0" * 64)


def cut_off(host):
    remote = host.serve("table.csv", CONTENTS[:-9])
    host.announced["/table.csv"] = len(CONTENTS)
    return replace(remote, size=len(CONTENTS))


def too_long(host):
    return replace(host.serve("table.csv", CONTENTS), size=len(CONTENTS) - 1)


def too_short(host):
    return replace(host.serve("table.csv", CONTENTS), size=len(CONTENTS) + 1)


def expands_too_far(host):
    return replace(host.serve("bomb.gz", gzip.compress(bytes(10**7)), CONTENTS), size=20_000)


def cut_off_inside_gzip(host):
    return host.serve("table.csv.gz", gzip.compress(CONTENTS)[:-4], CONTENTS)


def not_gzip(host):
    return host.serve("table.csv.gz", CONTENTS)


@pytest.mark.parametrize(
    ("serve", "message"),
    [
        (wrong_checksum, f"sha256 {'0' * 64}, got {hashlib.sha256(CONTENTS).hexdigest()}"),
        (cut_off, "ended after 395 of 404 bytes|IncompleteRead"),
        (too_long, "expected at most 403 bytes"),
        (too_short, "expected contents of 405 bytes, got 404"),
        (expands_too_far, "expected contents of 20000 bytes, got more than 20000"),
        (cut_off_inside_gzip, "expected a whole gzip file"),
        (not_gzip, "expected a whole gzip file"),
    ],
)
def test_a_wrong_file_is_refused_and_leaves_nothing(host, cache, serve, message):
    remote = serve(host)
    with pytest.raises(OSError, match=message):
        download(remote)
    assert files_in(cache) == []


def test_a_failed_download_keeps_the_file_that_was_there(host, cache):
    path = download(host.serve("table.csv", CONTENTS))
    with pytest.raises(OSError, match="sha256"):
        download(wrong_checksum(host))
    assert path.read_bytes() == CONTENTS
    assert files_in(cache) == [path]


def test_an_interrupted_download_leaves_nothing(host, cache, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_data_files, "_check", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download(host.serve("table.csv", CONTENTS))
    assert files_in(cache) == []


def test_without_fetching_a_missing_file_is_an_error_that_says_how_to_get_it(host, cache):
    remote = host.serve("table.csv", CONTENTS)
    with pytest.raises(FileNotFoundError, match="Pass fetch=True") as raised:
        find_or_fetch(remote, None, fetch=False)
    assert remote.url in str(raised.value)
    assert host.requests == []


def test_folders_are_searched_in_order(host, cache, tmp_path, monkeypatch):
    chosen, from_environment = tmp_path / "chosen", tmp_path / "from_environment"
    for folder in (chosen, from_environment):
        folder.mkdir()
    monkeypatch.setenv("HMLC_DATA", str(from_environment))
    assert search_path(chosen) == [chosen, from_environment, shipped_dir(), cache]

    remote = host.serve("table.csv", CONTENTS)
    for folder in (cache, from_environment, chosen):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.csv").write_text("mine")
        assert find_or_fetch(remote, chosen, fetch=True) == folder / "table.csv"
    assert host.requests == []


def test_the_package_has_its_tables():
    tables = {"iris.csv", "gauss2.csv", "countries.csv", "microchips.csv", "server.csv"}
    assert {path.name for path in shipped_dir().glob("*.csv")} == tables


def test_a_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    missing = tmp_path / "missing"
    with pytest.raises(NotADirectoryError, match=r"data_dir must name a folder .*missing"):
        search_path(missing)
    monkeypatch.setenv("HMLC_DATA", str(missing))
    with pytest.raises(NotADirectoryError, match=r"HMLC_DATA must name a folder .*missing"):
        search_path(None)


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, ".cache/hmlc"),
        ("darwin", {}, "Library/Caches/hmlc"),
        ("win32", {}, "AppData/Local/hmlc/Cache"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/hmlc/Cache"),
        ("linux", {"XDG_CACHE_HOME": "xdg"}, "xdg/hmlc"),
    ],
)
def test_the_cache_is_where_the_platform_keeps_caches(
    tmp_path, monkeypatch, platform, variables, expected
):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, folder in variables.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache_dir() == tmp_path / expected
