"""Make npm's locks good for every machine.

Its job, in the root's lock: npm drops an optional package from it when the registry in use does not offer it, and `npm
ci` then refuses the lock everywhere. Each is entered by name, version and platform, without an integrity hash, which
nobody has seen. In the fresh projects' lock: npm passes an optional package over whose engine the running Node is not,
but these are run by the Node that is locked beside them, so their engines go. It changes nothing else that npm wrote.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "package-lock.json"
FRESH_LOCK = ROOT / "tests" / "e2e" / "fresh_projects" / "package-lock.json"
_MACHINES = {"amd64": "x64", "arm64": "arm64"}


def name_platform_packages(lock: dict[str, Any]) -> None:
    """Enter those that npm left out."""
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


def forget_engines(lock: dict[str, Any]) -> None:
    """Let any Node install what is optional."""
    for package in lock["packages"].values():
        if package.get("optional", False):
            package.pop("engines", None)


def main() -> int:
    """Complete both in place."""
    for path, complete in ((LOCK, name_platform_packages), (FRESH_LOCK, forget_engines)):
        lock = json.loads(path.read_text("utf-8"))
        complete(lock)
        path.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
