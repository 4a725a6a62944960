#!/bin/sh
# Which branches of src/ the tests reach: an lcov report. Usage: contracts/evm/script/coverage.sh REPORT
# forge counts what solc's older code generator makes, without optimiser: each counted place is then one place of the source, and
# every test proves itself on other machine code than the deployed one. Its parser finds relative imports below the project's root alone,
# so it works on a copy that has OpenZeppelin's contracts inside. Tests that sweep gas to the unit know the optimiser's figures alone.
set -eu
report=$1
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
copy="$root/.cache/coverage"
rm -rf "$copy"
mkdir -p "$copy/contracts/evm/node_modules/@openzeppelin" "$copy/attestation"
cp -R "$here/src" "$here/test" "$here/remappings.txt" "$copy/contracts/evm/"
cp -R "$root/attestation/vectors" "$copy/attestation/"
cp -R "$root/node_modules/@openzeppelin/contracts" "$copy/contracts/evm/node_modules/@openzeppelin/"
sed -e 's#\.\./\.\./node_modules#node_modules#g' "$here/foundry.toml" > "$copy/contracts/evm/foundry.toml"
rm -f "$report"
FORGE_PROJECT="$copy/contracts/evm" "$here/script/forge.sh" coverage \
  --no-match-test "GetsExactlyItsGas|GetsItsGas" --report lcov --report-file "$report"
