"""The pages, by who opens them."""

from django.urls import path

from teleder.web import clinic_urls, files, language
from teleder.web.operations import audit_log
from teleder.web.patient import privacy
from teleder.web.patient import views as patient

app_name = "web"
urlpatterns = [
    path("", patient.landing, name="home"),
    path("language/", language.switch, name="language"),
    path("welcome/", patient.welcome, name="welcome"),
    path("consultations/new/", patient.new, name="new"),
    path("consultations/<uuid:pk>/", patient.submission, name="submission"),
    path("consultations/<uuid:pk>/status/", patient.status, name="status"),
    path("consultations/<uuid:pk>/looks/", audit_log.of_photos, name="looks"),
    path("consultations/<uuid:pk>/advice/", patient.advice, name="advice"),
    path("consultations/<uuid:pk>/about/", patient.about, name="about"),
    path("consultations/<uuid:pk>/photos/", patient.photos, name="photos"),
    path("consultations/<uuid:pk>/photos/tiles/", patient.tiles, name="tiles"),
    path("consultations/<uuid:pk>/photos/add/", patient.add_photo, name="add_photo"),
    path("consultations/<uuid:pk>/send/", patient.send, name="send"),
    path("consultations/<uuid:pk>/withdraw/", patient.withdraw, name="withdraw"),
    path("consultations/<uuid:pk>/restore/", patient.restore, name="restore"),
    path("cases/<uuid:pk>/follow-up/", patient.new, name="follow_up"),
    path("photos/<uuid:pk>/remove/", patient.remove_photo, name="remove_photo"),
    path("photos/<uuid:pk>/anyway/", patient.send_photo_anyway, name="send_photo_anyway"),
    path("photos/<uuid:pk>/<slug:kind>/", files.photo, name="photo"),
    path("messages/", patient.inbox, name="inbox"),
    path("settings/", patient.settings_page, name="settings"),
    path("settings/consent/", patient.consent, name="consent"),
    path("settings/data/", privacy.data, name="data"),
    path("settings/data/export/", privacy.export, name="export_data"),
    path("settings/data/erase/", privacy.erase, name="erase_data"),
    path("settings/data/keep/", privacy.keep, name="keep_data"),
    *clinic_urls.urlpatterns,
]
