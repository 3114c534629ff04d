from __future__ import annotations

import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from scripts.audit_dependencies import (
    ALLOWED,
    AllowListError,
    audit_command,
    main,
    read_allowances,
    refuse_expired,
)

ENTRY = """
[[allowed]]
id = "CVE-2030-0001"
package = "leftpad"
reason = "the function that is vulnerable is never called by this project, nor by others"
added = 2026-11-01
expires = 2027-02-01
"""


def pretend_tool(folder: Path, code: int) -> str:
    """Write a program that keeps its arguments, as pip-audit would be called."""
    path = folder / "pip-audit"
    path.write_text(f'#!/bin/sh\necho "$@" > {folder}/arguments\nexit {code}\n', "utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_list_of_this_release_is_well_formed_and_names_locked_packages() -> None:
    lock = (ALLOWED.parent / "runtime.txt").read_text("utf-8")

    for allowance in read_allowances(ALLOWED.read_text("utf-8")):
        assert f"\n{allowance.package}==" in f"\n{lock}", allowance.id


def test_an_entry_holds_until_its_day_and_not_a_day_longer() -> None:
    allowances = read_allowances(ENTRY)

    refuse_expired(allowances, date(2027, 2, 1))
    with pytest.raises(AllowListError, match=r"decided anew: CVE-2030-0001 \(leftpad"):
        refuse_expired(allowances, date(2027, 2, 2))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('id = "CVE-2030-0001"', "", "has the fields"),
        ("added = 2026-11-01", "added = 2026-11-01\nseverity = 3", "has the fields"),
        ('package = "leftpad"', 'package = ""', "must be texts"),
        ("the function that is vulnerable is never called by this project, nor by", "x", "why"),
        ("2027-02-01", '"soon"', "must be dates"),
        ("2027-02-01", "2027-02-01T00:00:00", "must be dates"),
        ("2027-02-01", "2030-02-01", "must expire within"),
        ("2027-02-01", "2026-10-01", "must expire within"),
        ("[[allowed]]", "[[permitted]]", "entries only"),
    ],
)
def test_an_entry_without_a_reason_or_an_end_is_refused(
    old: str,
    new: str,
    said: str,
) -> None:
    with pytest.raises(AllowListError, match=said):
        read_allowances(ENTRY.replace(old, new))


def test_what_cannot_be_looked_up_counts_as_a_failure() -> None:
    command = audit_command("pip-audit", read_allowances(ENTRY), "pypi")

    assert "--strict" in command
    assert command[-2:] == ["--ignore-vuln", "CVE-2030-0001"]


@pytest.mark.parametrize("code", [0, 1])
def test_the_audit_ends_as_the_tool_ends(tmp_path: Path, code: int) -> None:
    tool = pretend_tool(tmp_path, code)

    assert main(tool, {"MRI_TRIAGE_AUDIT_SERVICE": "osv"}, date(2026, 11, 24)) == code

    arguments = (tmp_path / "arguments").read_text("utf-8")
    assert "locks/runtime.txt" in arguments
    assert "--vulnerability-service osv" in arguments


def test_an_expired_entry_fails_the_audit_before_anything_is_looked_up(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(pretend_tool(tmp_path, 0), {}, date(2126, 1, 1)) == 1

    assert "decided anew" in capsys.readouterr().err
    assert not (tmp_path / "arguments").exists()


def test_the_script_runs_by_itself() -> None:
    script = ALLOWED.parents[1] / "scripts" / "audit_dependencies.py"

    done = subprocess.run(
        [sys.executable, script, "/bin/true"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode in {0, 1}  # 1 once an entry has expired
    assert "CVE-2024-6345" in done.stdout + done.stderr
