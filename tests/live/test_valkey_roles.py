"""What each role may do in the real Valkey, and what it is refused."""

from __future__ import annotations

import os
import pickle
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from celery import Celery
from kombu import Connection
from kombu.transport import redis as transport

from contract import heartbeat, messages, messaging
from contract.messages import Stage
from local import valkey
from teleder.cases.models import Job, JobState
from teleder.notifications.models import Alert
from teleder.notifications.runbook import AlertKind
from teleder.pipeline import broker, dispatch, recovery
from teleder.security import rate_limits
from teleder.web.operations import alerting
from tests.live.conftest import refused_by, wait_until

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("WEB_REDIS_URL" not in os.environ, reason="an external Valkey has no roles"),
]

INFERENCE, RESULTS, CACHE, MARK = (
    "inference.prepare",
    messages.RESULTS_QUEUE,
    "teleder:1:limit",
    broker.BROKER_MARK,
)
READ_QUEUE = [
    ("BRPOP", "1"),
    ("RPOP",),
    ("LPOP",),
    ("LRANGE", "0", "-1"),
    ("LINDEX", "0"),
    ("LREM", "0", "x"),
]
# Refused to every role: flush it, read settings and key names, subscribe, run scripts, grant rights.
FORBIDDEN_TO_ALL = [
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("KEYS", "*"),
    ("RANDOMKEY",),
    ("CONFIG", "GET", "*"),
    ("CONFIG", "SET", "dir", "/tmp"),
    ("SUBSCRIBE", "anything"),
    ("PSUBSCRIBE", "*"),
    ("PUBLISH", "/0.celery.pidbox", "{}"),
    ("EVAL", "return 1", "0"),
    ("SCRIPT", "LOAD", "return 1"),
    ("FUNCTION", "LIST"),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "default", "on", "nopass", "allkeys", "+@all"),
    ("ACL", "WHOAMI"),
    ("CLIENT", "LIST"),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("MONITOR",),
    ("SHUTDOWN",),
    ("REPLICAOF", "127.0.0.1", "6379"),
    ("MODULE", "LIST"),
    ("SAVE",),
    ("INFO",),
    ("SWAPDB", "0", "1"),
    ("SADD", "_kombu.binding.results", "anything"),
    ("GET", "somebody's"),
    ("SET", "somebody's", "x"),
    ("COPY", RESULTS, INFERENCE),
    ("RENAME", RESULTS, INFERENCE),
    ("RPOPLPUSH", RESULTS, INFERENCE),
    ("LMOVE", RESULTS, INFERENCE, "LEFT", "LEFT"),
    ("SORT", RESULTS),
    ("DUMP", RESULTS),
    ("TYPE", RESULTS),
    ("OBJECT", "ENCODING", RESULTS),
]


def on(key: str, *commands: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Insert the key as the first argument of each command."""
    return [(name, key, *rest) for name, *rest in commands]


TAKEN = [("HGETALL",), ("HGET", "tag"), ("HSET", "tag", "x"), ("HDEL", "tag"), ("HSCAN", "0"), ("DEL",)]
REFUSED = {
    "worker": [
        *on(
            RESULTS,
            *READ_QUEUE,
            ("DEL",),
            ("RPUSH", "x"),
            ("LSET", "0", "x"),
            ("EXPIRE", "1"),
            ("LTRIM", "1", "0"),
        ),
        *on(f"{RESULTS}\x06\x163", *READ_QUEUE),
        *on(CACHE, ("GET",), ("SET", "x"), ("DEL",), ("EXISTS",), ("INCRBY", "1"), ("MGET",)),
        *on(MARK, ("SET", "1"), ("DEL",), ("EXISTS",)),
        *on("unacked.results", *TAKEN),
        *on("unacked.results.index", ("ZRANGE", "0", "-1"), ("ZREM", "tag"), ("ZADD", "0", "tag")),
        *on(INFERENCE, ("LRANGE", "0", "-1"), ("DEL",)),
        ("SCAN", "0"),
        # The right to one key does not include another.
        ("BRPOP", INFERENCE, RESULTS, "1"),
        ("DEL", "unacked.worker.mutex", RESULTS),
    ],
    "results": [
        *on(INFERENCE, *READ_QUEUE, ("DEL",), ("RPUSH", "x")),
        *on(RESULTS, ("LRANGE", "0", "-1"), ("DEL",)),
        *on(CACHE, ("GET",), ("SET", "x"), ("DEL",)),
        *on(MARK, ("SET", "1"), ("DEL",)),
        *on("unacked.worker", *TAKEN),
        ("SCAN", "0"),
        ("BRPOP", RESULTS, INFERENCE, "1"),
    ],
    "web": [
        *on(INFERENCE, *READ_QUEUE, ("DEL",), ("RPUSH", "x")),
        *on(RESULTS, *READ_QUEUE, ("LPUSH", "x"), ("RPUSH", "x"), ("DEL",)),
        *on(MARK, ("SET", "1"), ("DEL",)),
        *on("unacked.worker", *TAKEN),
        *on("unacked.results", *TAKEN),
        ("SCAN", "0"),
        ("MGET", CACHE, MARK),
    ],
    "sweeper": [
        *on(INFERENCE, ("BRPOP", "1"), ("RPOP",), ("DEL",), ("RPUSH", "x")),
        *on(RESULTS, ("BRPOP", "1"), ("RPOP",), ("LPUSH", "x"), ("DEL",)),
        *on("unacked.worker", ("HSET", "tag", "x"), ("HGETALL",), ("DEL",)),
        *on(MARK, ("DEL",), ("GET",)),
        *on(CACHE, ("GET",), ("SET", "x"), ("INCRBY", "1")),
    ],
    "beat": [
        *on(INFERENCE, *READ_QUEUE, ("LPUSH", "x"), ("LLEN",)),
        *on(RESULTS, *READ_QUEUE, ("LLEN",)),
        *on(CACHE, ("GET",), ("SET", "x"), ("DEL",)),
        *on("unacked.results", *TAKEN),
        ("SCAN", "0"),
    ],
}


def client_of(role: str) -> redis.Redis:
    return redis.Redis.from_url(os.environ[valkey.variable(role)], retry=None)


@pytest.fixture
def refusals(settings) -> Callable[[], list[str]]:
    """Return what Valkey refused since the test began."""
    admin = redis.Redis.from_url(settings.REDIS_URL)
    admin.acl_log_reset()
    return lambda: refused_by(admin)


def named(command: tuple[str, ...]) -> str:
    return " ".join(command).replace("\x06\x16", "~")


@pytest.mark.parametrize(
    ("role", "command"),
    [(role, command) for role in valkey.ROLES for command in [*FORBIDDEN_TO_ALL, *REFUSED[role]]],
    ids=lambda value: value if isinstance(value, str) else named(value),
)
def test_a_role_is_refused_commands_that_it_does_not_need(role, command):
    with pytest.raises(redis.exceptions.NoPermissionError):
        client_of(role).execute_command(*command)


def test_a_client_without_a_password_is_refused_everything(settings):
    address = settings.REDIS_URL
    without = f"redis://{address.rpartition('@')[2]}"
    for url in (without, without.replace("//", "//:guess@"), without.replace("//", "//worker:guess@")):
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis.from_url(url, retry=None).ping()


def test_the_rules_give_no_role_a_dangerous_command(settings):
    """This includes commands that are not in the list above."""
    admin = redis.Redis.from_url(settings.REDIS_URL)
    kept_away = {"admin", "dangerous", "scripting", "pubsub"}
    dangerous = {name.lower() for each in kept_away for name in admin.acl_cat(each)}
    lines = {line.split()[1]: line for line in admin.acl_list()}
    assert set(lines) == {*valkey.ROLES, valkey.ADMIN, "default"}
    assert " off " in lines["default"] and "+" not in lines["default"]
    for role in valkey.ROLES:
        words = re.findall(r"[^\s()]+", lines[role])
        given = {word.removeprefix("+") for word in words if word.startswith("+")}
        assert "ping" in given and not given & dangerous and not [word for word in given if "@" in word]
        assert not {"nopass", "allkeys", "allchannels", "~*"} & set(words)
        assert not [word for word in words if word.startswith("&")]
        keys = {word for word in words if word.startswith(("~", "%"))}
        assert [key for key in keys if not key.endswith("*")] in ([], [f"~{MARK}"])


# --- The product's own code in its role -------------------------------------------------------------------
@pytest.fixture
def as_role(settings, monkeypatch) -> Callable[[str], None]:
    from teleder.celery import app

    def become(role: str) -> None:
        url = os.environ[valkey.variable(role)]
        settings.REDIS_URL = url
        settings.CACHES = settings.CACHES | {"default": settings.CACHES["default"] | {"LOCATION": url}}
        monkeypatch.setattr(app.conf, "broker_url", url)
        for holder, name in ((app, "_pool"), (app.amqp, "_producer_pool")):
            monkeypatch.setattr(holder, name, None)

    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    return become


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["web", "sweeper", "results"])
def test_roles_that_dispatch_may_send(role, as_role, refusals, alices_draft):
    as_role(role)
    assert dispatch.dispatch_all() == 1
    assert Job.objects.get().state == JobState.SENT
    assert refusals() == []


def test_the_web_may_count_requests(as_role, refusals):
    as_role("web")
    counted = (rate_limits.UPLOADS, "alice"), (rate_limits.PERSON, "alice")
    for number in (1, 2, 3):
        assert [usage.used for usage in rate_limits.count_request(*counted)] == [number, number]
    assert refusals() == []


@pytest.mark.django_db
def test_the_sweeper_detects_a_broker_flush_and_removes_erased_people(
    as_role, refusals, settings, alices_draft
):
    photo, admin = str(alices_draft.photos.get().pk), redis.Redis.from_url(settings.REDIS_URL)
    admin.set(f"teleder:1:limit:{photo}", 1)
    as_role("sweeper")
    recovery.requeue_after_broker_flush()
    assert dispatch.dispatch_all() == 1
    [raw] = [raw for key in messaging.lists_of(INFERENCE).values() for raw in admin.lrange(key, 0, -1)]
    for keys in messaging.UNACKNOWLEDGED.values():
        admin.hset(keys["unacked_key"], "tag", b"[" + raw + b', "", "inference.prepare"]')
        admin.zadd(keys["unacked_index_key"], {"tag": 1})
    admin.lpush(RESULTS, raw)
    assert broker.forget_messages([photo]) == 4
    assert rate_limits.delete_keys_naming([photo]) == 1
    assert admin.keys() == [MARK.encode()]
    assert refusals() == []


@pytest.mark.django_db
def test_the_sweeper_sees_the_broker_that_the_board_sees(as_role, refusals, person):
    """The sweeper compares the board with the alerts: what it may not ask would look like a broker that is away."""
    person("adam", "admin")
    as_role("sweeper")
    alerting.look()
    assert not Alert.objects.filter(kind=AlertKind.BROKER).exists()
    assert refusals() == []


# --- Real workers in their roles --------------------------------------------------------------------------
@pytest.fixture
def workers(process, transactional_db, environment, tmp_path) -> dict[str, Path]:
    """Start both kinds of worker; return where each writes its log. Its heartbeat is beside it."""
    logs = {}
    for name in ("results", "prepare"):
        environment[heartbeat.NAME] = str(tmp_path / f"{name}-heartbeat")
        logs[name] = tmp_path / f"{name}-{len(logs)}.log"
        process(name)
    wait_until(lambda: all(" ready." in log.read_text() for log in logs.values()))
    return logs


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


FORBIDDEN = {
    "application/x-python-serialize": lambda ran: pickle.dumps(((Payload(ran),), {}, {})),
    "application/x-yaml": lambda ran: f"!!python/object/apply:os.mkdir ['{ran}']".encode(),
    "application/x-msgpack": lambda ran: b"\x93\x90\x80\x80",
}


def test_only_json_is_read_from_a_queue(workers, settings, tmp_path):
    """Unpickling runs code: a compromised worker could control the process with access to the database."""
    ran, targets = tmp_path / "ran", {RESULTS: messages.STARTED, INFERENCE: messages.TASKS[Stage.PREPARE]}
    with Connection(settings.REDIS_URL) as connection:
        for queue, task in targets.items():
            for number, (content_type, body) in enumerate(FORBIDDEN.items()):
                for headers in ({"task": task, "id": f"id-{number}"}, {}):
                    connection.Producer().publish(
                        body(ran),
                        routing_key=queue,
                        content_type=content_type,
                        content_encoding="binary",
                        headers={"lang": "py", **headers},
                    )
    admin = redis.Redis.from_url(settings.REDIS_URL)
    wait_until(lambda: not any(admin.llen(queue) for queue in targets), seconds=30)
    wait_until(
        lambda: not any(admin.exists(keys["unacked_key"]) for keys in messaging.UNACKNOWLEDGED.values())
    )
    assert not ran.exists()
    for log in workers.values():
        assert log.read_text().count("  ContentDisallowed\n") == 2 * len(FORBIDDEN)


def test_no_role_can_stop_a_worker_through_valkey(workers, settings, tmp_path):
    """Celery's remote control is one right: a role that may ask for a worker's status may also shut it down."""
    from inference_worker.app import app as inference
    from teleder.celery import app as web

    for app in (inference, web):
        with Connection(settings.REDIS_URL) as connection:  # an admin may publish
            assert app.control.inspect(timeout=2, connection=connection).ping() is None
            app.control.shutdown(connection=connection)
    time.sleep(3)
    beating = {name: tmp_path / f"{name}-heartbeat" for name in workers}
    wait_until(lambda: all(file.exists() for file in beating.values()))
    then = time.time()
    wait_until(lambda: all(file.stat().st_mtime > then for file in beating.values()), seconds=30)


def test_a_worker_with_a_stalled_loop_shows_no_heartbeat(process, transactional_db, environment, tmp_path):
    environment[heartbeat.NAME] = str(tmp_path / "heartbeat")
    worker = process("results")
    wait_until((tmp_path / "heartbeat").exists)
    os.kill(worker.pid, signal.SIGSTOP)
    then = time.time()
    time.sleep(heartbeat.SECONDS * 1.5)
    assert (tmp_path / "heartbeat").stat().st_mtime < then
    os.kill(worker.pid, signal.SIGCONT)
    wait_until(lambda: (tmp_path / "heartbeat").stat().st_mtime > then, seconds=30)


NO_MESSAGES = [
    b"",
    b"no json",
    b"\xff\xfe\x00",
    b"[]",
    b"null",
    b"17",
    b"{}",
    b'{"properties": {}}',
    b'{"properties": null, "body": "e30="}',
    b'{"properties": {"delivery_tag": []}, "body": "e30="}',
    b'{"properties": {"delivery_tag": "t", "delivery_info": null}, "headers": {}, "body": "e30="}',
    b'{"properties": {"delivery_tag": "t", "delivery_info": {}}, "headers": null, "body": "e30="}',
    b'{"properties": {"delivery_tag": "t", "delivery_info": {"exchange": [], "routing_key": 1}}, "body": "%"}',
    b"[" * 100_000,
    b'{"properties": {"delivery_tag": "u", "delivery_info": {"exchange": "", "routing_key": "x"}}, "headers": '
    b'{"task": ["no name"]}, "content-type": "application/json", "content-encoding": "utf-8", "body": "[]"}',
]


def test_text_that_is_not_a_message_stops_no_worker(workers, settings):
    """A compromised worker used to be able to end the results worker with any text that is not JSON."""
    admin, logs = redis.Redis.from_url(settings.REDIS_URL), list(workers.values())
    for queue in (RESULTS, INFERENCE):
        admin.lpush(queue, *NO_MESSAGES)
    wait_until(lambda: not admin.exists(RESULTS, INFERENCE), seconds=60)
    keys = [keys["unacked_key"] for keys in messaging.UNACKNOWLEDGED.values()]
    wait_until(lambda: not admin.exists(*keys), seconds=30)
    for queue, task in ((RESULTS, messages.STARTED), (INFERENCE, messages.TASKS[Stage.PREPARE])):
        Celery(broker=settings.REDIS_URL).send_task(task, kwargs={"no": "argument"}, queue=queue)
    wait_until(lambda: all("TypeError" in log.read_text().rpartition("no message")[2] for log in logs), 60)
    assert not [log for log in logs if "Unrecoverable" in log.read_text()]


def test_the_next_worker_requeues_the_messages_of_a_killed_one(process, transactional_db, settings, tmp_path):
    admin, keys = redis.Redis.from_url(settings.REDIS_URL), messaging.UNACKNOWLEDGED["results"]
    Celery(broker=settings.REDIS_URL).send_task(messages.STARTED, kwargs={"no": "argument"}, queue="waits")
    raw = admin.rpop("waits").decode().replace('"waits"', f'"{RESULTS}"')
    admin.delete(*admin.keys("_kombu*"))
    admin.hset(keys["unacked_key"], "tag", f'[{raw}, "", "{RESULTS}"]')
    admin.zadd(keys["unacked_index_key"], {"tag": 1})  # long ago
    process("results")
    wait_until(
        lambda: (
            f"refused: {messages.STARTED}"
            in "".join(log.read_text() for log in tmp_path.glob("results-*.log"))
        )
    )
    wait_until(lambda: not admin.exists(*keys.values()))


def test_kombus_lock_is_held_by_one_and_released(settings):
    admin, name = (
        redis.Redis.from_url(settings.REDIS_URL),
        messaging.UNACKNOWLEDGED["worker"]["unacked_mutex_key"],
    )
    with transport.Mutex(admin, name, 30):
        assert 0 < admin.ttl(name) <= 30
        with pytest.raises(transport.MutexHeld), transport.Mutex(admin, name, 30):
            pass
        assert admin.exists(name)
    assert not admin.exists(name)
