"""The tables; importing this makes all of them known to `Base.metadata`."""

from storage.tables.base import Base
from storage.tables.concerns import AssessmentRow, ConcernRow, CorrectionRow, ReferenceCounterRow
from storage.tables.messages import DispositionRow, MessageRow, ReadingRow
from storage.tables.oversight import AuditRow, OutgoingRow, WorkerRow
from storage.tables.people import LeadRow
from storage.tables.providers import ProviderRow

__all__ = [
    "AssessmentRow",
    "AuditRow",
    "Base",
    "ConcernRow",
    "CorrectionRow",
    "DispositionRow",
    "LeadRow",
    "MessageRow",
    "OutgoingRow",
    "ProviderRow",
    "ReadingRow",
    "ReferenceCounterRow",
    "WorkerRow",
]
