"""Fair comparisons in the Python cells of a Go notebook, as helpers/measure makes them in Go.

    import measure
    measure.compare({"in a row": in_a_row, "eight threads": eight_threads})

Every case runs several times, in rounds and in a new random order each round,
after a round that does not count. The times go into the notebook's ledger, in
seconds, where Go cells find them beside their own. Python 3.8 or later.
"""

import math
import os
import pathlib
import random
import statistics
import time

import ledger

__all__ = ["compare", "cores"]


def cores():
    """Return how many cores Go uses here by itself.

    That is GOMAXPROCS, if it is set, or else what this process may run on, or on Linux a container's quota, rounded up to
    two at least, if that is less (https://go.dev/blog/container-aware-gomaxprocs). os.cpu_count() knows of none of them.
    """
    chosen = os.environ.get("GOMAXPROCS", "")
    if chosen.isdigit() and int(chosen) > 0:
        return int(chosen)
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min([n] + [max(2, math.ceil(quota)) for quota in _quotas("/")])


def _quotas(root):
    """Yield, in cores, the quotas on this process's own control group and on those around it (cgroups(7))."""
    try:
        lines = pathlib.Path(root, "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for number, controllers, group in (line.split(":", 2) for line in lines):
        if number == "0":
            folder, limits = "sys/fs/cgroup", ["cpu.max"]
        elif "cpu" in controllers.split(","):
            folder, limits = "sys/fs/cgroup/cpu", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        names = [name for name in group.split("/") if name]
        for depth in range(len(names) + 1):
            place = pathlib.Path(root, folder, *names[:depth])
            try:
                quota, period = map(int, " ".join((place / limit).read_text() for limit in limits).split())
            except (OSError, ValueError):  # no such group here, or "max"
                continue
            if quota > 0:
                yield quota / period


def compare(cases, repeats=6):
    """Time each function of the dict cases, record its times under its name, and print the medians."""
    if repeats < 1:
        raise ValueError("measure: at least one repeat is needed, not %r" % (repeats,))
    times = {name: [] for name in cases}
    for _ in range(repeats + 1):
        for name, case in random.sample(list(cases.items()), len(cases)):
            start = time.perf_counter()
            case()
            times[name].append(time.perf_counter() - start)
    width = max(map(len, cases), default=0)
    for name, seconds in times.items():
        ledger.record(name, "s", *seconds[1:])
        print("%-*s  %8.1f ms" % (width, name, 1000 * statistics.median(seconds[1:])))
