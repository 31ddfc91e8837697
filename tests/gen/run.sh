#!/bin/sh
# The generators' own tests: every tests/gen/test_*.py.
set -eu
cd "${top_srcdir:-$(dirname "$0")/../..}"
exec ${PYTHON:-python3} -m unittest discover -s tests/gen -p 'test_*.py' -v
