"""Settings of the web. From the environment only, and safe where the environment is silent."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import SplitResult, unquote

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from contract import encryption, environment, logs, messages, messaging
from teleder import database, deployment

BASE_DIR = Path(__file__).resolve().parent.parent


def flag(name: str, *, default: bool = False) -> bool:
    value = os.environ.get(name, "1" if default else "0").lower()
    if value not in {"0", "1", "true", "false", "yes", "no"}:
        raise ImproperlyConfigured(f"{name} must be 0 or 1, not {value!r}")
    return value in {"1", "true", "yes"}


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def secret(name: str, default: str = "") -> str:
    """Return a setting of which `NAME_FILE` may name a file that holds it."""
    try:
        return environment.secret(name, default)
    except environment.BadSetting as error:
        raise ImproperlyConfigured(str(error)) from None


def required(name: str) -> str:
    """Return a secret that has no safe default."""
    if value := secret(name):
        return value
    raise ImproperlyConfigured(f"{name} is not set. `./run demo` sets it; .env.example explains it.")


def address(name: str, text: str) -> SplitResult:
    try:
        return environment.address(name, text)
    except environment.BadSetting as error:
        raise ImproperlyConfigured(str(error)) from None


def database_settings() -> dict:
    """Return where the database is. Migrations and roles need one session throughout, which no pooler gives."""
    direct = sys.argv[1:2] == ["migrate"] or sys.argv[1:3] == ["audit", "protect"]
    name = "DATABASE_DIRECT_URL" if direct and secret("DATABASE_DIRECT_URL") else "DATABASE_URL"
    pooler = flag("TELEDER_DATABASE_POOLER") and name == "DATABASE_URL"
    try:
        return database.from_url(required(name), pooler=pooler, name=name)
    except environment.BadSetting as error:
        raise ImproperlyConfigured(str(error)) from None


# --- What the environment decides -------------------------------------------------------------------------
SECRET_KEY = required("TELEDER_SECRET_KEY")
SECRET_KEY_FALLBACKS = secret("TELEDER_SECRET_KEY_FALLBACKS").split()  # older ones, while the key is changed
DEBUG = flag("TELEDER_DEBUG")
ALLOWED_HOSTS = words("TELEDER_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = words("TELEDER_ORIGINS")
DATABASES = {"default": database_settings()}
REDIS_URL = required("REDIS_URL")
address("REDIS_URL", REDIS_URL)
BEHIND_PROXY = flag(
    "TELEDER_BEHIND_PROXY"
)  # one, which sets X-Forwarded-For and -Proto; else nobody is believed
MEDIA_ROOT = Path(os.environ.get("TELEDER_MEDIA_ROOT", BASE_DIR / "media"))
# Of tombstones; neither in the database nor among the photos, so that it outlives a restore of both.
ERASED_LIST = Path(os.environ.get("TELEDER_ERASED_LIST", MEDIA_ROOT.parent / "erased" / "list.jsonl"))
RETENTION_BY_NIGHT = flag("TELEDER_RETENTION")
try:
    PHOTO_KEYS = encryption.from_environment()
except (encryption.InvalidKeysError, environment.BadSetting) as error:
    raise ImproperlyConfigured(str(error)) from None
INSECURE_COOKIES = flag("TELEDER_INSECURE_COOKIES")  # plain http on loopback (the demo); never elsewhere
STAFF_SECOND_FACTOR = flag("TELEDER_STAFF_SECOND_FACTOR", default=True)
if INSECURE_COOKIES and (BEHIND_PROXY or any(each.startswith("https:") for each in CSRF_TRUSTED_ORIGINS)):
    raise ImproperlyConfigured(
        "TELEDER_INSECURE_COOKIES=1 is for plain http on loopback; "
        "take it out behind a proxy and where TELEDER_ORIGINS names https."
    )
if not STAFF_SECOND_FACTOR and not INSECURE_COOKIES:
    raise ImproperlyConfigured(
        "TELEDER_STAFF_SECOND_FACTOR=0 is for the demo and drills on loopback, with TELEDER_INSECURE_COOKIES=1."
    )
PUBLIC_URL = os.environ.get("TELEDER_PUBLIC_URL", "http://localhost:8000").rstrip("/")  # all links in mail
deployment.require_public_url(PUBLIC_URL, ALLOWED_HOSTS)
if INSECURE_COOKIES:
    deployment.require_loopback(ALLOWED_HOSTS, PUBLIC_URL)
else:
    deployment.refuse_demo_settings(
        debug=DEBUG, hosts=ALLOWED_HOSTS, secret_key=SECRET_KEY, public_url=PUBLIC_URL
    )
INFERENCE_SLOTS = int(os.environ.get("TELEDER_INFERENCE_SLOTS", "1"))  # worker processes per inference queue
INTENDED_USE = os.environ.get("TELEDER_INTENDED_USE", "clinician_only")
if INTENDED_USE != "clinician_only":
    raise ImproperlyConfigured(
        f"TELEDER_INTENDED_USE={INTENDED_USE!r}: only clinician_only exists. "
        "AI output reaches no patient before a dermatologist signs."
    )

# --- Django -----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "teleder.accounts",
    "teleder.security",
    "teleder.cases",
    "teleder.notifications",
    "teleder.audit",
    "teleder.privacy",
    "teleder.api",
    "teleder.web",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "csp",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "teleder.security.admin_site.BackRoomConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "teleder.web.request_log.request_log",
    "teleder.security.response_time_padding.even_times",
    "teleder.security.headers.headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "teleder.probes.without_cookies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "teleder.web.script_requests.script_requests",
    "teleder.api.request_bodies.bodies",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "teleder.accounts.middleware.PersonLanguage",
    "teleder.security.rate_limits.Limits",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "teleder.security.sessions.IdleStaff",
    "allauth.account.middleware.AccountMiddleware",
    "teleder.security.mfa.SecondFactor",
    "django_htmx.middleware.HtmxMiddleware",
    "csp.middleware.CSPMiddleware",
    "teleder.audit.middleware.Trail",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "teleder.web.context.chrome",
            ]
        },
    }
]
ROOT_URLCONF = "teleder.urls"
WSGI_APPLICATION = "teleder.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "ja"
LANGUAGES = [("ja", _("Japanese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "teleder" / "locale"]
FORMAT_MODULE_PATH = "teleder.formats"
LANGUAGE_COOKIE_NAME = "teleder_language"
TIME_ZONE = "Asia/Tokyo"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = Path(os.environ.get("TELEDER_STATIC_ROOT", BASE_DIR / "staticfiles"))
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "teleder.cases.originals.NamelessUploadHandler",
]

# --- Limits -----------------------------------------------------------------------------------------------
# Counted in Valkey for all web processes; the last two, and log-ins, in the database: they hold without Valkey.
API_REQUESTS_PER_ADDRESS_PER_MINUTE = 3000  # a clinic may be one address
API_REQUESTS_PER_PERSON_PER_MINUTE = 600
TOKENS_PER_ADDRESS_PER_MINUTE = 300
ANSWER_STEP_SECONDS = 0.25  # of doors where an address is named; a password takes a little less to check
UPLOADS_PER_PATIENT_PER_MINUTE = 30
SUBMISSIONS_PER_PATIENT_PER_HOUR = 100  # every tap on the button counts
EXPORTS_PER_PATIENT_PER_HOUR = 5
PHOTOS_PER_PATIENT_PER_DAY = 60
BYTES_PER_PATIENT_PER_DAY = 500 * 1024 * 1024
# allauth's own, counted by `attempt_counters.py`: so many per second, minute, hour or day of an address, a person (user) or what `guesses.py` names (key).
ACCOUNT_RATE_LIMITS = {
    "login": "300/m/ip",
    "login_failed": "10/15m/key,20/d/key",  # account and address, account and device, and codes of the second factor
    "login_failed_account": "30/h/key,100/d/key",
    "login_failed_address": "100/15m/ip",
    "signup": "20/m/ip,100/h/ip",
    "reset_password": "20/m/ip,3/15m/key,10/d/key",
    "reset_password_from_key": "20/m/ip",
    "reauthenticate": "10/15m/user",
    "change_password": "10/15m/user",
    "manage_email": "10/15m/user",
}
ALLAUTH_TRUSTED_PROXY_COUNT = int(BEHIND_PROXY)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "teleder",
        "OPTIONS": {
            "serializer": "teleder.security.rate_limits.JSON",
            **messaging.connection_options("cache"),
        },
    }
}

# --- People -----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "teleder.accounts.password_validation.ProductPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "web:home"
ACCOUNT_LOGOUT_REDIRECT_URL = "web:home"
ACCOUNT_ADAPTER = "teleder.security.adapter.Accounts"
ACCOUNT_USER_DISPLAY = "teleder.security.adapter.called"
ACCOUNT_FORMS = {
    "add_email": "teleder.accounts.forms.NewAddressForm",
    "confirm_email_verification_code": "teleder.accounts.forms.AddressCodeForm",
    "login": "teleder.accounts.forms.LogInForm",
    "reset_password": "teleder.accounts.forms.NewPasswordForm",
    "signup": "teleder.accounts.forms.SignUpForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = False
# Before one's own addresses change: a new password can be sent there.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
MFA_ADAPTER = "teleder.security.mfa.SecondFactors"
MFA_FORMS = {
    "activate_totp": "teleder.security.mfa.ActivateForm",
    "add_webauthn": "teleder.security.mfa.AddKeyForm",
    "edit_webauthn": "teleder.security.mfa.EditKeyForm",
    "authenticate": "teleder.security.mfa.AuthenticateForm",
    "authenticate_webauthn": "teleder.security.mfa.AuthenticateWithKeyForm",
    "reauthenticate": "teleder.security.mfa.ReauthenticateForm",
    "reauthenticate_webauthn": "teleder.security.mfa.ReauthenticateWithKeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "teleder"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # staff come by invitation, and must have a factor before all else
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = INSECURE_COOKIES

# --- Mail -------------------------------------------------------------------------------------------------
# smtp://user:password@host:port, or file:///folder for a demo; without it mail goes to standard output.
_mail = address("TELEDER_EMAIL_URL", secret("TELEDER_EMAIL_URL", "console://"))
_BACKENDS = {"smtp": "Smtp", "smtps": "Smtp", "file": "File", "console": "Console"}
if _mail.scheme not in _BACKENDS:
    raise ImproperlyConfigured(f"TELEDER_EMAIL_URL must begin with one of {', '.join(_BACKENDS)}")
EMAIL_BACKEND = f"teleder.accounts.mail_backends.{_BACKENDS[_mail.scheme]}Backend"
EMAIL_FILE_PATH = _mail.path
EMAIL_HOST, EMAIL_PORT = _mail.hostname or "localhost", _mail.port or (465 if _mail.scheme == "smtps" else 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
# On port 465 TLS begins with the first byte (RFC 8314), on any other after STARTTLS.
EMAIL_USE_SSL = _mail.scheme == "smtps" and EMAIL_PORT == 465
EMAIL_USE_TLS = _mail.scheme == "smtps" and not EMAIL_USE_SSL
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = os.environ.get("TELEDER_MAIL_FROM", "teleder <no-reply@localhost>")
AUDIT_MAIL = os.environ.get("TELEDER_AUDIT_MAIL", "")  # who keeps the head of the audit trail

# --- Safety of the pages ----------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = not INSECURE_COOKIES
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_HSTS_SECONDS = 0 if INSECURE_COOKIES else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_COOKIES
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = not INSECURE_COOKIES
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
STAFF_IDLE_MINUTES = 15
STAFF_TOKEN_HOURS = 12
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

CSRF_FAILURE_VIEW = "teleder.api.errors.csrf_failure"

# What answers programs: with problem documents, and 403 in place of a page that leads to log-in.
API_PATHS = ("/api/", "/status")

# --- API --------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "teleder.api.tokens.Tokens",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["teleder.api.parsers.LimitedJSON"],
    "DEFAULT_SCHEMA_CLASS": "teleder.api.schema.Described",
    "EXCEPTION_HANDLER": "teleder.api.errors.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {"TOKEN_TTL": timedelta(days=30), "AUTO_REFRESH": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "teleder",
    "DESCRIPTION": "Store-and-forward teledermatology for atopic dermatitis. Not a certified medical device.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "DEFAULT_GENERATOR_CLASS": "teleder.api.schema.EnglishGenerator",
    "SERVERS": [{"url": PUBLIC_URL}],
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "teleder.api.schema.as_json_schema",
        "teleder.api.schema.share_what_repeats",
    ],
    "ENUM_NAME_OVERRIDES": {
        "ConditionEnum": "contract.messages.Condition",
        "JobStateEnum": "teleder.cases.models.JobState",
        "PhotoStateEnum": "teleder.cases.models.PhotoState",
        "PhotosWantedEnum": "teleder.cases.models.PhotosWanted",
        "RejectionEnum": [reason.value for reason in messages.Reason],
        "SubmissionKindEnum": "teleder.cases.models.Kind",
        "UrgencyEnum": ["routine", "weeks_2", "days_2", "same_day", "emergency"],
    },
}

# --- Work -------------------------------------------------------------------------------------------------
# The sweeper does these in turn, each in its own transaction. A list here keeps `cases` ignorant of those above it.
SWEEP_DUTIES = [
    "teleder.pipeline.recovery.requeue_after_broker_flush",
    "teleder.pipeline.recovery.expire",
    "teleder.pipeline.dispatch.dispatch_all",
    "teleder.pipeline.ai_status.give_up_waiting_for_ai",
    "teleder.cases.reviews.release_idle_claims",
    "teleder.notifications.outbox.tell",
    "teleder.notifications.outbox.deliver",
    "teleder.privacy.erasure.tell",
    "teleder.privacy.erasure.carry_out",
    "teleder.privacy.remnants.clear",
    "teleder.privacy.tombstones.keep",
]
RECORD_INVARIANTS = [
    "teleder.cases.invariants.INVARIANTS",
    "teleder.notifications.invariants.INVARIANTS",
    "teleder.privacy.invariants.INVARIANTS",
    "teleder.audit.trail.INVARIANTS",
]
SWEEP_SECONDS = 1.0
SWEEP_HEARTBEAT = os.environ.get("TELEDER_SWEEP_HEARTBEAT")  # a file that health checks look at
AI_PATIENCE_MINUTES = 10
CLAIM_IDLE_MINUTES = 15
JOB_WINDOW = 4 * INFERENCE_SLOTS  # messages per queue that Valkey may hold
JOB_BATCH = min(int(os.environ.get("TELEDER_JOB_BATCH", "4")), messages.BATCH_LIMIT)
JOB_WAIT_SECONDS = int(
    os.environ.get("TELEDER_JOB_WAIT_SECONDS", "40")
)  # a message nobody took is lost after this
JOB_DEATHS = 3

# --- Logs -------------------------------------------------------------------------------------------------
try:
    LOGGING = logs.configuration()
except environment.BadSetting as error:
    raise ImproperlyConfigured(str(error)) from None
