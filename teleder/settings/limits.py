"""The product's limits and times, each with its unit in its name.

How long texts may be stands beside their fields; how long data is kept stands in `privacy/policies/`.
"""

from __future__ import annotations

import os

from contract import messages
from teleder.settings.environment import base_rates, one_of

# --- Requests ---------------------------------------------------------------------------------------------
# Counted in Valkey for all web processes. A full window is answered with 429 and the time to wait.
API_REQUESTS_PER_ADDRESS_PER_MINUTE = 3000  # a clinic may be one address
API_REQUESTS_PER_PERSON_PER_MINUTE = 600
TOKENS_PER_ADDRESS_PER_MINUTE = 300
UPLOADS_PER_PATIENT_PER_MINUTE = 30
SUBMISSIONS_PER_PATIENT_PER_HOUR = 100  # every tap on the button counts
EXPORTS_PER_PATIENT_PER_HOUR = 5
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
}
PASSWORD_CHARACTERS = 10
SESSION_HOURS = 12
STAFF_IDLE_MINUTES = 15
STAFF_TOKEN_HOURS = 12
PATIENT_TOKEN_DAYS = 30

# --- Photos -----------------------------------------------------------------------------------------------
BODY_LIMIT_BYTES = 1024 * 1024  # of any other request body, and what an upload may hold in memory
# Counted in the database.
PHOTOS_PER_PATIENT_PER_DAY = 60
BYTES_PER_PATIENT_PER_DAY = 500 * 1024 * 1024
CHECK_PATIENCE_SECONDS = 6  # then the page says only that the photo arrived,
CHECK_POLL_SECONDS = 60  # and shows a later advice for so long

# --- What the AI says ---------------------------------------------------------------------------------------
# How many of 100 cases of a clinic like this have each condition, as shares. Assumed, not measured: set the clinic's own.
BASE_RATES = base_rates("TELEDER_BASE_RATES", "HI=0.02,IM=0.02,MF=0.0001")
# When a dermatologist sees it: once they have chosen an impression (or asked to see it first), always, or after signing.
AI_OPINION = one_of("TELEDER_AI_OPINION", ("after_look", "always", "blind"), "after_look")
SIGNED_CASES_TO_NAME = 30  # of each class, before a clinic's own model names a condition

# --- Work -------------------------------------------------------------------------------------------------
SWEEP_SECONDS = 1.0
SWEEP_SELDOM_ROUNDS = 5
AI_PATIENCE_MINUTES = 10  # then the case says "AI unavailable"
DISTANCE_PATIENCE_MINUTES = 10  # then a distance report goes although photos wait, one for each slot
CLAIM_IDLE_MINUTES = 15  # then a claim is released
INFERENCE_SLOTS = int(os.environ.get("TELEDER_INFERENCE_SLOTS", "1"))  # worker processes per inference queue
JOB_WINDOW = 4 * INFERENCE_SLOTS  # messages per queue that Valkey may hold
JOB_BATCH = min(int(os.environ.get("TELEDER_JOB_BATCH", "4")), messages.BATCH_LIMIT)  # photos in one message
JOB_WAIT_SECONDS = int(os.environ.get("TELEDER_JOB_WAIT_SECONDS", "40"))  # then an untaken message is lost
JOB_DEATHS = 3  # worker crashes after which a job is given up
