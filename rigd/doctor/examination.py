"""All that a doctor looks at, in the order in which it is told: the machine first, then the game."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rig.errors import RigError
from rigd.check import Check, Level, warning
from rigd.doctor.catalog import check_catalog
from rigd.doctor.certificates import check_certificates
from rigd.doctor.clock import Clock
from rigd.doctor.livetail import check_live_tail
from rigd.doctor.permissions import check_permissions
from rigd.doctor.ports import check_ports
from rigd.doctor.priorities import check_priorities
from rigd.doctor.processes import of_data, running
from rigd.doctor.programs import ask, check_programs, check_versions, own_servers
from rigd.doctor.storage import check_storage
from rigd.sources.rf2.doctor import check_memory
from rigd.sources.rf2.installation import check_installations


@dataclass(frozen=True)
class Patient:
    """Where a rig is, or is to be."""

    data: Path
    buffers: Path
    memory: Path
    """Where the live tail is."""
    home: Path
    """Of the user who plays."""
    instance: str
    addresses: tuple[str, ...] = ()


def examine(patient: Patient, wait: Callable[[float], None] = time.sleep) -> Iterator[Check]:
    """Look at everything, and change nothing. What cannot be looked at is a warning, and the next is."""
    clock, processes = Clock(), of_data(running(), patient.data)
    looks: dict[str, Callable[[], Iterator[Check]]] = {
        "program": lambda: check_programs(os.environ.get("PATH", "")),
        "versions": lambda: check_versions(own_servers(), ask),
        "data": lambda: check_permissions(patient.data),
        "certificate": lambda: check_certificates(patient.data),
        "catalog": lambda: check_catalog(patient.data),
        "disk": lambda: check_storage(patient.data),
        "live tail": lambda: check_live_tail(patient.memory, patient.data),
        "priority": lambda: check_priorities(processes),
        "socket": lambda: check_ports(patient.instance, patient.addresses, processes),
        "game": lambda: check_installations(patient.home, patient.buffers),
        "buffers": lambda: check_memory(patient.buffers, wait=wait),
        "clock": lambda: clock.checks(patient.data),  # last: it has been watched meanwhile
    }
    for subject, look in looks.items():
        yield from _guarded(subject, look)


def _guarded(subject: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from look()
    except (OSError, RigError) as error:
        yield warning(subject, f"it cannot be looked at: {error}", "run the doctor as the user who plays")


def worst(checks: list[Check]) -> Level:
    """Return the worst level of some checks."""
    return max((check.level for check in checks), key=lambda level: level.exit_code, default=Level.OK)
