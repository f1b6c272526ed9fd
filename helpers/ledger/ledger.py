"""Figures that outlive a cell, for the Python cells of a Go notebook.

    import ledger
    ledger.record("python threads", "s", 1.01, 1.03)
    count, = ledger.read("count")

What is recorded here, a later Go cell reads with helpers/ledger and charts.
That package's comment (ledger.go, beside this file) documents the file, its
name and its lines. Python 3.8 or later, on Linux or macOS; nothing else.
"""

import fcntl
import json
import math
import os
import sys
import time
import zlib
from datetime import datetime, timezone

__all__ = ["path", "read", "record"]

# Processes started from here on inherit the run, and so join it.
_run = os.environ.get("MANYHANDS_RUN") or "%x-%x" % (os.getpid(), time.time_ns())
os.environ["MANYHANDS_RUN"] = _run


def path():
    """Return the path of this notebook's ledger, which need not exist yet."""
    folder = os.environ.get("MANYHANDS_LEDGER") or os.path.join(_cache(), "manyhands", "ledger")
    session = os.fsencode(os.environ.get("JPY_SESSION_NAME") or os.environ.get("GONB_TMP_DIR") or os.getcwd())
    name = os.path.basename(session.rstrip(b"/")) or b"/"
    if name.endswith(b".ipynb"):
        name = name[: -len(b".ipynb")]
    return os.path.join(folder, "%s-%08x.jsonl" % (os.fsdecode(name[:200]), zlib.crc32(session)))


def record(name, unit, *values):
    """Add values, in the given unit, to the figure called name.

    Raises ValueError for a value that is no finite number, and OSError if the
    ledger cannot be written; in both cases nothing is recorded.
    """
    if not isinstance(name, str) or not name:
        raise ValueError("ledger: a figure needs a name, not %r" % (name,))
    if not isinstance(unit, str):
        raise ValueError("ledger: cannot record %r: the unit comes before the values, as text, not %r" % (name, unit))
    if not values:
        raise ValueError("ledger: cannot record %r: no values" % name)
    for v in values:
        if isinstance(v, bool) or not hasattr(v, "__float__") or not math.isfinite(v):
            raise ValueError("ledger: cannot record %r: %r is no finite number (a list? write *list)" % (name, v))
    entry = {
        "run": _run,
        "time": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        "name": name,
        "unit": unit,
        "values": [float(v) for v in values],
    }
    _append(path(), (json.dumps(entry) + "\n").encode())


def read(name):
    """Return the values that the latest run recorded under name, as a list.

    Raises KeyError if there are none. Lines that are no record are skipped.
    """
    runs = {}  # in the order in which they began to record
    try:
        with open(path(), encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    entry = json.loads(line)
                    if entry["name"] == name:
                        runs.setdefault(entry["run"], []).extend(entry["values"])
                except (ValueError, LookupError, TypeError):
                    continue
    except FileNotFoundError:
        pass
    if not runs:
        raise KeyError("ledger: %r is not recorded: run the cell that records it first" % (name,))
    return list(runs.values())[-1]


def _append(file, line):
    try:
        os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
        fd = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)  # closing the file unlocks it
            size = os.fstat(fd).st_size
            if size > 0 and os.pread(fd, 1, size - 1) != b"\n":
                line = b"\n" + line  # a killed process left its line torn
            _write(fd, line, size)
        finally:
            os.close(fd)
    except OSError as e:
        e.strerror = "%s; make room there, or set MANYHANDS_LEDGER to a folder you can write to" % e.strerror
        raise


def _write(fd, line, size):
    try:
        while line:
            line = line[os.write(fd, line):]
    except OSError:
        if os.fstat(fd).st_size > size:  # the disk filled up in the middle
            os.ftruncate(fd, size)
        raise


def _cache():
    # As Go's os.UserCacheDir.
    home = os.environ.get("HOME")
    if sys.platform == "darwin" and home:
        return os.path.join(home, "Library", "Caches")
    cache = os.environ.get("XDG_CACHE_HOME")
    if cache or home:
        return cache or os.path.join(home, ".cache")
    raise OSError("ledger: no cache folder is known: set MANYHANDS_LEDGER to a folder")
