"""One writer a night: a lease that is taken, renewed while the run works, and let go.

The lease is an object, ``runs/<night>/lease.json``, and every change of it is conditional on what
was there, so that of two runs exactly one gets it. Its expiry is judged by the clocks of two
machines; should they differ by more than the lease is long, the etag of results.parquet is the
second guard: a run publishes only over the night that it saw.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from jobs.lake import Lake, PreconditionFailedError
from jobs.lease_holder import Holder, has_ended, this_process
from jobs.night_keys import lease_key
from model.errors import NightTakenError, NotRetrievedError, TriageError

_RENEWALS_A_TERM: Final = 3  # two may fail before the lease runs out
_ATTEMPTS: Final = 3  # another run may come between looking and taking

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaseRecord:
    """What ``lease.json`` says.

    Attributes:
        run_id: of the run that holds it.
        holder: the process.
        expires_at: ISO time, UTC; after it anyone may take the lease.
        released: the run let it go.
    """

    run_id: str
    holder: Holder
    expires_at: str
    released: bool = False

    def to_json(self) -> bytes:
        """Return the object's bytes."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes) -> LeaseRecord:
        """Read the object's bytes.

        Raises:
            ValueError: if they are no lease.
        """
        try:
            content: dict[str, Any] = json.loads(data)
            holder = Holder(**content.pop("holder"))
            record = cls(holder=holder, **content)
            datetime.fromisoformat(record.expires_at)
        except (KeyError, TypeError, AttributeError) as error:
            message = "the lease's JSON lacks fields or has unknown ones"
            raise ValueError(message) from error
        return record

    def is_free(self, now: datetime) -> bool:
        """Whether the lease may be taken over."""
        expired = datetime.fromisoformat(self.expires_at) <= now
        return self.released or expired or has_ended(self.holder)


@dataclass(frozen=True)
class LeaseTerms:
    """How long a lease lasts, and by which clock.

    Attributes:
        seconds: after which a lease that was not renewed is void.
        now: the time, with a time zone.
    """

    seconds: float
    now: Callable[[], datetime]


class NightLease:
    """The right to publish a night; a context manager that keeps it alive.

    with NightLease(lake, night, run_id, LeaseTerms(300, utc_now)) as lease:
        ...
        lease.assert_held()
    """

    def __init__(
        self,
        lake: Lake,
        night: date,
        run_id: str,
        terms: LeaseTerms,
        holder: Holder | None = None,
    ) -> None:
        """Describe a lease; `take` takes it.

        Args:
            lake: where.
            night: which.
            run_id: of this attempt.
            terms: how long.
            holder: who; None for this process.
        """
        self._lake = lake
        self._night = night
        self._key = lease_key(night)
        self._run_id = run_id
        self._terms = terms
        self._holder = holder or this_process()
        self._etag: str | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._renewer: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def take(self) -> None:
        """Take the lease and begin to renew it in the background.

        Raises:
            NightTakenError: if another run holds it.
        """
        self._etag = self._take()
        self._stop.clear()
        self._renewer = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._renewer.start()

    def assert_held(self) -> None:
        """Make sure, in the lake, that the lease is still this run's, and renew it.

        Raises:
            NightTakenError: if it is not.
        """
        self.renew()

    def renew(self) -> None:
        """Put the expiry off.

        Raises:
            NightTakenError: if another run took the lease over, or it was let go.
        """
        with self._lock:
            if self._etag is None:
                raise self._lost(found="this run does not hold it")
            try:
                self._etag = self._replace(self._etag)
            except (PreconditionFailedError, NotRetrievedError):
                self._etag = None
                raise self._lost(found="another run took it over, or removed it") from None

    def release(self) -> None:
        """Stop renewing and let the lease go. Not holding it (any more) is no error."""
        self._stop.set()
        if self._renewer is not None:
            self._renewer.join()
            self._renewer = None
        with self._lock:
            if self._etag is None:
                return
            # Marked, not deleted: a deletion cannot be made conditional on the lease being ours.
            record = replace(self._record(), released=True)
            try:
                self._lake.write(self._key, record.to_json(), if_match=self._etag)
            except TriageError as error:
                # The run's own outcome, good or bad, must not be hidden behind this.
                _log.warning("the lease was not let go: %s", error)
            self._etag = None

    def _take(self) -> str:
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(PreconditionFailedError, NotRetrievedError):
                found = self._lake.head(self._key)
                if found is None:
                    return self._lake.write(self._key, self._record().to_json(), if_absent=True)
                self._require_free(self._lake.read(self._key, found.etag))
                return self._replace(found.etag)
        raise self._lost(found="other runs keep taking it")

    def _replace(self, etag: str) -> str:
        """Write the lease anew over one that has this etag, or is this run's own.

        A write whose answer got lost leaves a lease of this run under an etag that it never heard.
        """
        try:
            return self._lake.write(self._key, self._record().to_json(), if_match=etag)
        except PreconditionFailedError:
            found = self._lake.head(self._key)
            if found is None or not self._is_own(self._lake.read(self._key, found.etag)):
                raise
            return self._lake.write(self._key, self._record().to_json(), if_match=found.etag)

    def _is_own(self, data: bytes) -> bool:
        try:
            record = LeaseRecord.from_json(data)
        except ValueError:
            return False
        return (record.run_id, record.holder) == (self._run_id, self._holder)

    def _require_free(self, data: bytes) -> None:
        if self._is_own(data):
            return
        try:
            record = LeaseRecord.from_json(data)
        except ValueError:
            message = (
                f"the lease of night {self._night} ({self._key}) cannot be read: expected the JSON "
                "of a run; make sure that no run of this night is at work, then delete it"
            )
            raise NightTakenError(message) from None
        if not record.is_free(self._terms.now()):
            message = (
                f"night {self._night} is taken by run {record.run_id} (process "
                f"{record.holder.pid} on {record.holder.host}), whose lease runs until "
                f"{record.expires_at}: expected no other run; wait for it to end, or, if it is "
                "dead, start again after that time"
            )
            raise NightTakenError(message)

    def _record(self) -> LeaseRecord:
        expires_at = self._terms.now() + timedelta(seconds=self._terms.seconds)
        return LeaseRecord(self._run_id, self._holder, expires_at.isoformat())

    def _keep(self) -> None:
        while not self._stop.wait(self._terms.seconds / _RENEWALS_A_TERM):
            try:
                self.renew()
            except NightTakenError as error:
                _log.error("%s", error)
                return
            except Exception as error:  # noqa: BLE001  whatever it was, the next renewal may work
                _log.warning("the lease could not be renewed, trying again: %s", error)

    def _lost(self, *, found: str) -> NightTakenError:
        message = (
            f"run {self._run_id} does not hold the lease of night {self._night}: {found}; nothing "
            "more is published; start the night again once the other run has ended"
        )
        return NightTakenError(message)
