"""Pages of dermatologists and admins; the names live in the namespace `web`."""

from django.urls import path

from teleder.web.clinician import opinion
from teleder.web.clinician import views as clinician
from teleder.web.operations import audit_log, model_cards, people, person_data
from teleder.web.operations import views as operations

urlpatterns = [
    path("worklist/", clinician.show_worklist, name="worklist"),
    path("worklist/next/", clinician.claim_next, name="claim_next"),
    path("review/<uuid:pk>/", clinician.review, name="review"),
    path("review/<uuid:pk>/state/", clinician.review_state, name="review_state"),
    path("review/<uuid:pk>/claim/", clinician.claim, name="claim"),
    path("review/<uuid:pk>/release/", clinician.release, name="release"),
    path("review/<uuid:pk>/keep/", clinician.keep_claim, name="keep_claim"),
    path("review/<uuid:pk>/photos/", clinician.request_photos, name="request_photos"),
    path("review/<uuid:pk>/distances/", opinion.distances, name="distances"),
    path("review/<uuid:pk>/distances/check/", opinion.check_distances, name="check_distances"),
    path("review/<uuid:pk>/impression/", opinion.choose_impression, name="impression"),
    path("review/<uuid:pk>/answer/", clinician.answer, name="answer"),
    path("operations/", operations.operations, name="operations"),
    path("operations/jobs/", operations.change_jobs, name="change_jobs"),
    path("operations/cases/", operations.cases, name="cases_admin"),
    path("operations/cases/<uuid:pk>/", operations.case, name="case_admin"),
    path("operations/cases/<uuid:pk>/trail/", audit_log.of_case, name="case_trail"),
    path("operations/cases/<uuid:pk>/<slug:verb>/", operations.change_case, name="change_case"),
    path("operations/people/", people.people, name="people"),
    path("operations/people/invite/", people.invite, name="invite"),
    path("operations/people/failed-logins/", people.failed_logins, name="failed_logins"),
    path("operations/people/<uuid:pk>/data/", person_data.person_data, name="person_data"),
    path(
        "operations/people/<uuid:pk>/data/<slug:verb>/",
        person_data.change_person_data,
        name="change_person_data",
    ),
    path("operations/people/<uuid:pk>/<slug:verb>/", people.change_person, name="change_person"),
    path("operations/models/", model_cards.models, name="models"),
    path("invitation/<str:token>/", people.invitation, name="invitation"),
]
