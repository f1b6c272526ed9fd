"""Small jobs by way of Dask's scheduler."""

import functools

import twin


def square(n):
    return n * n


@functools.cache
def dask():
    import distributed

    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    return distributed.Client(cluster)


def jobs_dask(n):
    return sum(dask().gather(dask().map(square, range(n), pure=False)))


def jobs_dask_in_a_row(n):
    return sum(dask().submit(square, i, pure=False).result() for i in range(n))


def has(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    twin.serve(globals())
