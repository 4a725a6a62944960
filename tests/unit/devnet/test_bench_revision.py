"""Another revision of the project beside this one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from relayer.devnet.bench import revision
from relayer.devnet.bench.revision import checked_out
from relayer.errors import ConfigError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose program says where it lies."""
    root = tmp_path / "project"
    (root / "relayer" / "cli").mkdir(parents=True)
    for package in ("relayer", "relayer/cli"):
        (root / package / "__init__.py").touch()
    (root / "relayer" / "cli" / "app.py").write_text(
        "def main():\n    import sys\n    print(__file__, *sys.argv[1:])\n"
    )
    (root / "requirements.lock").write_text("one==1\n")
    git(root, "init", "--quiet")
    commit(root)
    monkeypatch.setattr(revision, "_ROOT", root)
    return root


def git(root: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True, text=True).stdout


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "as it is now")


def test_the_program_that_runs_is_the_revisions_own_wherever_it_is_called(project: Path) -> None:
    (project / "relayer" / "cli" / "app.py").write_text("raise SystemExit('the tree of today')")
    with checked_out("HEAD") as found:
        place = found.program[-1]
        done = subprocess.run([*found.program, "run", "-x"], cwd=project, check=True, capture_output=True, text=True)
        assert done.stdout.split() == [str(Path(place) / "relayer" / "cli" / "app.py"), "run", "-x"]
    assert found.commit == git(project, "rev-parse", "HEAD").strip()
    assert not Path(place).exists()
    assert git(project, "worktree", "list").count("\n") == 1


@pytest.mark.parametrize("reference", ["nothing-of-the-kind", "--all", ""])
@pytest.mark.usefixtures("project")
def test_a_revision_that_is_not_there_is_refused(reference: str) -> None:
    with pytest.raises(ConfigError, match="knows no such revision"), checked_out(reference):
        pass


def test_a_revision_that_asks_for_other_packages_is_refused(project: Path) -> None:
    (project / "requirements.lock").write_text("one==2\n")
    with pytest.raises(ConfigError, match=r"requirements\.lock is another one"), checked_out("HEAD"):
        pass
    commit(project)
    with checked_out("HEAD"):
        pass
