"""The commands that keep a lake in order: ``mri-triage clean`` and ``mri-triage audit``.

As in `flows.cli`, heavy imports stand inside the commands.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.options import LakeOption, PlaceOption

if TYPE_CHECKING:
    from rich.table import Table

    from conf.settings import Settings
    from jobs.audit_log import AuditEvent
    from jobs.clean_lake import Cleaned
    from jobs.lake import Lake


def register_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("clean")(clean)
    app.command("audit")(show_audit_log)


def clean(
    lake: LakeOption = None,
    place: PlaceOption = "base",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only print what would be removed. Do this first."),
    ] = False,
) -> None:
    """Remove old runs, explanations, DICOM objects, feedback and records of backfills.

    How old is said by retention.*. Results, studies, models, the audit log and the images
    themselves are never removed, and a night that a run is at work on is left alone.
    """
    from rich.console import Console
    from rich.progress import track

    from flows.evaluation_cli import make_console
    from jobs.clean_backfills import clean_backfills
    from jobs.clean_lake import Retention, clean_night, find_nights, preview_night
    from jobs.lease import LeaseTerms

    settings, store = _open(place, lake)
    kept = settings.retention
    retention = Retention(
        kept.runs_days, kept.explanations_days, kept.feedback_days, kept.dicom_days
    )
    terms = LeaseTerms(settings.publish.lease_seconds, lambda: datetime.now(UTC))
    today = terms.now().astimezone(settings.night.zone).date()
    treat = preview_night if dry_run else clean_night
    nights = find_nights(store)
    bars = track(nights, "Nights", console=Console(stderr=True), transient=True)
    cleaned = [one for night in bars for one in treat(store, night, retention, today, terms)]
    cleaned += clean_backfills(store, kept.backfills_days, today, terms.now(), dry_run=dry_run)
    if cleaned:
        make_console().print(cleaned_table(cleaned))
    typer.echo(sum_up(cleaned, len(nights)))


def show_audit_log(
    lake: LakeOption = None,
    place: PlaceOption = "base",
    since: Annotated[
        str | None,
        typer.Option(help="From this day on, in UTC (YYYY-MM-DD); else all of it."),
    ] = None,
) -> None:
    """Print who looked images up, and what was published, promoted or removed.

    Each event was written down before the deed; none names a patient or an object.
    """
    from flows.arguments import parse_night
    from flows.evaluation_cli import make_console
    from jobs.audit_log import read_events

    first = parse_night(since) if since else None
    _, store = _open(place, lake)
    events = list(read_events(store, first))
    if events:
        make_console().print(audit_table(events))
    typer.echo(f"{len(events)} events")


def cleaned_table(cleaned: Iterable[Cleaned]) -> Table:
    """Lay out what was removed, or would be, and why."""
    from rich.table import Table

    table = Table("folder", "night", "objects", "kB", "why", "outcome", title="Retention")
    for one in cleaned:
        folder = one.folder
        table.add_row(
            folder.kind,
            folder.night.isoformat(),
            f"{len(folder.objects):,}",
            f"{folder.size_bytes / 1000:,.0f}",
            f"last used {folder.last_used}, kept {folder.kept_days} days",
            one.outcome,
        )
    return table


def sum_up(cleaned: Sequence[Cleaned], nights: int) -> str:
    """Say in one line how much it was."""
    counts: dict[str, int] = {}
    for one in cleaned:
        counts[one.outcome] = counts.get(one.outcome, 0) + len(one.folder.objects)
    told = ", ".join(f"{count:,} objects {outcome}" for outcome, count in counts.items())
    return f"{nights:,} nights looked at: {told or 'nothing is older than it is kept'}"


def audit_table(events: Iterable[AuditEvent]) -> Table:
    """Lay out events, one a row."""
    from rich.table import Table

    table = Table("time (UTC)", "event", "account", "host", "of what", title="Audit log")
    for event in events:
        facts = ", ".join(f"{name} {value}" for name, value in event.facts.items())
        table.add_row(event.at[:19], event.action, event.account, event.host, facts)
    return table


def _open(place: str, lake: str | None) -> tuple[Settings, Lake]:
    from flows.arguments import make_lake_address, resolve_settings
    from jobs.lake import open_lake

    settings = resolve_settings(place, os.environ, lake=lake)
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    store.require()
    return settings, store
