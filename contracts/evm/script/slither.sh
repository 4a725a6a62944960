#!/bin/sh
# Slither over src/, by forge's build information. Usage: contracts/evm/script/slither.sh SLITHER REPORT
# Its own exit code only says that it found something; scripts/check_slither.py judges that.
set -eu
slither=$1
report=$2
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
copy="$root/.cache/slither/project"
rm -rf "$copy" "$report"
# A copy with OpenZeppelin inside: it resolves names below the project's root alone.
mkdir -p "$copy/node_modules/@openzeppelin"
cp -R "$here/src" "$here/remappings.txt" "$copy/"
cp -R "$root/node_modules/@openzeppelin/contracts" "$copy/node_modules/@openzeppelin/"
sed -e 's#\.\./\.\./node_modules#node_modules#g' -e 's#^test = .*#test = "src"#' "$here/foundry.toml" > "$copy/foundry.toml"
# It asks a `forge` on PATH for the project's settings.
printf '#!/bin/sh\nexec env FORGE_PROJECT="%s" "%s" "$@"\n' "$copy" "$here/script/forge.sh" > "$copy/forge"
chmod +x "$copy/forge"
cd "$copy"
# It reads syntax trees and no machine code, so that the quicker code generator does.
FOUNDRY_VIA_IR=false FOUNDRY_OPTIMIZER=false ./forge build --build-info --ast > forge.log 2>&1 || { tail -n 40 forge.log; exit 1; }
PATH="$copy:$PATH" "$slither" . --foundry-ignore-compile --json "$report" > slither.log 2>&1 || true
[ -s "$report" ] || { tail -n 40 slither.log; exit 1; }
