"""What one rollback did and why, made from its history alone, never from memory.

`entries` is what a history says, `evidence` what our workflows mean by it. From that come `steps`,
`services`, `votes` and `timeline`; `contents` is what they add up to, `building` puts it together.
`lessons` are drawn from a finished report.

The same entries give the same report, byte for byte. None and "" mean: the history does not say.
"""

from rollback_manager.report.building import build
from rollback_manager.report.contents import Moment, Point, Report, ServicePart, StepLine
from rollback_manager.report.entries import Entry, Kind
from rollback_manager.report.lessons import FollowUp, Lessons, lessons

__all__ = [
    "Entry",
    "FollowUp",
    "Kind",
    "Lessons",
    "Moment",
    "Point",
    "Report",
    "ServicePart",
    "StepLine",
    "build",
    "lessons",
]
