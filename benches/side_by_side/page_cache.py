"""Having the system forget what it has read of files."""

import os

DROP = "/proc/sys/vm/drop_caches"


def evict(folder: str) -> None:
    """Has the system drop a folder's files from its page cache; no process may have them mapped."""
    for path, _, names in os.walk(folder):
        for name in filter(lambda name: os.path.isfile(os.path.join(path, name)), names):
            file = os.open(os.path.join(path, name), os.O_RDONLY)
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(file)


def drop_all() -> None:
    """Has it drop the rest, too, where that is allowed."""
    if os.access(DROP, os.W_OK):
        with open(DROP, "w") as file:
            file.write("1")


def take(path: str) -> None:
    """Has it hold a file."""
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass
