"""docker-compose.yml runs what `./run demo` runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_worker import contract
from local.processes import COMMANDS

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).resolve().parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OF_THE_INFERENCE = {queue.removeprefix("inference."): queue for queue in contract.QUEUES.values()}


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"inference"}))
def test_each_process_runs_the_same_command(name):
    address = {"web": " --host 0.0.0.0 --port 8000"}
    assert SERVICES[name]["command"] == COMMANDS[name] + address.get(name, "")


@pytest.mark.parametrize("name", sorted(OF_THE_INFERENCE))
def test_each_queue_has_a_worker_of_its_own(name):
    ours = re.sub(r"-n \S+ -Q \S+", f"-n {name}@%h -Q {OF_THE_INFERENCE[name]}", COMMANDS["inference"])
    assert SERVICES[name]["command"] == ours


def test_every_service_that_lasts_says_whether_it_is_well():
    assert [name for name, row in SERVICES.items() if "healthcheck" not in row and name != "migrate"] == []


def test_workers_hold_no_database_password():
    for name in OF_THE_INFERENCE:
        assert not {"DATABASE_URL", "POSTGRES_PASSWORD"} & set(SERVICES[name]["environment"])
        assert "env_file" not in SERVICES[name]


def test_the_web_image_has_no_torch():
    lock = (ROOT / "requirements-web.lock").read_text()
    assert not re.search(r"^(torch|torchvision|opencv|pillow|timm)", lock, re.MULTILINE)
    assert "torch" not in (ROOT / "docker" / "web.Dockerfile").read_text().split("FROM", 1)[1]


def test_the_web_image_holds_every_module_of_the_worker_that_its_code_imports():
    copied = set(re.findall(r"inference_worker/(\w+)\.py", (ROOT / "docker/web.Dockerfile").read_text()))
    needed, ours = {"__init__"}, [*ROOT.glob("teleder/**/*.py"), ROOT / "local/translations.py"]
    while ours:
        wanted = set(_of_the_worker(ours.pop())) - needed
        needed |= wanted
        ours += [ROOT / f"inference_worker/{name}.py" for name in wanted]
    assert copied == needed


def _of_the_worker(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "inference_worker":
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("inference_worker."):
            yield node.module.split(".")[1]


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"inference"}))
def test_nothing_that_lasts_knows_the_owner_of_the_tables(name):
    told = SERVICES[name]["environment"]
    assert told["DATABASE_URL"].startswith("postgresql://teleder_web:")
    assert (told["POSTGRES_PASSWORD"], told["DATABASE_DIRECT_URL"]) == ("", "")


SECRET = re.compile(r"KEY|PASSWORD|SECRET|TOKEN|DATABASE_URL|DIRECT_URL|REDIS_URL|EMAIL_URL")


@pytest.mark.parametrize("file", sorted((ROOT / "docker").glob("*.Dockerfile")), ids=lambda file: file.stem)
def test_no_image_holds_a_secret(file):
    lines = re.sub(r"\\\n", " ", file.read_text()).splitlines()
    kept = [line for line in lines if line.startswith(("ENV ", "ARG ", "LABEL "))]
    assert kept and not [line for line in kept if SECRET.search(line)]
    copied = [word for line in lines if line.startswith(("COPY ", "ADD ")) for word in line.split()[1:-1]]
    assert copied and not {".", "./", "*", ".env", "media"} & {word.rstrip("/") or "." for word in copied}
    assert not [word for word in copied if ".env" in word or ".teleder" in word]


def test_the_compose_file_names_secrets_and_holds_none():
    databases = {f"postgresql://{role}:@postgres:5432/teleder" for role in ("teleder", "teleder_web")}
    without = {"", "redis://valkey:6379/0"} | databases
    for name, row in SERVICES.items():
        for key, value in row.get("environment", {}).items():
            held = re.sub(r"\$\{[^}]*\}", "", str(value))
            assert not SECRET.search(key) or held in without, f"{name}: {key}"


def test_a_key_that_is_no_secret_is_only_there_while_the_image_is_built():
    """collectstatic reads the settings: what it is given stands before its command and stays out of the image."""
    text = (ROOT / "docker" / "web.Dockerfile").read_text()
    assert re.search(r"&& TELEDER_SECRET_KEY=build .*\\\n +python manage.py collectstatic", text)


# --- What a service may -----------------------------------------------------------------------------------
MAY = {
    "proxy": {"NET_BIND_SERVICE"},
    "postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_writes_to_its_volumes_only_and_gains_no_rights(name):
    row = SERVICES[name]
    assert row["read_only"] is True
    assert row["cap_drop"] == ["ALL"] and set(row.get("cap_add", [])) == MAY.get(name, set())
    assert row["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "pid", "network_mode", "devices"} & set(row)


def test_the_proxy_alone_is_reached_from_other_machines():
    published = {name: row["ports"] for name, row in SERVICES.items() if "ports" in row}
    assert published.pop("proxy") == ["80:80", "443:443"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert "web" not in published


def test_the_proxy_runs_the_tested_configuration_before_the_web():
    row = SERVICES["proxy"]
    assert "./docker/Caddyfile:/etc/caddy/Caddyfile:ro" in row["volumes"]
    assert SERVICES["web"]["environment"]["TELEDER_BEHIND_PROXY"] == "1"
    web = re.search(r"TELEDER_WEB:([\w.]+:\d+)", (ROOT / "docker" / "Caddyfile").read_text())
    assert web and web[1] == f"web:{SERVICES['web']['command'].rpartition(' ')[2]}"
    # A name that is not set is empty in the container, and Caddy's own default would not be used.
    assert [name for name, value in row["environment"].items() if ":-" not in value] == []


def test_mail_goes_to_a_real_server_unless_the_test_mailbox_is_asked_for():
    assert SERVICES["mailpit"]["profiles"] == ["test-mailbox"]
    for row in SERVICES.values():
        url = row.get("environment", {}).get("TELEDER_EMAIL_URL")
        assert url is None or url.startswith("${TELEDER_EMAIL_URL:?")
        assert "mailpit" not in row.get("depends_on", {})
