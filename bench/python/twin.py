"""The side of bench's programs that Go talks to."""

import os
import sys

__all__ = ["CORES", "serve"]

CORES = int(os.environ["GOMAXPROCS"])  # as many as Go uses


def serve(functions):
    """Does what each line of standard input names, with the arguments after it, tabs in between, and answers with a line."""
    for line in sys.stdin:
        name, *arguments = line.rstrip("\n").split("\t")
        print(functions[name](*map(value, arguments)), flush=True)


def value(word):
    try:
        return int(word)
    except ValueError:
        return word
