"""Python's pools of processes, doing what helpers/process does."""

import functools
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import shared
import twin

fork = multiprocessing.get_context("fork")


def square(n):
    return n * n


@functools.cache
def executor(workers):
    return ProcessPoolExecutor(workers, mp_context=fork)


@functools.cache
def pool(workers):
    return fork.Pool(workers)


def calls_executor(n):
    for _ in range(n):
        executor(1).submit(square, 7).result()
    return n


def calls_pool(n):
    for _ in range(n):
        pool(1).apply(square, (7,))
    return n


def map_executor(n, chunksize):
    return sum(executor(2).map(square, range(n), chunksize=chunksize))


def map_pool(n, chunksize):
    return sum(pool(2).map(square, range(n), chunksize=chunksize))


def start(method):
    """Starts a pool of two, has both work, and ends it."""
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        return sum(executor.map(math.isqrt, (1, 1)))


def largest(values):
    return float(values.max())


def travel_pickle(n):
    quarters = [shared.array(n)[i * n // 4:(i + 1) * n // 4] for i in range(4)]
    return max(executor(2).map(largest, quarters))


def travel_shared(n):
    return shared.search(n, workers=2, parts=4)


if __name__ == "__main__":
    twin.serve(globals())
