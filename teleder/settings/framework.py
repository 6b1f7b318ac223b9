"""Settings of Django and its libraries. They come from the environment only; what it leaves out has a safe default."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, unquote

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from contract import encryption, logs, messages, messaging, storage
from contract.signs import SignName
from teleder import deployment
from teleder.settings import environment, limits

BASE_DIR = Path(__file__).resolve().parents[2]

# --- What the environment decides -------------------------------------------------------------------------
SECRET_KEY = environment.required("TELEDER_SECRET_KEY")
# Older ones, while the key is changed.
SECRET_KEY_FALLBACKS = environment.secret("TELEDER_SECRET_KEY_FALLBACKS").split()
DEBUG = environment.flag("TELEDER_DEBUG")
ALLOWED_HOSTS = environment.comma_separated("TELEDER_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = environment.comma_separated("TELEDER_ORIGINS")
DATABASES = {"default": environment.database_settings()}
REDIS_URL = environment.required("REDIS_URL")
environment.address("REDIS_URL", REDIS_URL)
# One proxy, which sets X-Forwarded-For and X-Forwarded-Proto; without it these headers are ignored.
BEHIND_PROXY = environment.flag("TELEDER_BEHIND_PROXY")
with environment.checked():
    PHOTO_STORAGE = storage.from_environment(default=f"file://{quote(str(BASE_DIR / 'media'))}")
# The tombstones. Neither in the database nor among the photos, so that they outlive a restore of both.
_beside_photos = getattr(PHOTO_STORAGE, "root", BASE_DIR / "media").parent
ERASED_LIST = Path(os.environ.get("TELEDER_ERASED_LIST", _beside_photos / "erased" / "list.jsonl"))
# Where `manage.py backup` keeps backups, and the age from which the newest verified one is an alarm.
BACKUP, BACKUP_HOURS = os.environ.get("TELEDER_BACKUP", ""), int(os.environ.get("TELEDER_BACKUP_HOURS", "30"))
RETENTION_BY_NIGHT = environment.flag("TELEDER_RETENTION")
with environment.checked():
    PHOTO_KEYS = encryption.from_environment()
# Prometheus shows it to read /metrics; without it there is no such page.
METRICS_TOKEN = environment.secret("TELEDER_METRICS_TOKEN", least_characters=20)
# Plain http on loopback (the demo); never elsewhere.
INSECURE_COOKIES = environment.flag("TELEDER_INSECURE_COOKIES")
STAFF_SECOND_FACTOR = environment.flag("TELEDER_STAFF_SECOND_FACTOR", default=True)
PUBLIC_URL = os.environ.get("TELEDER_PUBLIC_URL", "http://localhost:8000").rstrip("/")  # all links in mail
deployment.require_public_url(PUBLIC_URL, ALLOWED_HOSTS)
if INSECURE_COOKIES:
    deployment.require_loopback(
        ALLOWED_HOSTS, PUBLIC_URL, behind_proxy=BEHIND_PROXY, origins=CSRF_TRUSTED_ORIGINS
    )
else:
    deployment.refuse_demo_settings(
        debug=DEBUG,
        hosts=ALLOWED_HOSTS,
        secret_key=SECRET_KEY,
        public_url=PUBLIC_URL,
        second_factor=STAFF_SECOND_FACTOR,
    )
# Only this exists: AI output reaches no patient before a dermatologist signs.
INTENDED_USE = environment.one_of("TELEDER_INTENDED_USE", ["clinician_only"], "clinician_only")

# --- Django -----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "teleder.accounts",
    "teleder.security",
    "teleder.cases",
    "teleder.notifications",
    "teleder.audit",
    "teleder.privacy",
    "teleder.backups",
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
    "teleder.security.admin_site.AdminSiteConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "teleder.web.request_log.request_log",
    "teleder.security.response_time_padding.pad_response_time",
    "teleder.security.headers.headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "teleder.web.compression.PageCompressionMiddleware",
    "teleder.probes.without_cookies",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "teleder.security.headers.refuse_paths",
    "django.middleware.common.CommonMiddleware",
    "teleder.web.script_requests.script_requests",
    "teleder.api.request_bodies.limit_bodies",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "teleder.accounts.middleware.UserLanguageMiddleware",
    "teleder.web.furigana.FuriganaMiddleware",
    "teleder.accounts.middleware.UserTimeZoneMiddleware",
    "teleder.security.rate_limits.RateLimitMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "teleder.security.sessions.StaffIdleMiddleware",
    "teleder.security.devices.DeviceMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "teleder.security.mfa.SecondFactorMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "csp.middleware.CSPMiddleware",
    "teleder.audit.middleware.AuditMiddleware",
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
                "teleder.web.context.menu",
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
TIME_ZONE = "Asia/Tokyo"  # the clinic's: of its staffed hours, and of what staff read
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
DATA_UPLOAD_MAX_MEMORY_SIZE = limits.BODY_LIMIT_BYTES
FILE_UPLOAD_MAX_MEMORY_SIZE = limits.UPLOAD_MEMORY_BYTES
FILE_UPLOAD_HANDLERS = ["teleder.cases.originals.HashingUploadHandler"]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "teleder",
        "OPTIONS": {
            "serializer": "teleder.security.rate_limits.JSONSerializer",
            **messaging.connection_options("cache"),
        },
    },
    # Figures that are dear to count and may be a little old; each process has its own.
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}

# --- Accounts ---------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_VALIDATION}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_VALIDATION}.MinimumLengthValidator", "OPTIONS": {"min_length": limits.PASSWORD_CHARACTERS}},
    {"NAME": f"{_VALIDATION}.CommonPasswordValidator"},
    {"NAME": "teleder.accounts.password_validation.ProductPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "web:home"
ACCOUNT_LOGOUT_REDIRECT_URL = "web:home"
ACCOUNT_ADAPTER = "teleder.security.adapter.AccountAdapter"
ACCOUNT_USER_DISPLAY = "teleder.security.adapter.mail_name"
ACCOUNT_FORMS = {
    "add_email": "teleder.accounts.forms.NewAddressForm",
    "change_password": "teleder.accounts.forms.ChangePasswordForm",
    "confirm_email_verification_code": "teleder.accounts.forms.AddressCodeForm",
    "login": "teleder.accounts.forms.LogInForm",
    "reauthenticate": "teleder.accounts.forms.PasswordAgainForm",
    "reset_password": "teleder.accounts.forms.NewPasswordForm",
    "reset_password_from_key": "teleder.accounts.forms.PasswordFromLinkForm",
    "signup": "teleder.accounts.forms.SignUpForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
# Digits: a phone shows their keyboard, and fills them in from the mail.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_FORMAT = {"numeric": True, "dashed": False, "length": limits.CODE_DIGITS}
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS = limits.CODE_ATTEMPTS
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = limits.CODES_SENT_AGAIN
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = False
# Before a person changes their own addresses: a new password can be sent there.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_RATE_LIMITS = limits.LOGIN_RATE_LIMITS  # counted by `security/attempt_counters.py`
ALLAUTH_TRUSTED_PROXY_COUNT = int(BEHIND_PROXY)
MFA_ADAPTER = "teleder.security.mfa.MFAAdapter"
MFA_FORMS = {
    "activate_totp": "teleder.security.mfa.ActivateForm",
    "add_webauthn": "teleder.security.mfa.AddKeyForm",
    "login_webauthn": "teleder.security.mfa.LogInWithKeyForm",
    "edit_webauthn": "teleder.security.mfa.EditKeyForm",
    "authenticate": "teleder.security.mfa.AuthenticateForm",
    "authenticate_webauthn": "teleder.security.mfa.AuthenticateWithKeyForm",
    "reauthenticate": "teleder.security.mfa.ReauthenticateForm",
    "reauthenticate_webauthn": "teleder.security.mfa.ReauthenticateWithKeyForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True  # the device asks for a PIN, finger or face: two factors
MFA_RATE_LIMITS = {"webauthn_login": limits.LOGIN_RATE_LIMITS["login"]}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "teleder"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # staff are invited, and set up a factor first
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = INSECURE_COOKIES

# --- Mail -------------------------------------------------------------------------------------------------
# smtp://user:password@host:port, or file:///folder for a demo; without it mail goes to standard output.
_mail = environment.address("TELEDER_EMAIL_URL", environment.secret("TELEDER_EMAIL_URL", "console://"))
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
# Called for urgent cases and alerts, beside mail: an address (https) and the key with which calls are signed.
ON_CALL_WEBHOOK, ON_CALL_WEBHOOK_SECRET = environment.webhook("TELEDER_ON_CALL_WEBHOOK")
# Of a service outside that calls people when nothing has reached this address for some minutes.
DEAD_MAN_URL = environment.outgoing("TELEDER_DEAD_MAN_URL")
# Mailed by `manage.py watch` when a process does not respond; it asks the web at this address.
WATCH_MAIL = environment.comma_separated("TELEDER_WATCH_MAIL")
WATCH_URL = os.environ.get("TELEDER_WATCH_URL", PUBLIC_URL).rstrip("/")
WATCH_HOST = ALLOWED_HOSTS[0]
AUDIT_MAIL = os.environ.get("TELEDER_AUDIT_MAIL", "")  # receives the head of the audit log

# --- Security of the pages --------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = not INSECURE_COOKIES
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_HSTS_SECONDS = 0 if INSECURE_COOKIES else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_COOKIES
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = not INSECURE_COOKIES
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = limits.SESSION_HOURS * 3600
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
# Paths for programs: errors are problem documents, and a missing log-in is a 403 instead of a redirect.
API_PATHS = ("/api/", "/status")

# --- API --------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "teleder.api.tokens.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["teleder.api.parsers.LimitedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "teleder.api.schema.EndpointSchema",
    "EXCEPTION_HANDLER": "teleder.api.errors.handle",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {"TOKEN_TTL": timedelta(days=limits.PATIENT_TOKEN_DAYS), "AUTO_REFRESH": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "teleder",
    "DESCRIPTION": "Store-and-forward teledermatology for atopic dermatitis. Not a certified medical device.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
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
        "ImpressionEnum": "teleder.cases.models.Impression",
        "JobStateEnum": "teleder.cases.models.JobState",
        "PhotoStateEnum": "teleder.cases.models.PhotoState",
        # The state of what is made on demand, as clients know it from the distances.
        "PhotoDistancesStateEnum": ["not_asked", "waiting", "failed", "done"],
        "PhotosWantedEnum": "teleder.cases.models.PhotosWanted",
        "SnoozeReasonEnum": "teleder.cases.models.SnoozeReason",
        "RelationEnum": "teleder.accounts.models.Relation",
        "RejectionEnum": [reason.value for reason in messages.Reason],
        "SignNameEnum": [name.value for name in SignName],
        "SubmissionKindEnum": "teleder.cases.models.Kind",
        "UrgencyEnum": ["routine", "weeks_2", "days_2", "same_day", "emergency"],
    },
}

# --- Logs -------------------------------------------------------------------------------------------------
with environment.checked():
    LOGGING = logs.configuration()
