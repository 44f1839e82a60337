"""How does long work run on without whoever started it, and how do others see how far it is?"""

from grace_engine.jobs.control import (
    cancel,
    find_job,
    forget,
    jobs,
    resume,
    start,
    without_folder,
)
from grace_engine.jobs.devices import having_device
from grace_engine.jobs.folder import ACTIVE, JobSpec, State, Status, read_events
from grace_engine.jobs.job import WORDS, Job, read_job
from grace_engine.jobs.logs import follow, last_lines
from grace_engine.jobs.reporting import EXIT_STATUS, Reporter, carry_out

__all__ = [
    "ACTIVE",
    "EXIT_STATUS",
    "WORDS",
    "Job",
    "JobSpec",
    "Reporter",
    "State",
    "Status",
    "cancel",
    "carry_out",
    "find_job",
    "follow",
    "forget",
    "having_device",
    "jobs",
    "last_lines",
    "read_events",
    "read_job",
    "resume",
    "start",
    "without_folder",
]
