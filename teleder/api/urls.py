"""Every path of the API and its view."""

from django.urls import include, path

from teleder.api.views import (
    account,
    answers,
    children,
    clinic,
    colleagues,
    drawn,
    operations,
    own_data,
    patient,
    photos,
)
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
    path("children", children.ChildListView.as_view(), name="children"),
    path("children/<uuid:pk>", children.ChildDetailView.as_view(), name="child"),
    path("children/<uuid:pk>/consents", account.ConsentListView.as_view(), name="child-consents"),
    path("children/<uuid:pk>/data", own_data.OwnDataView.as_view(), name="child-data"),
    path("children/<uuid:pk>/data/export", own_data.ExportView.as_view(), name="child-export"),
    path("children/<uuid:pk>/data/erasure", own_data.ErasureView.as_view(), name="child-erasure"),
    path("children/<uuid:pk>/hand-over", children.HandOverView.as_view(), name="hand-over"),
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
    path("submissions/<uuid:pk>/answer.pdf", answers.AnswerPdfView.as_view(), name="answer-pdf"),
    path("submissions/<uuid:pk>/questions", answers.QuestionListView.as_view(), name="questions"),
    path("submissions/<uuid:pk>/share-links", answers.ShareLinkListView.as_view(), name="share-links"),
    path("share-links/<uuid:pk>", answers.ShareLinkDetailView.as_view(), name="share-link"),
    path("photos/<uuid:pk>", photos.PhotoDetailView.as_view(), name="photo"),
    path("photos/<uuid:pk>/send-anyway", photos.SendAnywayView.as_view(), name="send-anyway"),
    path("photos/<uuid:pk>/distances", clinic.DistanceReportView.as_view(), name="distances"),
    path("photos/<uuid:pk>/full-copy", photos.FullCopyView.as_view(), name="full-copy"),
    path("photos/<uuid:pk>/drawn-crops", drawn.DrawnCropListView.as_view(), name="drawn-crops"),
    path("photos/<uuid:pk>/<slug:kind>", photos.PhotoFileView.as_view(), name="photo-file"),
    # Dermatologists
    path("worklist", clinic.WorklistView.as_view(), name="worklist"),
    path("reply-template", clinic.ReplyTemplateView.as_view(), name="reply-template"),
    path("diagnoses", clinic.DiagnosisListView.as_view(), name="diagnoses"),
    path("submissions/<uuid:pk>/claim", clinic.ClaimView.as_view(), name="claim"),
    path("submissions/<uuid:pk>/keep-claim", clinic.KeepClaimView.as_view(), name="keep-claim"),
    path("submissions/<uuid:pk>/snooze", clinic.SnoozeView.as_view(), name="snooze"),
    path("submissions/<uuid:pk>/release", clinic.ReleaseView.as_view(), name="release"),
    path("submissions/<uuid:pk>/request-photos", clinic.RequestPhotosView.as_view(), name="request-photos"),
    path("submissions/<uuid:pk>/impression", clinic.ImpressionView.as_view(), name="impression"),
    path("submissions/<uuid:pk>/findings", clinic.FindingListView.as_view(), name="findings"),
    path("submissions/<uuid:pk>/reviews", clinic.ReviewListView.as_view(), name="reviews"),
    path("submissions/<uuid:pk>/held-answer", clinic.HeldAnswerView.as_view(), name="held-answer"),
    path("submissions/<uuid:pk>/take-back", clinic.TakeBackView.as_view(), name="take-back"),
    path("submissions/<uuid:pk>/amendments", clinic.AmendmentView.as_view(), name="amendments"),
    path("submissions/<uuid:pk>/hand-over", colleagues.HandCaseOverView.as_view(), name="hand-case-over"),
    path("submissions/<uuid:pk>/opinions", colleagues.SecondOpinionListView.as_view(), name="opinions"),
    path("opinions/<uuid:pk>/answer", colleagues.GiveOpinionView.as_view(), name="opinion-answer"),
    path("questions/<uuid:pk>/reply", answers.ReplyView.as_view(), name="reply"),
    path("submissions/<uuid:pk>/close", operations.CloseView.as_view(), name="close"),
    path("submissions/<uuid:pk>/reassign", operations.ReassignView.as_view(), name="reassign"),
    # Admins
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
