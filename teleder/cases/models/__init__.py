"""The clinical record, one model a file. docs/glossary.md explains the terms.

A status changes only through the functions of `teleder.cases.transitions` and `teleder.pipeline.transitions`.
"""

from __future__ import annotations

from teleder.cases.models.analysis import Analysis, AnalysisQuerySet, unknown_model
from teleder.cases.models.case import Case, CaseQuerySet, case_number
from teleder.cases.models.event import Event
from teleder.cases.models.finding import Finding
from teleder.cases.models.first_impression import FirstImpression
from teleder.cases.models.job import NOT_AWAITED, Job, JobQuerySet
from teleder.cases.models.photo import PHOTOS_PER_SUBMISSION, Photo, PhotoQuerySet, PhotoState, PhotoView
from teleder.cases.models.prefetched import add_to_prefetched as add_to_prefetched
from teleder.cases.models.prefetched import set_prefetched as set_prefetched
from teleder.cases.models.refused_message import RefusedMessage
from teleder.cases.models.review import Disposition, Impression, Review
from teleder.cases.models.submission import (
    WORKLIST_ORDER,
    Kind,
    PhotosWanted,
    Place,
    Precedence,
    Submission,
    SubmissionQuerySet,
)
from teleder.cases.transitions import EventKind, Status
from teleder.pipeline.transitions import AIStatus, JobState

__all__ = [
    "NOT_AWAITED",
    "PHOTOS_PER_SUBMISSION",
    "WORKLIST_ORDER",
    "AIStatus",
    "Analysis",
    "AnalysisQuerySet",
    "Case",
    "CaseQuerySet",
    "Disposition",
    "Event",
    "EventKind",
    "Finding",
    "FirstImpression",
    "Impression",
    "Job",
    "JobQuerySet",
    "JobState",
    "Kind",
    "Photo",
    "PhotoQuerySet",
    "PhotoState",
    "PhotoView",
    "PhotosWanted",
    "Place",
    "Precedence",
    "RefusedMessage",
    "Review",
    "Status",
    "Submission",
    "SubmissionQuerySet",
    "case_number",
    "unknown_model",
]
