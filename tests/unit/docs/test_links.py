"""The documentation says what is there: its links lead somewhere, and its first contract compiles."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "contracts" / "evm" / "README.md"])
SOURCES = ROOT / "contracts" / "evm" / "src"

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_SOLIDITY = re.compile(r"^```solidity\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def prose_of(page: Path) -> str:
    return _FENCED.sub("", page.read_text("utf-8"))


def anchors_of(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose_of(page)))
    return {heading.replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_its_anchor_to_a_heading(page: Path) -> None:
    lost = []
    for link in _LINK.findall(prose_of(page)):
        if "://" in link:
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        is_found = target.is_relative_to(ROOT) and target.exists()
        if not is_found or (anchor and anchor not in anchors_of(target)):
            lost.append(link)
    assert not lost


def test_every_page_of_the_documentation_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md", ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        links = [link.partition("#")[0] for link in _LINK.findall(prose_of(page)) if "://" not in link]
        waiting += [(page.parent / link).resolve() for link in links if link]
    assert seen >= set(PAGES)


def test_the_first_contract_of_the_readme_compiles_with_the_pinned_compiler() -> None:
    (contract,) = _SOLIDITY.findall((ROOT / "README.md").read_text("utf-8"))
    sources = {
        f"@xvm/contracts/src/{path.relative_to(SOURCES)}": {"content": path.read_text("utf-8")}
        for path in (SOURCES / "examples" / "XvmCounter.sol", *(SOURCES / "interfaces").glob("*.sol"))
    }
    task = {
        "language": "Solidity",
        "sources": {**sources, "Asker.sol": {"content": contract}},
        "settings": {"evmVersion": "prague", "outputSelection": {"Asker.sol": {"Asker": ["evm.bytecode.object"]}}},
    }
    compiler = ["node", str(ROOT / "contracts" / "evm" / "script" / "solc.cjs"), "--standard-json"]
    done = subprocess.run(compiler, input=json.dumps(task), capture_output=True, text=True, check=True, timeout=120)
    output = json.loads(done.stdout)
    assert [error["formattedMessage"] for error in output.get("errors", [])] == []
    assert output["contracts"]["Asker.sol"]["Asker"]["evm"]["bytecode"]["object"]


def test_the_page_of_dependencies_names_every_direct_one_in_the_range_that_is_asked_for() -> None:
    page = (ROOT / "docs" / "reference" / "dependencies.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| (\S+) \| ([^|]+?) \|", page, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = {}
    for folder in (ROOT, ROOT / "tests" / "e2e" / "fresh_projects", ROOT / "tests" / "cosmwasm" / "differential"):
        document = json.loads((folder / "package.json").read_text("utf-8"))
        asked |= document["devDependencies"] | document.get("optionalDependencies", {})
    extras = [text for extra in project["project"]["optional-dependencies"].values() for text in extra]
    for text in (*project["project"]["dependencies"], *extras, *project["dependency-groups"]["dev"]):
        name, asked_range = re.fullmatch(r"([\w-]+(?:\[\w+\])?)([^;]*)(?:;.*)?", text).groups()  # type: ignore[union-attr]
        asked[name] = asked_range.strip() or "any"
    assert {name: rows.get(name, "").removesuffix(" (Linux)") for name in asked} == asked


def test_every_test_that_the_threat_model_names_exists() -> None:
    """SECURITY: a guard without its test is a hope."""
    tests = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "contracts" / "evm" / "test").rglob("*.sol")]
    defined = set(re.findall(r"\b(?:def|function) (test_\w+)", "\n".join(path.read_text("utf-8") for path in tests)))
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "concepts" / "threat-model.md").read_text("utf-8"))
    assert named
    assert [name for name in named if name not in defined] == []
