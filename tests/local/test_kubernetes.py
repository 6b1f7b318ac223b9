"""The manifests in `deploy/kubernetes`: valid, and the same processes with the same rights as in the compose file."""

from __future__ import annotations

import copy
import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from django.db import connection
from django.db.utils import ProgrammingError
from django.utils import timezone

from contract import messages
from local import valkey
from teleder.cases.models import Job, JobState, Photo
from tests.local.keda_schema import SCHEMAS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
VERSION = "1.37"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
FILES = sorted(path for path in (FOLDER / "base").glob("*.yaml") if path.name != "kustomization.yaml")
SECRETS = FOLDER / "secrets.example.yaml"
WORKERS = ("prepare", "analyse", "distance")


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


OBJECTS = {
    (one["kind"], one["metadata"]["name"]): one for path in [*FILES, SECRETS] for one in documents(path)
}
PODS = {
    name: (one["spec"]["jobTemplate"] if kind == "CronJob" else one)["spec"]["template"]
    for (kind, name), one in OBJECTS.items()
    if kind in ("Deployment", "Job", "CronJob")
}
POD_TEMPLATES = {name: pod["spec"] for name, pod in PODS.items()}


def validate(document: dict[str, Any]) -> None:
    if document["apiVersion"].startswith("keda.sh/"):
        jsonschema.validate(document, SCHEMAS[document["kind"]])
    else:
        kubernetes_validate.validate(document, VERSION, strict=True)


# --- Valid ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", [*FILES, SECRETS], ids=lambda path: path.name)
def test_every_document_is_valid(path):
    for document in documents(path):
        validate(document)


@pytest.mark.parametrize(
    ("kind", "name", "key"), [("Deployment", "web", "replica"), ("ScaledObject", "analyse", "maxReplicas")]
)
def test_a_misspelt_field_is_found(kind, name, key):
    document = copy.deepcopy(OBJECTS[kind, name])
    document["spec"][key] = 1
    with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)):
        validate(document)


def test_every_file_is_a_resource_of_the_kustomization():
    (base,) = documents(FOLDER / "base/kustomization.yaml")
    assert sorted(base["resources"]) == [path.name for path in FILES]
    for generator in base["configMapGenerator"]:
        assert all((FOLDER / "base" / name).resolve().is_file() for name in generator["files"])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl here")
@pytest.mark.parametrize("overlay", ["base", "gpu"])
def test_kustomize_puts_it_together(overlay):
    command = ["kubectl", "kustomize", "--load-restrictor", "LoadRestrictionsNone", str(FOLDER / overlay)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(made)}
    for document in found.values():
        validate(document)
    (analyse,) = found["Deployment", "analyse"]["spec"]["template"]["spec"]["containers"]
    assert ("nvidia.com/gpu" in analyse["resources"]["limits"]) == (overlay == "gpu")


# --- As in the compose file -------------------------------------------------------------------------------
def container(name: str) -> dict[str, Any]:
    (only,) = POD_TEMPLATES[name]["containers"]
    return only


@pytest.mark.parametrize("name", ["web", "results", "sweeper", "beat", "watch", *WORKERS, "migrate"])
def test_the_processes_are_those_of_the_compose_file(name):
    assert container(name)["command"] == shlex.split(COMPOSE[name]["command"].replace("$$", "$"))


def test_the_backup_is_made_by_the_command_of_the_compose_file_once_a_night():
    # Without what repeats it, and what ends it where it hangs: a job has its own end.
    command = COMPOSE["backup"]["command"].rpartition(" -- ")[2].partition(" --every")[0]
    assert container("backup")["command"] == shlex.split(command)
    assert COMPOSE["backup"]["image"].startswith(f"{container('backup')['image']}:")
    assert OBJECTS["CronJob", "backup"]["spec"]["concurrencyPolicy"] == "Forbid"
    given = variables("backup")
    assert given["DATABASE_DIRECT_URL"] == "Secret" and given["TELEDER_BACKUP"] == "ConfigMap"
    assert variables("web")["TELEDER_BACKUP"] == "ConfigMap"  # the board tells its age


def test_workers_take_from_every_queue():
    taken = {queue for name in WORKERS for queue in container(name)["command"][-1].split(",")}
    assert taken == set(messages.QUEUES.values())


def test_other_images_are_of_the_compose_files_versions():
    of_the_proxy = (ROOT / COMPOSE["proxy"]["build"]["dockerfile"]).read_text()
    assert f"FROM {container('proxy')['image']}\n" in of_the_proxy
    assert container("valkey")["image"] == COMPOSE["valkey"]["image"]


@pytest.mark.parametrize("name", POD_TEMPLATES)
def test_no_container_has_more_rights_than_it_needs(name):
    pod, rights = POD_TEMPLATES[name], container(name)["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"]
    assert rights["capabilities"]["drop"] == ["ALL"]
    assert rights["capabilities"].get("add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert container(name)["resources"]["limits"]["memory"]


def named(name: str) -> Iterator[tuple[str, str]]:
    """Return the names of the ConfigMaps and Secrets from which a container gets variables, with their kind."""
    for source in container(name).get("envFrom", []):
        for kind, reference in source.items():
            yield {"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind], reference["name"]


def variables(name: str) -> dict[str, str]:
    """Return what a container is given, with each variable's kind of source."""
    found = {}
    for kind, source in named(name):
        held = OBJECTS[kind, source]
        found |= dict.fromkeys(held.get("data") or held.get("stringData"), kind)
    for one in container(name).get("env") or []:
        reference = one.get("valueFrom", {}).get("secretKeyRef")
        if reference:
            assert reference["key"] in OBJECTS["Secret", reference["name"]]["stringData"]
        found[one["name"]] = "Secret" if reference else "value"
    return found


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_holds_no_way_into_the_database_and_only_prepare_the_photo_keys(name):
    given = variables(name)
    assert not {one for one in given if re.search(r"DATABASE|SECRET_KEY$|EMAIL|ROLE|METRICS", one)} - {
        "TELEDER_S3_SECRET_KEY"
    }
    assert ("TELEDER_PHOTO_KEYS" in given) == (name == "prepare")


def test_each_process_talks_to_valkey_in_its_own_role():
    for name in ("web", "sweeper", "beat", "results", *WORKERS):
        (address,) = [one for one in container(name)["env"] if one["name"] == "REDIS_URL"]
        role = "worker" if name in WORKERS else name
        assert role in valkey.ROLES
        assert address["valueFrom"]["secretKeyRef"] == {"name": "teleder-valkey", "key": role}


def test_every_setting_is_a_known_one_and_secrets_are_in_secrets():
    manual = (ROOT / "docs/running.md").read_text() + (ROOT / ".env.example").read_text()
    known = set(re.findall(r"\b(?:TELEDER|VALKEY|DATABASE)_[A-Z0-9_]+\b", manual))
    secret = set(re.findall(r"`((?:TELEDER|DATABASE)_[A-Z0-9_]+)` \*", manual))
    for name in ("web", "results", "sweeper", "beat", "migrate", "backup", *WORKERS):
        given = variables(name)
        ours = {one for one in given if one.startswith(("TELEDER", "VALKEY", "DATABASE"))}
        assert ours <= known
        assert {given[one] for one in ours & secret} <= {"Secret"}


def test_every_label_that_a_policy_or_service_selects_is_one_of_a_pod():
    labels = [pod["metadata"]["labels"] for pod in PODS.values()]
    for (kind, _name), one in OBJECTS.items():
        if kind == "NetworkPolicy" and (wanted := one["spec"]["podSelector"].get("matchLabels")):
            assert any(wanted.items() <= each.items() for each in labels)
        if kind == "Service":
            assert any(one["spec"]["selector"].items() <= each.items() for each in labels)


# --- Scaling ----------------------------------------------------------------------------------------------
SCALED = {name: one["spec"] for (kind, name), one in OBJECTS.items() if kind == "ScaledObject"}


def query_of(name: str) -> str:
    return SCALED[name]["triggers"][0]["metadata"]["query"]


def ask(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query_of(name))
        return cursor.fetchone()[0]


def test_as_many_messages_may_wait_as_the_largest_pool_takes():
    slots = int(OBJECTS["ConfigMap", "teleder-web"]["data"]["TELEDER_INFERENCE_SLOTS"])
    assert slots == max(spec["maxReplicaCount"] for spec in SCALED.values())


def test_every_pool_of_workers_is_scaled_by_its_own_stages():
    for name in WORKERS:
        assert SCALED[name]["scaleTargetRef"]["name"] == name
        stages = {queue.removeprefix("inference.") for queue in container(name)["command"][-1].split(",")}
        assert (
            set(re.findall(r"'(\w+)'", query_of(name).partition("stage IN")[2].partition("AND")[0])) == stages
        )
        assert stages <= {stage.value for stage in messages.Stage}


@pytest.fixture
def jobs(alices_submission):
    """Make so many jobs of a stage, in a state, that have waited so long."""
    photo = alices_submission.photos.get()
    Job.objects.all().delete()

    def make(n: int, stage: str, state: str = JobState.QUEUED, seconds: float = 0) -> None:
        began = timezone.now() - timedelta(seconds=seconds)
        sent = {} if state == JobState.QUEUED else {"sent_at": began, "deadline": timezone.now()}
        for _ in range(n):
            another = Photo.objects.get(pk=photo.pk)
            another.pk, another.sha256 = None, uuid.uuid4().hex * 2
            another._state.adding = True
            another.save(force_insert=True)
            Job.objects.create(photo=another, stage=stage, state=state, priority=0, created_at=began, **sent)

    return make


@pytest.mark.django_db
def test_no_work_asks_for_no_worker(jobs):
    jobs(5, "analyse", JobState.DONE)
    assert [ask(name) for name in WORKERS] == [0, 0, 0]


@pytest.mark.django_db
def test_taken_messages_count_as_work(jobs):
    jobs(6, "analyse", JobState.SENT)
    jobs(3, "analyse", JobState.STARTED)
    jobs(3, "check")
    assert ask("analyse") in (3, 4)  # 12 photos by 4, and what they have waited
    assert ask("prepare") == 0


@pytest.mark.django_db
def test_a_long_wait_asks_for_more_workers(jobs):
    jobs(1, "analyse", seconds=300)
    assert ask("analyse") in (11, 12)


@pytest.mark.django_db(transaction=True)
def test_the_scalers_role_reads_four_columns_and_nothing_else(jobs):
    jobs(1, "prepare")
    made = re.search(
        r"```sql\n(CREATE ROLE teleder_scaler.*?)```", (ROOT / "docs/running.md").read_text(), re.DOTALL
    )
    with connection.cursor() as cursor:
        cursor.execute(made[1].replace("teleder_scaler", "scaler_of_a_test"))
        try:
            cursor.execute("SET ROLE scaler_of_a_test")
            for name in WORKERS:
                cursor.execute(query_of(name))
            for other in (
                "SELECT photo_id FROM cases_job",
                "SELECT 1 FROM cases_photo",
                "DELETE FROM cases_job",
            ):
                with pytest.raises(ProgrammingError, match="permission denied"):
                    cursor.execute(other)
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY scaler_of_a_test")
            cursor.execute("DROP ROLE scaler_of_a_test")
