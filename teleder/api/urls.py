"""The table of contents: every address of the API, and the class behind it."""

from django.urls import include, path

from teleder.api import clinic, intake, operations, person, photos, privacy
from teleder.api.docs import Description, Docs

app_name = "api"

v1 = [
    # Anyone who logs in
    path("tokens", person.LogIn.as_view(), name="tokens"),
    path("tokens/current", person.LogOut.as_view(), name="current-token"),
    path("me", person.Me.as_view(), name="me"),
    path("me/data", privacy.Data.as_view(), name="data"),
    path("me/data/export", privacy.Export.as_view(), name="export"),
    path("me/data/erasure", privacy.Erasure.as_view(), name="erasure"),
    path("inbox", person.Inbox.as_view(), name="inbox"),
    path("inbox/read", person.InboxRead.as_view(), name="inbox-read"),
    # Patients
    path("consents", person.Consents.as_view(), name="consents"),
    path("questionnaire", intake.Questionnaire.as_view(), name="questionnaire"),
    path("cases", intake.Cases.as_view(), name="cases"),
    path("cases/<uuid:pk>", intake.CaseDetail.as_view(), name="case"),
    path("cases/<uuid:pk>/submissions", intake.FollowUps.as_view(), name="follow-ups"),
    path("submissions", intake.Submissions.as_view(), name="submissions"),
    path("submissions/<uuid:pk>", intake.SubmissionDetail.as_view(), name="submission"),
    path("submissions/<uuid:pk>/status", intake.SubmissionStatus.as_view(), name="submission-status"),
    path("submissions/<uuid:pk>/photos", photos.Photos.as_view(), name="photos"),
    path("submissions/<uuid:pk>/submit", intake.Submit.as_view(), name="submit"),
    path("submissions/<uuid:pk>/withdraw", intake.Withdraw.as_view(), name="withdraw"),
    path("submissions/<uuid:pk>/restore", intake.Restore.as_view(), name="restore"),
    path("photos/<uuid:pk>", photos.PhotoDetail.as_view(), name="photo"),
    path("photos/<uuid:pk>/send-anyway", photos.SendAnyway.as_view(), name="send-anyway"),
    path("photos/<uuid:pk>/<slug:kind>", photos.PhotoFile.as_view(), name="photo-file"),
    # Dermatologists
    path("worklist", clinic.Worklist.as_view(), name="worklist"),
    path("submissions/<uuid:pk>/claim", clinic.Claim.as_view(), name="claim"),
    path("submissions/<uuid:pk>/keep-claim", clinic.KeepClaim.as_view(), name="keep-claim"),
    path("submissions/<uuid:pk>/release", clinic.Release.as_view(), name="release"),
    path("submissions/<uuid:pk>/request-photos", clinic.RequestPhotos.as_view(), name="request-photos"),
    path("submissions/<uuid:pk>/findings", clinic.Findings.as_view(), name="findings"),
    path("submissions/<uuid:pk>/reviews", clinic.Reviews.as_view(), name="reviews"),
    path("submissions/<uuid:pk>/amendments", clinic.Amendments.as_view(), name="amendments"),
    path("submissions/<uuid:pk>/close", operations.Close.as_view(), name="close"),
    # Admins
    path("submissions/<uuid:pk>/reassign", operations.Reassign.as_view(), name="reassign"),
    path("submissions/<uuid:pk>/reopen", operations.Reopen.as_view(), name="reopen"),
    path("jobs", operations.Jobs.as_view(), name="jobs"),
    path("jobs/<uuid:pk>/requeue", operations.Requeue.as_view(), name="requeue"),
    path("jobs/<uuid:pk>/cancel", operations.Cancel.as_view(), name="cancel"),
    path("queues", operations.Queues.as_view(), name="queues"),
]

urlpatterns = [
    path("v1/", include(v1)),
    path("schema", Description.as_view(), name="schema"),
    path("docs", Docs.as_view(), name="docs"),
]
