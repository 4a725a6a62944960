"""Name in package-lock.json the platform packages that npm left out of it.

Its job: npm drops an optional package from the lock when the registry in use does not offer it, and `npm ci` then
refuses the lock everywhere. Each is entered by name, version and platform, without an integrity hash, which nobody
has seen. It changes nothing that npm wrote.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "package-lock.json"
_MACHINES = {"amd64": "x64", "arm64": "arm64"}


def main() -> int:
    """Complete the lock in place."""
    lock = json.loads(LOCK.read_text("utf-8"))
    packages = lock["packages"]
    for package in list(packages.values()):
        for name, version in package.get("optionalDependencies", {}).items():
            key = f"node_modules/{name}"
            if key in packages:
                continue
            _, system, machine = name.rsplit("-", 2)
            packages[key] = {
                "version": version,
                "cpu": [_MACHINES[machine]],
                "dev": True,
                "optional": True,
                "os": [system],
            }
    lock["packages"] = dict(sorted(packages.items()))
    LOCK.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
