"""Files that are written whole or not at all."""

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import Any


def write_atomically(path: Any, chunks: Iterable[Any]) -> None:
    """Write chunks of bytes to a file, so that a crash leaves the old file or the new one.

    They go to a temporary file in the same folder, are brought to the disk, and take the path's
    name in one step. A symbolic link stays, and what it leads to is replaced; a file that was there
    keeps its permissions, a new one gets those of any new file.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written to, or the path is there and not a file.
    """
    target = os.path.realpath(os.fsdecode(os.fspath(path)))
    mode = _mode_of(target)
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".hmlc-{os.urandom(8).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, 0o666)
    try:
        with open(handle, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _mode_of(target: str) -> int | None:
    """Return the permissions of the file that is there; None where there is none."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"cannot write {target}: it is there already, and not a file")
    return stat.S_IMODE(status.st_mode)


def _sync_folder(folder: str) -> None:
    """Bring the new name to the disk too, where the system can: Windows cannot open a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
