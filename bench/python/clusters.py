"""Small jobs by way of Dask's scheduler, and of RQ's queues in Redis."""

import atexit
import functools
import pathlib
import shutil
import subprocess
import sys
import tempfile

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


def has_redis():
    return shutil.which("redis-server") is not None


@functools.cache
def rq_queue():
    """Starts Redis and two workers that do jobs themselves: RQ's usual ones fork for each."""
    import redis
    import rq

    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    socket = folder.name + "/redis"
    server = start("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", stdout=subprocess.PIPE)
    for line in server.stdout:
        if b"ready to accept connections" in line.lower():
            break
    here, url = pathlib.Path(__file__).parent, "unix://" + socket
    for _ in range(2):
        options = ["--quiet", "--worker-class", "rq.SimpleWorker", "--url", url, "--path", here]
        start(sys.executable, "-m", "rq.cli", "worker", *options, stderr=subprocess.DEVNULL)
    return rq.Queue(connection=redis.from_url(url))


def start(*command, **options):
    """Starts a program that ends with this one."""
    process = subprocess.Popen(command, **options)
    atexit.register(process.wait)
    atexit.register(process.kill)
    return process


def jobs_rq(n):
    from rq import Queue

    data = [Queue.prepare_data("clusters.square", (i,), result_ttl=60) for i in range(n)]
    jobs = rq_queue().enqueue_many(data)
    return sum(job.latest_result(timeout=60).return_value for job in jobs)


if __name__ == "__main__":
    twin.serve(globals())
