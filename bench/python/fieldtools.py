"""Lesson 11's field tools, as one writes them in Python."""

import asyncio
import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import twin


def pictures(folder):
    """The paths and sizes of all pictures in and below a folder."""
    found = []
    for here, _, files in os.walk(folder):
        for name in files:
            if name.endswith(".jpg"):
                path = os.path.join(here, name)
                found.append((path, os.lstat(path).st_size))
    return found


def walk(top):
    return len(pictures(top))


def walk_threads(top):
    with ThreadPoolExecutor(twin.CORES) as pool:
        return sum(map(len, pool.map(pictures, [f.path for f in os.scandir(top)])))


COMMANDS = (
    ["git", "--no-optional-locks", "status", "--porcelain=v2", "-z", "--branch", "--show-stash"],
    ["git", "rev-list", "--count", "HEAD", "--branches", "--not", "--remotes"],
)


def repositories(top):
    return [f.path for f in os.scandir(top) if os.path.exists(f.path + "/.git")]


def status(top):
    for folder in repositories(top):
        for command in COMMANDS:
            subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
    return len(repositories(top))


async def ask(folder, limit):
    async with limit:
        for command in COMMANDS:
            git = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=subprocess.PIPE)
            await git.communicate()
            assert git.returncode == 0


async def ask_all(top):
    limit = asyncio.Semaphore(twin.CORES)
    await asyncio.gather(*[ask(folder, limit) for folder in repositories(top)])
    return len(repositories(top))


def status_asyncio(top):
    return asyncio.run(ask_all(top))


async def banner(address, port):
    reader, writer = await asyncio.open_connection(address, port)
    try:
        return await reader.readline()
    finally:
        writer.close()


async def greets(address, port):
    """Whether a server at the address says within half a second that it speaks SSH."""
    try:
        return (await asyncio.wait_for(banner(address, port), 0.5)).startswith(b"SSH-")
    except (asyncio.TimeoutError, OSError):
        return False


def hosts(prefix):
    return [prefix + "." + str(i) for i in range(1, 255)]


async def scan(prefix, port):
    return sum(await asyncio.gather(*[greets(host, port) for host in hosts(prefix)]))


def ssh_coroutines(prefix, port):
    return asyncio.run(scan(prefix, port))


def greets_thread(address, port):
    try:
        with socket.create_connection((address, port), timeout=0.5) as connection:
            return connection.recv(255).startswith(b"SSH-")
    except OSError:
        return False


def ssh_threads(prefix, port):
    with ThreadPoolExecutor(100) as pool:
        return sum(pool.map(lambda host: greets_thread(host, port), hosts(prefix)))


if __name__ == "__main__":
    twin.serve(globals())
