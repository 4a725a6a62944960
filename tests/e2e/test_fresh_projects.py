"""The contracts' package in projects that know nothing of this repository, up to a devnet that answers them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.e2e.conftest import RunningDevnet
from tests.e2e.fresh_projects import projects
from tests.e2e.fresh_projects.projects import Project

pytestmark = pytest.mark.devnet

SOURCES = ("src/RemoteCounter.sol", "test/RemoteCounter.t.sol")
TESTS = len(re.findall(r"function test_", projects.blocks()["test/RemoteCounter.t.sol"]))

# Compiles all sources of the installed package that take more than one compiler; prints what is wrong.
COMPILE = """
const fs = require('fs'), path = require('path'), solc = require('solc-oldest');
const read = (name) => ({contents: fs.readFileSync(path.join('node_modules', name), 'utf8')});
const sources = {};
for (const name of fs.readdirSync('node_modules/@xvm/contracts/src', {recursive: true})) {
  if (!name.endsWith('.sol')) continue;
  const place = `@xvm/contracts/src/${name}`, content = read(place).contents;
  if (content.includes('pragma solidity ^')) sources[place] = {content};
}
const settings = {outputSelection: {'*': {'*': ['evm.bytecode.object']}}};
const task = JSON.stringify({language: 'Solidity', sources, settings});
const output = JSON.parse(solc.compile(task, {import: read}));
const errors = (output.errors ?? []).filter(({severity}) => severity === 'error');
console.log(JSON.stringify({version: solc.version(), count: Object.keys(sources).length, errors}));
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Path:
    return projects.pack(tmp_path_factory.mktemp("packed"), home)


@pytest.fixture(scope="module")
def foundry(tmp_path_factory: pytest.TempPathFactory, home: Path, packed: Path) -> Project:
    project = projects.fresh(tmp_path_factory.mktemp("foundry") / "project", home, packed)
    project.write("foundry.toml", *SOURCES)
    return project


@pytest.fixture(scope="module")
def hardhat(tmp_path_factory: pytest.TempPathFactory, home: Path, packed: Path) -> Project:
    project = projects.fresh(tmp_path_factory.mktemp("hardhat") / "project", home, packed)
    project.write("hardhat.config.ts", "scripts/ask.ts", *SOURCES)
    return project


def test_the_package_holds_sources_abis_readme_and_licence_and_nothing_else(packed: Path) -> None:
    with tarfile.open(packed) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
        licence = archive.extractfile("package/LICENSE")
        assert licence is not None
        assert licence.read() == (projects.ROOT / "LICENSE").read_bytes()
    tops = {name for name in names if "/" not in name}
    assert tops == {"package.json", "README.md", "LICENSE"}
    assert {name.partition("/")[0] for name in names - tops} == {"src", "abi"}
    assert {Path(name).suffix for name in names if name.startswith("src/")} == {".sol"}
    sources = {str(path.relative_to(projects.CONTRACTS)) for path in (projects.CONTRACTS / "src").rglob("*.sol")}
    assert sources <= names
    assert {"abi/XvmGateway.json", "abi/errors.json"} <= names


def test_packing_leaves_nothing_beside_the_sources(packed: Path) -> None:
    assert packed.exists()
    assert not (projects.CONTRACTS / "abi").exists()
    assert not (projects.CONTRACTS / "LICENSE").exists()


def test_what_others_compile_compiles_with_the_oldest_compiler_that_is_promised(foundry: Project) -> None:
    done = subprocess.run(
        ["node", "-e", COMPILE], cwd=foundry.folder, capture_output=True, text=True, check=True, timeout=120
    )
    told = json.loads(done.stdout)
    assert told["version"].startswith("0.8.27+")
    assert (told["errors"], told["count"] > 20) == ([], True)


def test_what_the_page_tells_to_install_is_what_is_tested() -> None:
    words = re.findall(r"npm install (.+)", projects.blocks()["hardhat-install"])
    named = {word for line in words for word in line.split() if not word.startswith("--") and not word.endswith(".tgz")}
    brought = json.loads((projects.BROUGHT.parent / "package.json").read_text("utf-8"))["devDependencies"]
    assert named == set(brought) - {"solc-oldest"}


@pytest.mark.parametrize("place", ["repository", "folder"])
def test_forge_finds_the_import_path_without_npm(tmp_path: Path, home: Path, place: str) -> None:
    library = tmp_path / "lib" / ("xvm-relayer" if place == "repository" else "xvm")
    contracts = library / "contracts" / "evm" if place == "repository" else library
    shutil.copytree(projects.CONTRACTS / "src", contracts / "src")
    for name in ("foundry.toml", "remappings.txt"):
        shutil.copyfile(projects.CONTRACTS / name, contracts / name)
    if place == "repository":
        shutil.copyfile(projects.ROOT / "foundry.toml", library / "foundry.toml")
    (tmp_path / "foundry.toml").write_text("[profile.default]\n")
    found = Project(tmp_path, home).shell("forge remappings").splitlines()
    assert f"@xvm/contracts/={contracts.relative_to(tmp_path)}/" in found


def test_the_pages_tests_pass_in_foundry(foundry: Project) -> None:
    said = foundry.run("foundry-test")
    assert re.search(rf"{TESTS} tests passed, 0 failed", said), said


def test_the_pages_tests_pass_in_hardhat(hardhat: Project) -> None:
    said = hardhat.run("hardhat-test")
    assert re.search(rf"\b{TESTS} passing", said), said


def test_real_relayers_call_a_foundry_projects_contract_back(foundry: Project, devnet: RunningDevnet) -> None:
    foundry.join(devnet.state)
    assert re.search(r"0x\w+.*\bCALL\b", foundry.run("foundry-devnet"))


def test_real_relayers_call_a_hardhat_projects_contract_back(hardhat: Project, devnet: RunningDevnet) -> None:
    hardhat.join(devnet.state)
    assert "knows the sum" in hardhat.run("hardhat-devnet")
