#!/bin/sh
# Stands in for Python where there is none.
cat >/dev/null
echo "There is no Python 3 on this machine, so this cell did not run; the lesson goes on without its figures."
echo "To have them, install Python 3.10 or later (https://www.python.org/downloads), then start the course again."
