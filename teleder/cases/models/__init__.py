"""The clinical record, one model a file. docs/glossary.md explains the terms.

A status changes only through the functions of `teleder.cases.transitions` and `teleder.pipeline.transitions`.
"""

from __future__ import annotations

from teleder.cases.models.analysis import Analysis, AnalysisQuerySet, unknown_model
from teleder.cases.models.answer_draft import AnswerDraft
from teleder.cases.models.board_sample import BoardSample
from teleder.cases.models.case import Case, CaseQuerySet, case_number, name_or_number
from teleder.cases.models.colleague import HandOverNote, SecondOpinion
from teleder.cases.models.damaged_file import DamagedFile, DamagedFileQuerySet, StoredFile
from teleder.cases.models.drawn_crop import DrawnCrop, DrawnCropFinding
from teleder.cases.models.event import Event
from teleder.cases.models.finding import Finding
from teleder.cases.models.first_impression import FirstImpression
from teleder.cases.models.heartbeat import Heartbeat, HeartbeatQuerySet
from teleder.cases.models.held_answer import AnswerReading, HeldAnswer, TakenBackAnswer
from teleder.cases.models.job import NOT_AWAITED, Job, JobQuerySet
from teleder.cases.models.photo import PHOTOS_PER_SUBMISSION, Photo, PhotoQuerySet, PhotoState, PhotoView
from teleder.cases.models.photo_request import PhotosWanted
from teleder.cases.models.prefetched import add_to_prefetched as add_to_prefetched
from teleder.cases.models.prefetched import set_prefetched as set_prefetched
from teleder.cases.models.question import PatientQuestion
from teleder.cases.models.refused_message import RefusedMessage
from teleder.cases.models.reply_template import ReplyTemplate, Snippet
from teleder.cases.models.review import Confidence, Disposition, Impression, Review
from teleder.cases.models.share_link import ShareLink
from teleder.cases.models.snooze import SnoozeFor, SnoozeReason
from teleder.cases.models.storage_mark import StorageMark
from teleder.cases.models.submission import (
    Kind,
    MissingPhoto,
    Submission,
    SubmissionQuerySet,
)
from teleder.cases.models.worklist_order import WORKLIST_ORDER, Place, Precedence
from teleder.cases.transitions import EventKind, Status
from teleder.pipeline.transitions import AIStatus, JobState

__all__ = [
    "NOT_AWAITED",
    "PHOTOS_PER_SUBMISSION",
    "WORKLIST_ORDER",
    "AIStatus",
    "Analysis",
    "AnalysisQuerySet",
    "AnswerDraft",
    "AnswerReading",
    "BoardSample",
    "Case",
    "CaseQuerySet",
    "Confidence",
    "DamagedFile",
    "DamagedFileQuerySet",
    "Disposition",
    "DrawnCrop",
    "DrawnCropFinding",
    "Event",
    "EventKind",
    "Finding",
    "FirstImpression",
    "HandOverNote",
    "Heartbeat",
    "HeartbeatQuerySet",
    "HeldAnswer",
    "Impression",
    "Job",
    "JobQuerySet",
    "JobState",
    "Kind",
    "Photo",
    "PhotoQuerySet",
    "PhotoState",
    "PhotoView",
    "MissingPhoto",
    "PhotosWanted",
    "Place",
    "Precedence",
    "PatientQuestion",
    "RefusedMessage",
    "ReplyTemplate",
    "Review",
    "SecondOpinion",
    "ShareLink",
    "Snippet",
    "SnoozeFor",
    "SnoozeReason",
    "Status",
    "StorageMark",
    "StoredFile",
    "Submission",
    "SubmissionQuerySet",
    "TakenBackAnswer",
    "case_number",
    "name_or_number",
    "unknown_model",
]
