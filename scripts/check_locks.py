"""Do the lock files still say what pyproject.toml and package.json ask for? Offline.

Its job: name every drift at once. It resolves nothing: `make lock` does that, with the registries.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
NODE_FOLDERS = (Path(), Path("tests", "e2e", "fresh_projects"), Path("tests", "cosmwasm", "differential"))
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")


def python_faults() -> list[str]:
    """What pyproject.toml asks for and requirements.lock does not pin, or pins otherwise; pins without a hash."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pins: dict[str, Version] = {}
    faults: list[str] = []
    for entry in re.split(r"\n(?=\S)", lock):
        found = _PIN.match(entry)
        if found is None:
            continue
        pins[canonicalize_name(found[1])] = Version(found[2])
        if "--hash=sha256:" not in entry:
            faults.append(f"requirements.lock: {found[1]} has no hash")
    extras = [text for extra in project["project"]["optional-dependencies"].values() for text in extra]
    for text in (*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"]):
        requirement = Requirement(text)
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is None:
            faults.append(f"requirements.lock: {requirement.name} is missing")
        elif not requirement.specifier.contains(pin, prereleases=True):
            faults.append(f"requirements.lock: {requirement.name} is {pin}, pyproject.toml asks for {requirement}")
    return faults


def node_faults(folder: Path) -> list[str]:
    """What a folder's package.json and package-lock.json say differently; registry addresses in the lock."""
    name_of_lock = folder / "package-lock.json"
    asked = json.loads((ROOT / folder / "package.json").read_text("utf-8"))
    text = (ROOT / name_of_lock).read_text("utf-8")
    locked = json.loads(text)["packages"]
    faults = [
        f"{name_of_lock}: {field} differ from package.json"
        for field in ("dependencies", "devDependencies", "optionalDependencies")
        if asked.get(field, {}) != locked[""].get(field, {})
    ]
    for name, package in locked.items():
        # Platform packages that were not to be had when the lock was made have no hash (scripts/complete_lock.py).
        if name and "integrity" not in package and not package.get("optional", False):
            faults.append(f"{name_of_lock}: {name} has no integrity hash")
        if "resolved" in package:
            faults.append(f"{name_of_lock}: {name} names the registry it came from")
    return faults


def main() -> int:
    """Print the faults; 0 if there are none."""
    faults = [*python_faults(), *(fault for folder in NODE_FOLDERS for fault in node_faults(folder))]
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print("check_locks: run make lock", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
