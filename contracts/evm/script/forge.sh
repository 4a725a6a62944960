#!/bin/sh
# forge for this folder, offline: the platform's binary from node_modules, npm's solc, caches inside the repository.
# Usage: contracts/evm/script/forge.sh test [...]; FORGE_PROJECT names another folder to work in.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
case "$(uname -s)" in
  Linux) system=linux ;;
  Darwin) system=darwin ;;
  *) echo "forge.sh: no forge binary is pinned for $(uname -s)" >&2; exit 1 ;;
esac
case "$(uname -m)" in
  x86_64 | amd64) machine=amd64 ;;
  aarch64 | arm64) machine=arm64 ;;
  *) echo "forge.sh: no forge binary is pinned for $(uname -m)" >&2; exit 1 ;;
esac
forge="$here/../../node_modules/@foundry-rs/forge-$system-$machine/bin/forge"
if [ ! -x "$forge" ]; then
  echo "forge.sh: $forge is missing; run npm ci in the repository root" >&2
  exit 1
fi
FOUNDRY_SOLC="$here/script/solc.cjs"
project=${FORGE_PROJECT:-$here}
FOUNDRY_CACHE_PATH="$project/cache"
FOUNDRY_OUT="$project/out"
FOUNDRY_OFFLINE=true
FOUNDRY_DISABLE_NIGHTLY_WARNING=1
export FOUNDRY_SOLC FOUNDRY_CACHE_PATH FOUNDRY_OUT FOUNDRY_OFFLINE FOUNDRY_DISABLE_NIGHTLY_WARNING
cd "$project"
exec "$forge" "$@"
