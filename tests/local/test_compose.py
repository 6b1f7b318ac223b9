"""docker-compose.yml runs what `./run demo` runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from contract import encryption, heartbeat, messages
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
        assert not {"database_password", "postgres_password"} & set(SERVICES[name]["secrets"])
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
    assert variables["DATABASE_URL"].startswith("postgresql://teleder_web@")
    assert (variables["POSTGRES_PASSWORD"], variables["DATABASE_DIRECT_URL"]) == ("", "")
    assert "postgres_password" not in SERVICES[name]["secrets"]


def test_backups_are_made_by_the_role_of_jobs():
    variables = SERVICES["backup"]["environment"]
    assert variables["DATABASE_DIRECT_URL"].startswith("postgresql://teleder_jobs@")
    assert variables["POSTGRES_PASSWORD"] == ""
    assert "audit protect teleder_jobs --jobs" in SERVICES["migrate"]["command"]


SECRET = re.compile(r"KEY|PASSWORD|SECRET|TOKEN|DATABASE_URL|DIRECT_URL|REDIS_URL|EMAIL_URL")


@pytest.mark.parametrize("file", sorted((ROOT / "docker").glob("*.Dockerfile")), ids=lambda file: file.stem)
def test_no_image_contains_a_secret(file):
    lines = re.sub(r"\\\n", " ", file.read_text()).splitlines()
    kept = [line for line in lines if line.startswith(("ENV ", "ARG ", "LABEL "))]
    assert not [line for line in kept if SECRET.search(line)]
    copied = [word for line in lines if line.startswith(("COPY ", "ADD ")) for word in line.split()[1:-1]]
    assert kept or copied or "USER" in file.read_text()  # else nothing was looked at
    assert not {".", "./", "*", ".env", "media"} & {word.rstrip("/") or "." for word in copied}
    assert not [word for word in copied if ".env" in word or ".teleder" in word or "secrets" in word]


def test_the_compose_file_contains_no_secret():
    """Nor does the environment of a container: it holds addresses without passwords, and the names of files."""
    databases = {
        f"postgresql://{role}@postgres:5432/teleder" for role in ("teleder", "teleder_web", "teleder_jobs")
    }
    without = {""} | databases | {f"redis://{role}@valkey:6379/0" for role in valkey.ROLES}
    for name, row in SERVICES.items():
        for key, value in row.get("environment", {}).items():
            if key.endswith("_FILE"):
                folder, _, file = str(value).rpartition("/")
                assert not value or (folder == "/run/secrets" and file in row["secrets"]), f"{name}: {key}"
            elif SECRET.search(key) and key != "TELEDER_EMAIL_URL":
                assert value in without, f"{name}: {key}"


def test_each_service_mounts_the_secrets_that_it_reads_and_no_other():
    for name, row in SERVICES.items():
        read = {
            value.rpartition("/")[2] for key, value in row.get("environment", {}).items() if "_FILE" in key
        }
        assert read - {""} == set(row.get("secrets", [])), name


def test_one_command_makes_every_secret_once(tmp_path):
    """What .env of an earlier version holds is kept, and so is what was made before."""
    (tmp_path / ".env").write_text("TELEDER_HOSTS=localhost\nDATABASE_PASSWORD=of-before\n")
    script = ["sh", ROOT / "docker" / "secrets.sh"]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True)
    folder = tmp_path / "secrets"
    made = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o444}
    assert made["database_password"] == "of-before" and "remove DATABASE_PASSWORD" in done.stdout
    drawn = [text for name, text in made.items() if text and name != "database_password"]
    assert len(drawn) == len(set(drawn)) == 9 and not [text for text in drawn if text in done.stdout]
    assert len(made["secret_key"]) >= 50
    assert len(encryption.parse(made["photo_keys"]).by_name) == 1
    subprocess.run(script, cwd=tmp_path, capture_output=True, check=True)
    assert {file.name: file.read_text() for file in folder.iterdir()} == made


# --- Valkey and networks ----------------------------------------------------------------------------------
WORKERS = sorted(OF_THE_INFERENCE)
PASSWORDS = [f"VALKEY_{role.upper()}_PASSWORD" for role in valkey.ROLES]
WEB_SIDE = sorted(set(COMMANDS) - set(LOCAL_WORKERS))


@pytest.mark.parametrize("name", [*WEB_SIDE, *WORKERS, "migrate"])
def test_each_process_knows_only_its_own_valkey_role(name):
    variables = SERVICES[name]["environment"]
    role = VALKEY_ROLES.get(name, "worker" if name in WORKERS else "web")
    assert variables["REDIS_URL"] == f"redis://{role}@valkey:6379/0"
    assert variables["REDIS_PASSWORD_FILE"] == f"/run/secrets/valkey_{role}_password"
    if "env_file" in SERVICES[name]:  # the file names all of them
        assert {variables[f"VALKEY_{each.upper()}_PASSWORD"] for each in valkey.ROLES} == {""}


def test_valkey_needs_a_password_for_each_role_to_start():
    variables = SERVICES["valkey"]["environment"]
    assert variables == {f"{name}_FILE": f"/run/secrets/{name.lower()}" for name in PASSWORDS}


def test_a_service_is_reachable_only_by_those_that_need_it():
    assert neighbours("postgres") == {*WEB_SIDE, "migrate", "backup", "base-copies"} - {"beat", "watch"}
    assert neighbours("valkey") == {*WEB_SIDE, *WORKERS} - {"watch"}
    assert neighbours("mailpit") <= set(WEB_SIDE)
    for name in WORKERS:
        assert neighbours(name) - set(WORKERS) == {"valkey"}


def test_migrate_is_the_owner_whatever_is_run_in_it():
    """`createsuperuser` and the owner's console of docs/running.md are other commands of this service."""
    variables = SERVICES["migrate"]["environment"]
    assert variables["DATABASE_URL"] == "postgresql://teleder@postgres:5432/teleder"
    assert variables["DATABASE_PASSWORD_FILE"] == "/run/secrets/postgres_password"
    assert variables["TELEDER_ROLE_PASSWORD_FILE"] == "/run/secrets/database_password"


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
@pytest.mark.parametrize("in_files", [True, False])
def test_the_image_stores_role_passwords_as_hashes(started_by_the_image, tmp_path, in_files):
    passwords = {role: f"{role}s-own-password" for role in valkey.ROLES}
    given = {f"VALKEY_{role.upper()}_PASSWORD": own for role, own in passwords.items()}
    if in_files:
        for name, own in given.items():
            (tmp_path / name).write_text(f"{own}\n")
        given = {f"{name}_FILE": str(tmp_path / name) for name in given}
    port = started_by_the_image(given)
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
MAY = {"proxy": {"NET_BIND_SERVICE"}}
OURS = re.compile(r"teleder-\w+(-gpu)?:(.+)")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_can_only_write_to_its_volumes_and_gains_no_rights(name):
    row = SERVICES[name]
    assert row["read_only"] is True
    assert row["cap_drop"] == ["ALL"] and set(row.get("cap_add", [])) == MAY.get(name, set())
    assert row["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "network_mode", "devices"} & set(row)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_service_begins_as_root_and_each_has_limits(name):
    row = SERVICES[name]
    users = re.findall(r"^USER (\S+)", dockerfile(row), re.MULTILINE)
    assert str(row.get("user", users[-1] if users else "root")).split(":")[0] in (
        "10001",
        "postgres",
        "valkey",
    )
    assert row["mem_limit"] and row["pids_limit"]
    assert row["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert row["restart"] == ("no" if name == "migrate" else "unless-stopped")


def dockerfile(row: dict) -> str:
    return (ROOT / row["build"]["dockerfile"]).read_text() if "build" in row else ""


def test_the_images_have_the_version_of_the_release():
    """As pyproject.toml and the newest heading of CHANGELOG.md; docs/upgrade.md says how a release is made."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    gpu = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text())["services"]
    images = {
        row["image"] for row in [*SERVICES.values(), *gpu.values()] if "teleder-" in row.get("image", "")
    }
    assert {OURS.fullmatch(image)[2] for image in images} == {version}
    (base,) = yaml.safe_load_all((ROOT / "deploy/kubernetes/base/kustomization.yaml").read_text())
    (over,) = yaml.safe_load_all((ROOT / "deploy/kubernetes/gpu/kustomization.yaml").read_text())
    assert {image["newTag"] for image in base["images"] + over["images"]} == {version}
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert released[0].startswith(f"{version} (")
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d{2}-\d{2}\)", heading) for heading in released)


def test_one_number_scales_the_workers_and_reaches_who_counts_them():
    for name in ("prepare", "analyse"):
        assert SERVICES[name]["scale"] == "${TELEDER_WORKERS:-1}"
    for name in ("web", "results", "sweeper", "prepare", "analyse"):
        assert SERVICES[name]["environment"]["TELEDER_WORKERS"] == "${TELEDER_WORKERS:-1}"


def test_only_the_proxy_is_reachable_from_other_machines():
    published = {name: row["ports"] for name, row in SERVICES.items() if "ports" in row}
    http, https = "${TELEDER_HTTP_PORT:-80}", "${TELEDER_HTTPS_PORT:-443}"
    assert published.pop("proxy") == [f"{http}:{http}", f"{https}:{https}"]
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
