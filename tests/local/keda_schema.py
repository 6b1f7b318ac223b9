"""JSON schemas of the two KEDA objects that we write (keda.sh/v1alpha1, KEDA 2.17), stricter than KEDA's own.

Source of the fields: KEDA's documentation of ScaledObject, TriggerAuthentication and the postgresql scaler.
"""

from __future__ import annotations

from typing import Any


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
NUMBER_TEXT = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}  # every value of a trigger is a string
METADATA = _object(
    ["name"], name=TEXT, namespace=TEXT, labels={"type": "object"}, annotations={"type": "object"}
)
POSTGRESQL = _object(
    ["type", "authenticationRef", "metadata"],
    type={"const": "postgresql"},
    name=TEXT,
    metricType={"enum": ["AverageValue", "Value"]},
    useCachedMetrics={"type": "boolean"},
    authenticationRef=_object(["name"], name=TEXT, kind=TEXT),
    metadata=_object(
        ["query", "targetQueryValue"],
        query=TEXT,
        targetQueryValue=NUMBER_TEXT,
        activationTargetQueryValue=NUMBER_TEXT,
    ),
)
SCALED_OBJECT = _object(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "keda.sh/v1alpha1"},
    kind={"const": "ScaledObject"},
    metadata=METADATA,
    spec=_object(
        ["scaleTargetRef", "triggers"],
        scaleTargetRef=_object(["name"], name=TEXT, kind=TEXT, apiVersion=TEXT, envSourceContainerName=TEXT),
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        idleReplicaCount=COUNT,
        pollingInterval=COUNT,
        cooldownPeriod=COUNT,
        initialCooldownPeriod=COUNT,
        fallback=_object(
            ["failureThreshold", "replicas"], failureThreshold=COUNT, replicas=COUNT, behavior=TEXT
        ),
        triggers={"type": "array", "minItems": 1, "items": POSTGRESQL},
    ),
)
TRIGGER_AUTHENTICATION = _object(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "keda.sh/v1alpha1"},
    kind={"const": "TriggerAuthentication"},
    metadata=METADATA,
    spec=_object(
        ["secretTargetRef"],
        secretTargetRef={
            "type": "array",
            "minItems": 1,
            "items": _object(["parameter", "name", "key"], parameter=TEXT, name=TEXT, key=TEXT),
        },
    ),
)
SCHEMAS = {"ScaledObject": SCALED_OBJECT, "TriggerAuthentication": TRIGGER_AUTHENTICATION}
