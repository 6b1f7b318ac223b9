"""docker-compose.yml runs what `./run demo` runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from contract import heartbeat, messages
from contract.messages import Stage
from local import servers, valkey
from local.processes import COMMANDS, SIGNS, VALKEY_ROLES
from local.processes import WORKERS as LOCAL_WORKERS

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OF_THE_INFERENCE = {
    "prepare": [Stage.PREPARE, Stage.FULL],  # by no network
    "analyse": [Stage.ANALYSE, Stage.CHECK, Stage.REANALYSE],  # by the same networks
    "distance": [Stage.DISTANCE],
}


def supervised(name: str) -> tuple[list[str], str]:
    """Return what a service's supervisor is told, and the command that it runs."""
    supervisor, command = SERVICES[name]["command"].split(" -- ")
    module = "python -m contract.supervise "
    assert supervisor.startswith(module)
    return supervisor.removeprefix(module).split(), command


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"inference"}))  # compose divides that one
def test_each_process_runs_the_same_command(name):
    address = {"web": " --host 0.0.0.0 --port 8000"}
    assert supervised(name)[1] == COMMANDS[name] + address.get(name, "")


@pytest.mark.parametrize("name", sorted(OF_THE_INFERENCE))
def test_each_queue_has_a_worker(name):
    queues = ",".join(messages.QUEUES[stage] for stage in OF_THE_INFERENCE[name])
    like = COMMANDS["inference" if name == "analyse" else "prepare"]  # the others have one child each
    ours = re.sub(r"-n \S+ -Q \S+", f"-n {name}@%h -Q {queues}", like)
    assert supervised(name)[1] == ours


def test_no_queue_is_without_a_worker():
    assert sorted(stage for own in OF_THE_INFERENCE.values() for stage in own) == sorted(Stage)


def test_every_long_running_service_has_a_health_check():
    assert [name for name, row in SERVICES.items() if "healthcheck" not in row and name != "migrate"] == []


def test_workers_have_no_database_password():
    for name in OF_THE_INFERENCE:
        assert not {"DATABASE_URL", "POSTGRES_PASSWORD"} & set(SERVICES[name]["environment"])
        assert "env_file" not in SERVICES[name]


def test_the_web_image_has_no_torch():
    lock = (ROOT / "requirements-web.lock").read_text()
    assert not re.search(r"^(torch|torchvision|opencv|pillow|timm)", lock, re.MULTILINE)
    assert "torch" not in (ROOT / "docker" / "web.Dockerfile").read_text().split("FROM", 1)[1]


@pytest.mark.parametrize(
    ("image", "packages"),
    [("web", {"contract", "teleder"}), ("worker", {"contract", "decoding", "inference_worker"})],
)
def test_an_image_contains_only_its_own_complete_packages(image, packages):
    lines = (ROOT / "docker" / f"{image}.Dockerfile").read_text().splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ")}
    assert {name for name in copied if (ROOT / name).is_dir()} == packages
    assert not [name for name in copied if name.endswith(".py") and name != "manage.py"]


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - set(LOCAL_WORKERS)))
def test_no_long_running_service_knows_the_owner_of_the_tables(name):
    variables = SERVICES[name]["environment"]
    assert variables["DATABASE_URL"].startswith("postgresql://teleder_web:")
    assert (variables["POSTGRES_PASSWORD"], variables["DATABASE_DIRECT_URL"]) == ("", "")


SECRET = re.compile(r"KEY|PASSWORD|SECRET|TOKEN|DATABASE_URL|DIRECT_URL|REDIS_URL|EMAIL_URL")


@pytest.mark.parametrize("file", sorted((ROOT / "docker").glob("*.Dockerfile")), ids=lambda file: file.stem)
def test_no_image_contains_a_secret(file):
    lines = re.sub(r"\\\n", " ", file.read_text()).splitlines()
    kept = [line for line in lines if line.startswith(("ENV ", "ARG ", "LABEL "))]
    assert kept and not [line for line in kept if SECRET.search(line)]
    copied = [word for line in lines if line.startswith(("COPY ", "ADD ")) for word in line.split()[1:-1]]
    assert copied and not {".", "./", "*", ".env", "media"} & {word.rstrip("/") or "." for word in copied}
    assert not [word for word in copied if ".env" in word or ".teleder" in word]


def test_the_compose_file_contains_no_secret():
    databases = {f"postgresql://{role}:@postgres:5432/teleder" for role in ("teleder", "teleder_web")}
    without = {""} | databases | {f"redis://{role}:@valkey:6379/0" for role in valkey.ROLES}
    for name, row in SERVICES.items():
        for key, value in row.get("environment", {}).items():
            held = re.sub(r"\$\{[^}]*\}", "", str(value))
            assert not SECRET.search(key) or held in without, f"{name}: {key}"


# --- Valkey and networks ----------------------------------------------------------------------------------
WORKERS = sorted(OF_THE_INFERENCE)
PASSWORDS = [f"VALKEY_{role.upper()}_PASSWORD" for role in valkey.ROLES]
WEB_SIDE = sorted(set(COMMANDS) - set(LOCAL_WORKERS))


@pytest.mark.parametrize("name", [*WEB_SIDE, *WORKERS, "migrate"])
def test_each_process_knows_only_its_own_valkey_role(name):
    variables = SERVICES[name]["environment"]
    role = VALKEY_ROLES.get(name, "worker" if name in WORKERS else "web")
    assert variables["REDIS_URL"] == f"redis://{role}:${{VALKEY_{role.upper()}_PASSWORD}}@valkey:6379/0"
    if "env_file" in SERVICES[name]:  # the file names all of them
        assert {variables[f"VALKEY_{each.upper()}_PASSWORD"] for each in valkey.ROLES} == {""}


def test_valkey_needs_a_password_for_each_role_to_start():
    variables = SERVICES["valkey"]["environment"]
    assert variables == {name: f"${{{name}:?set it in .env}}" for name in PASSWORDS}
    example = (ROOT / ".env.example").read_text()
    assert all(re.search(rf"^{name}=$", example, re.MULTILINE) for name in PASSWORDS)


def test_a_service_is_reachable_only_by_those_that_need_it():
    assert neighbours("postgres") == {*WEB_SIDE, "migrate", "backup"} - {"beat", "watch"}
    assert neighbours("valkey") == {*WEB_SIDE, *WORKERS} - {"watch"}
    assert neighbours("mailpit") <= set(WEB_SIDE)
    for name in WORKERS:
        assert neighbours(name) - set(WORKERS) == {"valkey"}


def neighbours(name: str) -> set[str]:
    """Return the services that share a network with one; a service that names none is in `default`."""
    networks = {each: set(row.get("networks", ["default"])) for each, row in SERVICES.items()}
    return {each for each, its in networks.items() if each != name and its & networks[name]}


def test_database_and_valkey_are_not_reachable_from_outside():
    for name in ("postgres", "valkey", *WORKERS):
        assert "ports" not in SERVICES[name] and SERVICES[name].get("network_mode") is None
        assert all(COMPOSE["networks"][network]["internal"] for network in SERVICES[name]["networks"])


def test_no_health_check_uses_remote_control_of_workers():
    """A client that may ask a worker for its status may also stop it."""
    checks = {name: str(row.get("healthcheck")) for name, row in SERVICES.items()}
    assert not [name for name, check in checks.items() if re.search("inspect|control|status", check)]


@pytest.mark.parametrize("name", sorted({*COMMANDS, *OF_THE_INFERENCE, "backup"} - {"inference"}))
def test_a_service_that_hangs_is_restarted_by_the_sign_that_its_health_check_asks_for(name):
    told = supervised(name)[0]
    variable = "TELEDER_BACKUP_HEARTBEAT" if name == "backup" else SIGNS.get(name, heartbeat.NAME)
    assert told[-1] == SERVICES[name]["environment"][variable]
    check = " ".join(SERVICES[name]["healthcheck"]["test"])
    asked = check.replace('", "', " ").replace('["', "").replace('"])', "")
    assert " ".join([*told[:-1], "--ask", told[-1]]) in asked


@pytest.fixture
def started_by_the_image(tmp_path, monkeypatch) -> Iterator[Callable]:
    """Run docker/valkey.sh as the container does, on a port of loopback; its arguments and environment are written to files."""
    port, running = servers.free_port(), []
    program = tmp_path / "bin" / "valkey-server"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nenv > {tmp_path}/environment\n'
        f'exec {valkey.binary()} "$@" --port {port} --bind 127.0.0.1 --dir {tmp_path}\n'
    )
    program.chmod(0o755)

    def start(given: dict[str, str]) -> int:
        path = f"{program.parent}:{os.environ['PATH']}"
        with (tmp_path / "log").open("w") as log:
            running.append(
                subprocess.Popen(
                    ["sh", ROOT / "docker/valkey.sh"], env={"PATH": path} | given, stdout=log, stderr=log
                )
            )
        return port

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.live
def test_the_image_stores_role_passwords_as_hashes(started_by_the_image, tmp_path):
    passwords = {role: f"{role}s-own-password" for role in valkey.ROLES}
    port = started_by_the_image({f"VALKEY_{role.upper()}_PASSWORD": own for role, own in passwords.items()})
    for role, own in passwords.items():
        client = redis.Redis(port=port, username=role, password=own, retry=None)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with suppress(redis.ConnectionError):
                assert client.ping()
                break
            time.sleep(0.1)
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port, username=role, password=f"{own}x", retry=None).ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.flushall()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port, retry=None).ping()
    output = (tmp_path / "arguments").read_text() + (tmp_path / "environment").read_text()
    assert not [own for own in passwords.values() if own in output]


def test_the_image_does_not_start_without_a_password(started_by_the_image, tmp_path):
    started_by_the_image(dict.fromkeys(PASSWORDS[:-1], "given") | {PASSWORDS[-1]: ""})
    end = time.monotonic() + 20
    while time.monotonic() < end and PASSWORDS[-1] not in (tmp_path / "log").read_text():
        time.sleep(0.1)
    assert PASSWORDS[-1] in (tmp_path / "log").read_text() and not (tmp_path / "arguments").exists()


def test_the_build_key_is_not_stored_in_the_image():
    """collectstatic needs a key: it is set only for that command and is not stored in the image."""
    text = (ROOT / "docker" / "web.Dockerfile").read_text()
    assert re.search(r"RUN TELEDER_SECRET_KEY=build .*\\\n +python manage.py collectstatic", text)


# --- Rights of services -----------------------------------------------------------------------------------
MAY = {
    "proxy": {"NET_BIND_SERVICE"},
    "postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_can_only_write_to_its_volumes_and_gains_no_rights(name):
    row = SERVICES[name]
    assert row["read_only"] is True
    assert row["cap_drop"] == ["ALL"] and set(row.get("cap_add", [])) == MAY.get(name, set())
    assert row["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "network_mode", "devices"} & set(row)


def test_only_the_proxy_is_reachable_from_other_machines():
    published = {name: row["ports"] for name, row in SERVICES.items() if "ports" in row}
    assert published.pop("proxy") == ["80:80", "443:443"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert "web" not in published


def test_the_proxy_reaches_only_the_web():
    assert set(SERVICES["proxy"]["networks"]) == {"front"}
    assert [name for name, row in SERVICES.items() if "front" in row.get("networks", [])] == ["proxy", "web"]


@pytest.mark.parametrize("hosts", ["localhost", "a.example,b.example", "a.example, b.example"])
def test_the_proxy_accepts_one_host_or_several(hosts):
    """Run the command of the compose file, changed so that it only parses the configuration."""
    shell, option, script = SERVICES["proxy"]["command"]
    script = script.replace("$$", "$").replace(
        "exec caddy run", f"exec {Path(sys.executable).parent}/caddy adapt"
    )
    script = script.replace("/etc/caddy/Caddyfile", str(ROOT / "docker" / "Caddyfile"))
    done = subprocess.run(
        [shell, option, script], env={**os.environ, "TELEDER_HOSTS": hosts}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert all(f'"{host.strip()}"' in done.stdout for host in hosts.split(","))


def test_no_value_of_the_example_is_followed_by_a_comment():
    """Compose would treat it as part of the value."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#") and "#" in line] == []


def test_the_proxy_runs_the_tested_configuration():
    row = SERVICES["proxy"]
    assert "./docker/Caddyfile:/etc/caddy/Caddyfile:ro" in row["volumes"]
    assert SERVICES["web"]["environment"]["TELEDER_BEHIND_PROXY"] == "1"
    web = re.search(r"TELEDER_WEB:([\w.]+:\d+)", (ROOT / "docker" / "Caddyfile").read_text())
    assert web and web[1] == f"web:{SERVICES['web']['command'].rpartition(' ')[2]}"
    # A name that is not set is empty in the container, and Caddy's own default would not be used.
    assert [name for name, value in row["environment"].items() if ":-" not in value] == []


def test_mail_goes_to_a_real_server_unless_the_test_mailbox_is_selected():
    assert SERVICES["mailpit"]["profiles"] == ["test-mailbox"]
    for row in SERVICES.values():
        url = row.get("environment", {}).get("TELEDER_EMAIL_URL")
        assert url is None or url.startswith("${TELEDER_EMAIL_URL:?")
        assert "mailpit" not in row.get("depends_on", {})
