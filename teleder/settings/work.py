"""What the sweeper does in each round, and the checks over the record."""

from __future__ import annotations

import os

# The sweeper runs these in turn, each in its own transaction. Listed here, so that `cases` imports no layer above it.
SWEEP_DUTIES = [
    "teleder.pipeline.heartbeats.ask_workers",
    "teleder.cases.held.send_due",
    "teleder.pipeline.recovery.requeue_after_broker_flush",
    "teleder.pipeline.recovery.replace_older_stages",
    "teleder.pipeline.recovery.expire",
    "teleder.pipeline.broker.drop_ended_messages",
    "teleder.pipeline.mending.mend",
    "teleder.pipeline.dispatch.dispatch_all",
    "teleder.pipeline.ai_status.give_up_waiting_for_ai",
    "teleder.cases.reviews.release_idle_claims",
    "teleder.accounts.licences.tell",
    "teleder.cases.board_samples.take",
    "teleder.notifications.reminders.remind",
    "teleder.notifications.outbox.queue_messages",
    "teleder.notifications.on_call.tell_on_call",
    "teleder.notifications.on_call.warn_of_due_times",
    "teleder.notifications.outbox.deliver",
    "teleder.pipeline.heartbeats.miss_watch",
    "teleder.notifications.reconcile.tell_of_damaged_originals",
    "teleder.web.operations.alerting.look",
    "teleder.notifications.alerts.say_all_is_well",
    "teleder.notifications.alerts.tell_alerts",
    "teleder.privacy.erasure.notify_people",
    "teleder.privacy.erasure.carry_out",
    "teleder.privacy.remnants.clear",
    "teleder.privacy.tombstones.write_list",
]
# Of these, what waits for minutes or days: done in every `SWEEP_SELDOM_ROUNDS`th round.
SWEEP_SELDOM = {
    "teleder.pipeline.recovery.replace_older_stages",
    "teleder.pipeline.ai_status.give_up_waiting_for_ai",
    "teleder.cases.reviews.release_idle_claims",
    "teleder.accounts.licences.tell",
    "teleder.notifications.reminders.remind",
    "teleder.web.operations.alerting.look",
    "teleder.notifications.alerts.say_all_is_well",
    "teleder.privacy.erasure.notify_people",
    "teleder.privacy.erasure.carry_out",
    "teleder.privacy.remnants.clear",
}
# After each round in which no duty's last run had failed.
SWEEP_SIGN_OF_LIFE = "teleder.notifications.webhook.ping"
RECORD_INVARIANTS = [
    "teleder.cases.invariants.INVARIANTS",
    "teleder.cases.file_checks.INVARIANTS",
    "teleder.notifications.invariants.INVARIANTS",
    "teleder.privacy.invariants.INVARIANTS",
    "teleder.audit.entries.INVARIANTS",
]
# These read every stored file, which takes hours where there are many: not each night.
READING_INVARIANTS = ["teleder.cases.file_checks.READING"]
# Files that health checks look at.
SWEEP_HEARTBEAT = os.environ.get("TELEDER_SWEEP_HEARTBEAT")
WATCH_HEARTBEAT = os.environ.get("TELEDER_WATCH_HEARTBEAT")
