#!/bin/sh
# Says nothing if Node 20 or newer and npm are there, or one line that says what is missing.
set -u
install="Install Node 20 or newer, which brings npm."
if ! command -v node >/dev/null 2>&1; then
  echo "setup: Node 20 or newer is needed; found none. $install" >&2
  exit 1
fi
major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null)
case "$major" in
  '' | *[!0-9]*) echo "setup: Node 20 or newer is needed; the node on PATH does not run. $install" >&2; exit 1 ;;
esac
if [ "$major" -lt 20 ]; then
  echo "setup: Node 20 or newer is needed; found $(node --version). $install" >&2
  exit 1
fi
if ! command -v npm >/dev/null 2>&1; then
  echo "setup: npm is needed; found node $(node --version) without it. $install" >&2
  exit 1
fi
