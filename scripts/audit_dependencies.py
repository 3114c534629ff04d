"""Look the locked packages up for known vulnerabilities; `make audit`.

    python scripts/audit_dependencies.py PIP_AUDIT

What is known and accepted for now stands in locks/allowed_vulnerabilities.toml, each with a reason
and the day on which it has to be looked at again. After that day the audit fails, whatever the
services say. The services (PyPI's, or OSV's with `MRI_TRIAGE_AUDIT_SERVICE=osv`) are on the
internet; where they cannot be reached the audit fails as well, instead of finding nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
ALLOWED: Final = ROOT / "locks" / "allowed_vulnerabilities.toml"
AUDITED: Final = ROOT / "locks" / "runtime.txt"
LONGEST_ALLOWANCE: Final = timedelta(days=184)
SHORTEST_REASON: Final = 40  # characters: "not affected" is none
FIELDS: Final = frozenset({"id", "package", "reason", "added", "expires"})


class AllowListError(ValueError):
    """The list of accepted vulnerabilities is malformed, or an entry of it has expired."""


@dataclass(frozen=True)
class Allowance:
    """A vulnerability that is accepted for now.

    Attributes:
        id: as the services name it (CVE, GHSA or PYSEC).
        package: that has it.
        reason: why it does no harm here, and what stands in the way of an update.
        added: day of the decision.
        expires: day after which it has to be decided anew.
    """

    id: str
    package: str
    reason: str
    added: date
    expires: date


def read_allowances(text: str) -> list[Allowance]:
    """Read the list.

    Raises:
        AllowListError: if an entry lacks a field, a reason, or a day within half a year.
    """
    content = tomllib.loads(text)
    if set(content) - {"allowed"}:
        message = f"the list holds {sorted(content)}: expected [[allowed]] entries only"
        raise AllowListError(message)
    return [_read_entry(entry) for entry in content.get("allowed", [])]


def refuse_expired(allowances: Sequence[Allowance], today: date) -> None:
    """Make sure that every entry still holds.

    Raises:
        AllowListError: naming those that do not.
    """
    expired = [
        f"{one.id} ({one.package}, {one.expires})" for one in allowances if one.expires < today
    ]
    if expired:
        message = (
            f"accepted vulnerabilities have to be decided anew: {', '.join(expired)}; update the "
            f"package, or give the entry in {ALLOWED.name} a new day and a reason that still holds"
        )
        raise AllowListError(message)


def audit_command(pip_audit: str, allowances: Sequence[Allowance], service: str) -> list[str]:
    """Return the command that looks every locked package up, and nothing that is not locked."""
    ignored = [argument for one in allowances for argument in ("--ignore-vuln", one.id)]
    # --strict: a package that a service does not know, or a service that does not answer, is a
    # failure; without it, `No known vulnerabilities found` may mean that nothing was looked up.
    options = ["--strict", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    source = ["--vulnerability-service", service, "--requirement", str(AUDITED)]
    return [pip_audit, *options, *source, *ignored]


def main(pip_audit: str, environ: Mapping[str, str], today: date) -> int:
    """Audit, and return the exit code."""
    try:
        allowances = read_allowances(ALLOWED.read_text("utf-8"))
        refuse_expired(allowances, today)
    except (AllowListError, tomllib.TOMLDecodeError) as error:
        sys.stderr.write(f"audit: {error}\n")
        return 1
    for one in allowances:
        sys.stdout.write(f"audit: accepted until {one.expires}: {one.id} ({one.package})\n")
    sys.stdout.flush()
    service = environ.get("MRI_TRIAGE_AUDIT_SERVICE", "pypi")
    done = subprocess.run(audit_command(pip_audit, allowances, service), check=False)  # noqa: S603 - the locked tool
    if done.returncode:
        sys.stderr.write(
            "audit: pip-audit found a vulnerability, or could not look a package up (is the "
            "vulnerability service reachable from here?)\n"
        )
    return done.returncode


def _read_entry(entry: Mapping[str, Any]) -> Allowance:
    name = entry.get("id", "an entry without id")
    if set(entry) != FIELDS:
        message = f"{name} has the fields {sorted(entry)}: expected {sorted(FIELDS)}"
        raise AllowListError(message)
    allowance = Allowance(**entry)
    texts = (allowance.id, allowance.package, allowance.reason)
    days = (allowance.added, allowance.expires)
    if not all(isinstance(text, str) and text for text in texts):
        message = f"{name}: id, package and reason must be texts"
    elif len(allowance.reason) < SHORTEST_REASON:
        message = f"{name}: the reason must say why it does no harm here"
    elif not all(type(day) is date for day in days):
        message = f"{name}: added and expires must be dates, as in 2026-11-20"
    elif not timedelta(0) < allowance.expires - allowance.added <= LONGEST_ALLOWANCE:
        message = f"{name}: must expire within {LONGEST_ALLOWANCE.days} days of the decision"
    else:
        return allowance
    raise AllowListError(message)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], os.environ, datetime.now(UTC).date()))
