"""Numbers of which 1 is the largest, as numpy's array and in memory that processes share."""

import functools
import multiprocessing
import multiprocessing.shared_memory

fork = multiprocessing.get_context("fork")


@functools.cache
def array(n):
    import numpy

    values = numpy.random.default_rng(1).random(n)
    values[n // 3] = 1.0
    return values


@functools.cache
def block(n):
    import numpy

    memory = multiprocessing.shared_memory.SharedMemory(create=True, size=8 * n)
    memory.unlink()  # it stays until this program and its workers end
    numpy.frombuffer(memory.buf, float)[:n] = array(n)
    return memory


@functools.cache
def pool(n, workers):
    block(n)  # before they fork
    return fork.Pool(workers)


def largest(span):
    import numpy

    n, start, end = span
    return float(numpy.frombuffer(block(n).buf, float)[start:end].max())


def search(n, workers, parts):
    """Has so many processes find the largest number, part by part."""
    spans = [(n, i * n // parts, (i + 1) * n // parts) for i in range(parts)]
    return max(pool(n, workers).map(largest, spans, chunksize=1))
