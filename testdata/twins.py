"""The field tools' twins in Python, for BenchmarkFindFiles and BenchmarkGitStatus.

    python3 twins.py NAME FOLDER

does the work once for every line that it reads, and answers with a line.
"""

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

top = sys.argv[2]


def pictures(folder):
    """The paths and sizes of all pictures in and below a folder."""
    found = []
    for here, _, files in os.walk(folder):
        for name in files:
            if name.endswith(".jpg"):
                path = os.path.join(here, name)
                found.append((path, os.lstat(path).st_size))
    return found


def walk():
    return len(pictures(top))


def walk_threads():
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(map(len, pool.map(pictures, [f.path for f in os.scandir(top)])))


COMMANDS = (
    ["git", "--no-optional-locks", "status", "--porcelain=v2", "-z", "--branch", "--show-stash"],
    ["git", "rev-list", "--count", "HEAD", "--branches", "--not", "--remotes"],
)


def repositories():
    return [f.path for f in os.scandir(top) if os.path.exists(f.path + "/.git")]


def status():
    for folder in repositories():
        for command in COMMANDS:
            subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
    return len(repositories())


async def ask(folder, limit):
    async with limit:
        for command in COMMANDS:
            git = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=subprocess.PIPE)
            await git.communicate()
            assert git.returncode == 0


async def ask_all():
    limit = asyncio.Semaphore(os.cpu_count())
    await asyncio.gather(*[ask(folder, limit) for folder in repositories()])
    return len(repositories())


def status_asyncio():
    return asyncio.run(ask_all())


for _ in sys.stdin:
    print(globals()[sys.argv[1]](), flush=True)
