"""Which process holds a lease, and whether it surely is no more.

A run that was killed leaves its lease behind. On the same machine the next run need not wait for
the expiry: it can see that the process is gone.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Holder:
    """One process.

    Attributes:
        host: name of the machine.
        namespace: of process ids; two containers with one host name have different ones.
        pid: process id in that namespace.
        started: start of the process, seconds since 1970: a process id may be used again.
    """

    host: str
    namespace: str
    pid: int
    started: float


def this_process() -> Holder:
    """Return the holder that is the calling process."""
    process = psutil.Process()
    return Holder(socket.gethostname(), _namespace(), process.pid, process.create_time())


def has_ended(holder: Holder) -> bool:
    """Whether the process has surely ended; False whenever that cannot be seen from here."""
    here = this_process()
    if (holder.host, holder.namespace) != (here.host, here.namespace) or not holder.namespace:
        return False
    try:
        process = psutil.Process(holder.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        # Measured to a hundredth of a second, and told again from the boot time.
        return abs(process.create_time() - holder.started) > 1.0
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def _namespace() -> str:
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{Path('/proc/self/ns/pid').readlink()}@{boot_id}"
    except OSError:
        return ""
