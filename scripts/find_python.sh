#!/bin/sh
# Prints the path of a Python that this project runs on, or one line that says what is missing.
# PYTHON=/path/to/python chooses one. The newest that the locked wheels exist for wins.
set -u
versions="3.11 to 3.13"
probe='import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else 1)'
seen=""
for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
  path=$(command -v "$name" 2>/dev/null) || continue
  if ! "$path" -c "$probe" >/dev/null 2>&1; then
    version=$("$path" -V 2>&1 | head -n 1)
    seen="${seen:+$seen, }$name (${version:-does not run})"
    continue
  fi
  if ! "$path" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    seen="${seen:+$seen, }$name (no venv module; on Debian and Ubuntu: apt install python3-venv)"
    continue
  fi
  echo "$path"
  exit 0
done
echo "setup: Python $versions with venv is needed; found ${seen:-none}. Install one, or name it: make setup PYTHON=/path/to/python3" >&2
exit 1
