"""Every path of the API and its view."""

from django.urls import include, path

from teleder.api.views import account, clinic, operations, own_data, patient, photos
from teleder.api.views.docs import DocsView, SchemaView

app_name = "api"

v1 = [
    # Anyone who logs in
    path("tokens", account.LogInView.as_view(), name="tokens"),
    path("tokens/current", account.LogOutView.as_view(), name="current-token"),
    path("me", account.MeView.as_view(), name="me"),
    path("me/data", own_data.OwnDataView.as_view(), name="data"),
    path("me/data/export", own_data.ExportView.as_view(), name="export"),
    path("me/data/erasure", own_data.ErasureView.as_view(), name="erasure"),
    path("inbox", account.InboxView.as_view(), name="inbox"),
    path("inbox/read", account.InboxReadView.as_view(), name="inbox-read"),
    # Patients
    path("consents", account.ConsentListView.as_view(), name="consents"),
    path("questionnaire", patient.QuestionnaireView.as_view(), name="questionnaire"),
    path("cases", patient.CaseListView.as_view(), name="cases"),
    path("cases/<uuid:pk>", patient.CaseDetailView.as_view(), name="case"),
    path("cases/<uuid:pk>/submissions", patient.FollowUpView.as_view(), name="follow-ups"),
    path("submissions", patient.SubmissionListView.as_view(), name="submissions"),
    path("submissions/<uuid:pk>", patient.SubmissionDetailView.as_view(), name="submission"),
    path("submissions/<uuid:pk>/status", patient.SubmissionStatusView.as_view(), name="submission-status"),
    path("submissions/<uuid:pk>/photos", photos.PhotoListView.as_view(), name="photos"),
    path("submissions/<uuid:pk>/submit", patient.SubmitView.as_view(), name="submit"),
    path("submissions/<uuid:pk>/withdraw", patient.WithdrawView.as_view(), name="withdraw"),
    path("submissions/<uuid:pk>/restore", patient.RestoreView.as_view(), name="restore"),
    path("photos/<uuid:pk>", photos.PhotoDetailView.as_view(), name="photo"),
    path("photos/<uuid:pk>/send-anyway", photos.SendAnywayView.as_view(), name="send-anyway"),
    path("photos/<uuid:pk>/distances", clinic.DistanceReportView.as_view(), name="distances"),
    path("photos/<uuid:pk>/<slug:kind>", photos.PhotoFileView.as_view(), name="photo-file"),
    # Dermatologists
    path("worklist", clinic.WorklistView.as_view(), name="worklist"),
    path("submissions/<uuid:pk>/claim", clinic.ClaimView.as_view(), name="claim"),
    path("submissions/<uuid:pk>/keep-claim", clinic.KeepClaimView.as_view(), name="keep-claim"),
    path("submissions/<uuid:pk>/release", clinic.ReleaseView.as_view(), name="release"),
    path("submissions/<uuid:pk>/request-photos", clinic.RequestPhotosView.as_view(), name="request-photos"),
    path("submissions/<uuid:pk>/impression", clinic.ImpressionView.as_view(), name="impression"),
    path("submissions/<uuid:pk>/findings", clinic.FindingListView.as_view(), name="findings"),
    path("submissions/<uuid:pk>/reviews", clinic.ReviewListView.as_view(), name="reviews"),
    path("submissions/<uuid:pk>/amendments", clinic.AmendmentView.as_view(), name="amendments"),
    path("submissions/<uuid:pk>/close", operations.CloseView.as_view(), name="close"),
    # Admins
    path("submissions/<uuid:pk>/reassign", operations.ReassignView.as_view(), name="reassign"),
    path("submissions/<uuid:pk>/reopen", operations.ReopenView.as_view(), name="reopen"),
    path("jobs", operations.JobListView.as_view(), name="jobs"),
    path("jobs/<uuid:pk>/requeue", operations.RequeueView.as_view(), name="requeue"),
    path("jobs/<uuid:pk>/cancel", operations.CancelView.as_view(), name="cancel"),
    path("queues", operations.QueueListView.as_view(), name="queues"),
]

urlpatterns = [
    path("v1/", include(v1)),
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view(), name="docs"),
]
