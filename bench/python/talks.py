"""The talks' programs, in our own words, one function for each way that they tried."""

import asyncio
import functools
import multiprocessing
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from urllib.request import ProxyHandler, build_opener

import shared
import twin

fork = multiprocessing.get_context("fork")


# Five tasks that wait.


def wait(ms):
    time.sleep(ms / 1000)
    return 1


def waits_in_a_row(n, ms):
    return sum(wait(ms) for _ in range(n))


def waits_threads(n, ms):
    with ThreadPoolExecutor(n) as pool:
        return sum(pool.map(wait, [ms] * n))


def waits_coroutines(n, ms):
    async def all_of_them():
        await asyncio.gather(*[asyncio.sleep(ms / 1000) for _ in range(n)])

    asyncio.run(all_of_them())
    return n


# Eight large powers.


def power(exponent):
    return pow(42, exponent).bit_length()


def powers_in_a_row(n, exponent):
    return sum(power(exponent) for _ in range(n))


def powers_threads(n, exponent):
    with ThreadPoolExecutor(n) as pool:
        return sum(pool.map(power, [exponent] * n))


processes = functools.cache(fork.Pool)


def powers_processes(n, exponent):
    return sum(processes(twin.CORES).map(power, [exponent] * n, chunksize=1))


# The sums of four ranges.


def sizes(scale):
    return [year * scale for year in (2017, 2018, 2019, 2020)]


def sums_in_a_row(scale):
    return sum(sum(range(n)) for n in sizes(scale))


def sums_threads(scale):
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(lambda n: sum(range(n)), sizes(scale)))


def sum_numpy(n):
    import numpy

    return int(numpy.arange(n).sum())


def sums_numpy(scale):
    return sum(map(sum_numpy, sizes(scale)))


def sums_numpy_threads(scale):
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(sum_numpy, sizes(scale)))


def sums_numpy_executor(scale):
    async def all_of_them():
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*[loop.run_in_executor(None, sum_numpy, n) for n in sizes(scale)])

    return sum(asyncio.run(all_of_them()))


# Four jobs on two workers.

TAKES = {2016: 0.150, 2017: 0.050, 2018: 0.250, 2019: 0.100}


def load(year):
    time.sleep(TAKES[year])
    return year


def jobs_in_order():
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(load, TAKES))


def jobs_completed():
    with ThreadPoolExecutor(2) as pool:
        return sum(job.result() for job in as_completed(pool.submit(load, year) for year in TAKES))


# A web server, whose pages and files take their time.

web = build_opener(ProxyHandler({}))  # the server is on this machine: no proxy


def get(url):
    with web.open(url) as answer:
        return len(answer.read())


def get_in_a_row(n, *urls):
    return sum(get(urls[i % len(urls)]) for i in range(n))


def get_threads(n, *urls):
    with ThreadPoolExecutor(n) as pool:
        return sum(pool.map(get, [urls[i % len(urls)] for i in range(n)]))


async def get_coroutine(url):
    address, _, path = url[len("http://"):].partition("/")
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /%s HTTP/1.0\r\n\r\n" % path.encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return len(body)


def get_coroutines(n, *urls):
    async def all_of_them():
        return await asyncio.gather(*[get_coroutine(urls[i % len(urls)]) for i in range(n)])

    return sum(asyncio.run(all_of_them()))


# The largest of many numbers.


@functools.cache
def numbers(n):
    values = [random.random() for _ in range(n)]
    values[n // 3] = 1.0  # the largest
    return values


@functools.cache
def parts(n):
    return [numbers(n)[i * n // 100:(i + 1) * n // 100] for i in range(100)]


def maximum(n):
    return max(numbers(n))


def maximum_threads(n):
    with ThreadPoolExecutor(twin.CORES) as pool:
        return max(pool.map(max, parts(n)))


def maximum_processes(n):
    return max(processes(twin.CORES).map(max, parts(n), chunksize=1))


def maximum_shared(n):
    return shared.search(n, workers=twin.CORES, parts=100)


def maximum_numpy(n):
    return float(shared.array(n).max())


def maximum_numpy_threads(n):
    import numpy

    with ThreadPoolExecutor(twin.CORES) as pool:
        return float(max(pool.map(numpy.max, numpy.array_split(shared.array(n), 100))))


# A group of which one task fails.


async def part(i):
    await asyncio.sleep(0.02 if i == 2 else 0.2)
    if i == 2:
        raise OSError("part 2 is lost")


def failure_gather():
    async def all_of_them():
        return await asyncio.gather(*map(part, range(5)), return_exceptions=True)

    return sum(isinstance(result, OSError) for result in asyncio.run(all_of_them()))


def failure_group():
    async def all_of_them():
        async with asyncio.TaskGroup() as group:
            for i in range(5):
                group.create_task(part(i))

    try:
        asyncio.run(all_of_them())
    except Exception as errors:
        return len(errors.exceptions)


def has_groups():
    return hasattr(asyncio, "TaskGroup")


if __name__ == "__main__":
    twin.serve(globals())
