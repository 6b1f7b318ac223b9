"""The product's limits and times, each with its unit in its name.

How long texts may be stands beside their fields; how long data is kept stands in `privacy/policies/`.
"""

from __future__ import annotations

import os

from contract import environment, messages
from teleder.settings.environment import base_rates, checked, hours, one_of

# --- Requests ---------------------------------------------------------------------------------------------
# Counted in Valkey for all web processes. A full window is answered with 429 and the time to wait.
API_REQUESTS_PER_ADDRESS_PER_MINUTE = 3000  # a clinic may be one address
API_REQUESTS_PER_PERSON_PER_MINUTE = 600
TOKENS_PER_ADDRESS_PER_MINUTE = 300
UPLOADS_PER_PATIENT_PER_MINUTE = 30
SUBMISSIONS_PER_PATIENT_PER_HOUR = 100  # every tap on the button counts
EXPORTS_PER_PATIENT_PER_HOUR = 5
SHARED_PAGES_PER_ADDRESS_PER_MINUTE = 60  # of share links, with their photos
DOCUMENTS_PER_PATIENT_PER_HOUR = 60  # each PDF takes a tenth of a second
# Responses that could tell who has an account leave at multiples of this; checking a password takes a little less.
ANSWER_STEP_SECONDS = 0.25

# --- Log-in -----------------------------------------------------------------------------------------------
# Counted in the database, so they hold without Valkey: per second, minute, hour or day of a network address (ip), a
# person (user), or a key that `security/login_throttling.py` computes.
LOGIN_RATE_LIMITS = {
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
    "confirm_email": "1/10s/key,10/h/key",  # codes by mail to one address
    # Wrong codes: for one address, whoever types them, and from one network address for any.
    "wrong_code": "9/h/key,15/d/key",
    "wrong_code_address": "60/h/ip",
}
CODE_DIGITS = 6
CODES_SENT_AGAIN = 3  # in one sign-up
CODE_ATTEMPTS = 3  # then the code no longer works
PASSWORD_CHARACTERS = 10
SESSION_HOURS = 12
STAFF_IDLE_MINUTES = 15
STAFF_TOKEN_HOURS = 12
PATIENT_TOKEN_DAYS = 30

# --- Children ---------------------------------------------------------------------------------------------
# From this age on a person consents and asks alone; before it, a guardian does. The age of majority in Japan.
AGE_OF_CONSENT_YEARS = int(os.environ.get("TELEDER_AGE_OF_CONSENT_YEARS", "18"))

# --- Photos -----------------------------------------------------------------------------------------------
BODY_LIMIT_BYTES = 1024 * 1024  # of any other request body
UPLOAD_MEMORY_BYTES = 4 * 1024 * 1024  # of a photo; the rest waits in a file
# Counted in the database.
PHOTOS_PER_PATIENT_PER_DAY = 60
BYTES_PER_PATIENT_PER_DAY = 500 * 1024 * 1024
CHECK_PATIENCE_SECONDS = 6  # then the page says only that the photo arrived,
CHECK_POLL_SECONDS = 60  # and shows a later advice for so long
PHOTO_CACHE_MINUTES = 15  # in the browser of who may see it; the time after which idle staff are logged out

# --- What the AI says ---------------------------------------------------------------------------------------
# How many of 100 cases of a clinic like this have each condition, as shares. Assumed, not measured: set the clinic's own.
BASE_RATES = base_rates("TELEDER_BASE_RATES", "HI=0.02,IM=0.02,MF=0.0001")
# When a dermatologist sees it: once they have chosen an impression (or asked to see it first), always, after signing the
# answer, or once they have signed their own impression. A clinic may choose another rule (reading study page).
AI_OPINION = one_of("TELEDER_AI_OPINION", ("after_look", "always", "blind", "study"), "after_look")
SIGNED_CASES_TO_NAME = 30  # of each class, before a clinic's own model names a condition

# --- Work -------------------------------------------------------------------------------------------------
SWEEP_SECONDS = 1.0
SWEEP_SELDOM_ROUNDS = 5
AI_PATIENCE_MINUTES = 10  # then the case says "AI unavailable"
DISTANCE_PATIENCE_MINUTES = 10  # then a distance report goes although photos wait, one for each slot
# On working days in Japan, or "always": the promised times of answers count these hours only.
STAFFED_HOURS = hours("TELEDER_STAFFED_HOURS", "09:00-18:00")
QUESTION_REPLY_MINUTES = 2 * 24 * 60  # of staffed time, in which each full day is a working day
HOLD_SECONDS = int(
    os.environ.get("TELEDER_HOLD_SECONDS", "60")
)  # from signing an answer to its sending; 0: at once
ON_CALL_MINUTES = 10  # then those on call are told again of an urgent case that nobody has acknowledged
SEEN_TO_MINUTES = 10  # who said to see to it has so long to claim it; then it is announced and told again
ANNOUNCE_MINUTES = 2  # then open pages announce it again
# Of alerts: a fault that stands for so long is told, and again while nobody sees to it.
ALERT_TELL_SECONDS, ALERT_REPEAT_MINUTES = 20, 30
ALERT_QUIET_MINUTES = 10  # after its end; one that came again is told of after ALERT_REPEAT_MINUTES
ALERT_SAME_MINUTES = 60  # what begins again within so long is the same alert
CLAIM_IDLE_MINUTES = 15  # then a claim is released
# Worker processes per inference queue: those of one machine, unless told of more.
with checked():
    INFERENCE_SLOTS = int(
        os.environ.get("TELEDER_INFERENCE_SLOTS") or environment.workers() * environment.inference_processes()
    )
JOB_WINDOW = (
    2 * INFERENCE_SLOTS
)  # messages of a queue: for each process one that it works on and one that waits
JOB_BATCH = min(int(os.environ.get("TELEDER_JOB_BATCH", "5")), messages.BATCH_LIMIT)  # photos in one message
JOB_WAIT_SECONDS = int(os.environ.get("TELEDER_JOB_WAIT_SECONDS", "40"))  # then an untaken message is lost
JOB_DEATHS = 3  # worker crashes after which a job is given up
