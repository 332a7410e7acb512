"""Finds a data set's file: in a chosen folder, the package or the cache, or on a public host."""

import gzip
import hashlib
import os
import sys
import tempfile
import zlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import urlopen

BLOCK = 1 << 20
TIMEOUT_S = 30


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be downloaded, and what it must contain.

    Attributes
    ----------
    name : str
        Its path inside a data folder, with ``/``; one that ends in ``.gz`` is compressed.
    url : str
    sha256 : str
        Of the contents, uncompressed: hosts compress the same contents differently.
    size : int
        Bytes of the contents, uncompressed. No more than this is ever downloaded or unpacked.
    """

    name: str
    url: str
    sha256: str
    size: int


def cache_dir() -> Path:
    """Return the folder for downloads, in the platform's place for caches. It may not exist yet."""
    configured = os.environ.get("XDG_CACHE_HOME")
    if configured:
        return Path(configured) / "hmlc"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "hmlc" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "hmlc"
    return Path.home() / ".cache" / "hmlc"


def shipped_dir() -> Path:
    """Return the project's own data: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "data"
    return installed if installed.is_dir() else package.parent / "data"


def search_path(data_dir: str | Path | None) -> list[Path]:
    """Return the folders to look into, in order.

    Raises
    ------
    NotADirectoryError
        If `data_dir`, or the folder that ``HMLC_DATA`` names, is not a folder.
    """
    chosen = {"data_dir": data_dir, "HMLC_DATA": os.environ.get("HMLC_DATA")}
    folders = []
    for origin, folder in chosen.items():
        if folder is None or folder == "":
            continue
        if not Path(folder).is_dir():
            raise NotADirectoryError(
                f"{origin} must name a folder that exists, got {str(folder)!r}"
            )
        folders.append(Path(folder))
    return [*folders, shipped_dir(), cache_dir()]


def find(name: str, data_dir: str | Path | None) -> Path | None:
    """Return the first file called `name` on the search path, or None."""
    candidates = (folder / name for folder in search_path(data_dir))
    return next((path for path in candidates if path.is_file()), None)


def require(name: str, data_dir: str | Path | None) -> Path:
    """Return the first file called `name` on the search path.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    path = find(name, data_dir)
    if path is None:
        folders = ", ".join(str(folder) for folder in search_path(data_dir))
        raise FileNotFoundError(f"no {name} in any of these folders: {folders}")
    return path


def find_or_fetch(remote: RemoteFile, data_dir: str | Path | None, *, fetch: bool) -> Path:
    """Return a file from the search path, or download it into the cache.

    Raises
    ------
    FileNotFoundError
        If it is not there and `fetch` is false.
    OSError
        If the download fails or does not contain what it should.
    """
    if fetch:
        return find(remote.name, data_dir) or download(remote)
    try:
        return require(remote.name, data_dir)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}. Pass fetch=True, or {by_hand(remote)}") from None


def by_hand(remote: RemoteFile) -> str:
    """Return how to supply a file without this module's downloading it."""
    return (
        f"save {remote.url} as {cache_dir() / remote.name}, or as {remote.name} in a folder "
        "that data_dir or the environment variable HMLC_DATA names"
    )


def download(remote: RemoteFile) -> Path:
    """Download a file into the cache; the cache holds all of it, checked, or nothing.

    Returns
    -------
    Path

    Raises
    ------
    OSError
        If the host does not answer or refuses, the transfer ends early, the file is larger than
        announced in `remote`, or the checksum differs.
    """
    target = cache_dir() / remote.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(".part", target.name, target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                _transfer(remote, file)
            _check(part, remote)
            os.replace(part, target)
        except BaseException:
            os.unlink(part)
            raise
    except (OSError, HTTPException) as error:
        problem = str(error) or type(error).__name__
        raise OSError(
            f"cannot fetch {remote.url}: {problem}. To supply it by hand, {by_hand(remote)}"
        ) from error
    return target


def _transfer(remote: RemoteFile, file: BinaryIO) -> None:
    """Stream the URL's body into an open file, and refuse one that is too short or too long."""
    try:
        response = urlopen(remote.url, timeout=TIMEOUT_S)
    except HTTPError as error:
        error.close()
        raise
    received = 0
    with response:
        while block := response.read(BLOCK):
            received += len(block)
            if received > remote.size:
                raise OSError(f"expected at most {remote.size} bytes, and more are coming")
            file.write(block)
        announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and received != int(announced):
        raise OSError(f"the transfer ended after {received} of {announced} bytes")


def _check(path: str, remote: RemoteFile) -> None:
    """Refuse a file whose contents are not the expected ones."""
    digest = hashlib.sha256()
    size = 0
    try:
        with gzip.open(path) if remote.name.endswith(".gz") else open(path, "rb") as file:
            while (block := file.read(BLOCK)) and size <= remote.size:
                size += len(block)
                digest.update(block)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise OSError(f"expected a whole gzip file, but {error}") from error
    if size != remote.size:
        count = f"more than {remote.size}" if size > remote.size else str(size)
        raise OSError(f"expected contents of {remote.size} bytes, got {count}")
    if digest.hexdigest() != remote.sha256:
        raise OSError(f"expected contents of sha256 {remote.sha256}, got {digest.hexdigest()}")
