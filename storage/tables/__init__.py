"""The tables; importing this makes all of them known to `Base.metadata`."""

from storage.tables.answers import AnswerTextRow
from storage.tables.attachments import AttachmentRow
from storage.tables.base import Base
from storage.tables.concerns import AssessmentRow, ConcernRow, CorrectionRow, ReferenceCounterRow
from storage.tables.drafts import DraftFileRow, DraftRow
from storage.tables.learning import ShadowAnswerRow, ShadowRunRow
from storage.tables.mailboxes import (
    MailboxCountRow,
    MailboxFolderRow,
    MailboxGapRow,
    MailboxLeaseRow,
    MailboxRow,
)
from storage.tables.messages import DispositionRow, MessageCheckRow, MessageRow, ReadingRow
from storage.tables.oversight import AuditRow, OutgoingRow, SignRow, WorkerRow
from storage.tables.people import LeadRow
from storage.tables.providers import ProviderRow
from storage.tables.slack import (
    SlackAnswerRow,
    SlackChannelRow,
    SlackContactRow,
    SlackFileRow,
    SlackPostRow,
    SlackThreadRow,
)
from storage.tables.threads import AnsweredRow, LinkRow, TombstoneRow

__all__ = [
    "AnswerTextRow",
    "AnsweredRow",
    "AssessmentRow",
    "AttachmentRow",
    "AuditRow",
    "Base",
    "ConcernRow",
    "CorrectionRow",
    "DispositionRow",
    "DraftFileRow",
    "DraftRow",
    "LeadRow",
    "LinkRow",
    "MailboxCountRow",
    "MailboxFolderRow",
    "MailboxGapRow",
    "MailboxLeaseRow",
    "MailboxRow",
    "MessageCheckRow",
    "MessageRow",
    "OutgoingRow",
    "ProviderRow",
    "ReadingRow",
    "ReferenceCounterRow",
    "ShadowAnswerRow",
    "ShadowRunRow",
    "SignRow",
    "SlackAnswerRow",
    "SlackChannelRow",
    "SlackContactRow",
    "SlackFileRow",
    "SlackPostRow",
    "SlackThreadRow",
    "TombstoneRow",
    "WorkerRow",
]
