"""The URLs of the pages, by role."""

from django.urls import path

from teleder.web import clinic_urls, files, language
from teleder.web.operations import audit_log
from teleder.web.patient import account, draft, home, own_data, photos, submission

app_name = "web"
urlpatterns = [
    path("", home.home, name="home"),
    path("language/", language.switch, name="language"),
    path("welcome/", home.welcome, name="welcome"),
    path("consultations/new/", draft.new, name="new"),
    path("cases/<uuid:pk>/follow-up/", draft.new, name="follow_up"),
    path("consultations/<uuid:pk>/advice/", draft.advice, name="advice"),
    path("consultations/<uuid:pk>/about/", draft.about, name="about"),
    path("consultations/<uuid:pk>/photos/", photos.photos, name="photos"),
    path("consultations/<uuid:pk>/photos/tiles/", photos.tiles, name="tiles"),
    path("consultations/<uuid:pk>/photos/add/", photos.add_photo, name="add_photo"),
    path("photos/<uuid:pk>/remove/", photos.remove_photo, name="remove_photo"),
    path("photos/<uuid:pk>/anyway/", photos.send_photo_anyway, name="send_photo_anyway"),
    path("photos/<uuid:pk>/<slug:kind>/", files.photo, name="photo"),
    path("consultations/<uuid:pk>/send/", draft.send, name="send"),
    path("consultations/<uuid:pk>/", submission.submission, name="submission"),
    path("consultations/<uuid:pk>/status/", submission.status, name="status"),
    path("consultations/<uuid:pk>/looks/", audit_log.of_photos, name="looks"),
    path("consultations/<uuid:pk>/withdraw/", submission.withdraw, name="withdraw"),
    path("consultations/<uuid:pk>/restore/", submission.restore, name="restore"),
    path("messages/", account.inbox, name="inbox"),
    path("settings/", account.settings_page, name="settings"),
    path("settings/consent/", account.consent, name="consent"),
    path("settings/data/", own_data.data, name="data"),
    path("settings/data/export/", own_data.export_data, name="export_data"),
    path("settings/data/erase/", own_data.erase_data, name="erase_data"),
    path("settings/data/keep/", own_data.keep_data, name="keep_data"),
    *clinic_urls.urlpatterns,
]
