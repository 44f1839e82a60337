"""How does long work run on without whoever started it, and how do others see how far it is?"""

from grace_engine.jobs.control import cancel, find_job, jobs, start
from grace_engine.jobs.folder import ACTIVE, Job, JobSpec, State, Status
from grace_engine.jobs.reporting import Reporter, carry_out

__all__ = [
    "ACTIVE",
    "Job",
    "JobSpec",
    "Reporter",
    "State",
    "Status",
    "cancel",
    "carry_out",
    "find_job",
    "jobs",
    "start",
]
