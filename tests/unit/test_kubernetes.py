"""The Kubernetes manifests: they conform to the schemas, and run what the compose file runs."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.deployments import PROJECT, composed

FOLDER = PROJECT / "deploy" / "kubernetes"
BASE = FOLDER / "base"
SECRETS = (
    "POSTGRES_PASSWORD",
    "DATABASE_OWNER_PASSWORD",
    "DATABASE_PASSWORD",
    "BROKER_PASSWORD",
    "RECOURSE_SECRET_KEY",
    "RECOURSE_FLOWER_PASSWORD",
)
VERSIONS = ("1.31", "1.37")
WORKLOADS = ("Deployment", "StatefulSet", "Job")
KEDA = json.loads((PROJECT / "tests" / "keda_scaled_object.json").read_text())


def manifests(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((FOLDER / folder).glob("*.yaml")):
        if path.name != "kustomization.yaml":
            for one in yaml.safe_load_all(path.read_text()):
                yield f"{path.stem} {one['kind']}", one


def workloads() -> dict[str, dict[str, Any]]:
    """Return the specification of the pods by name."""
    found = [one for _, one in manifests("base") if one["kind"] in WORKLOADS]
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in found}


def container_of(pod: dict[str, Any]) -> dict[str, Any]:
    [only] = pod["containers"]
    return dict(only)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return composed(dict.fromkeys(SECRETS, "PASSWORD"))


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_and_autoscalers_conform_to_the_schemas_of_kubernetes(version: str) -> None:
    checked = 0
    for name, one in (*manifests("base"), *manifests("scaling")):
        if one["apiVersion"] == "keda.sh/v1alpha1":
            jsonschema.validate(one, KEDA, format_checker=jsonschema.FormatChecker())
        else:
            assert kubernetes_validate.validate(one, version, strict=True), name
        checked += 1
    assert checked > 20
    # The schemas notice a misspelled field
    wrong = next(one for _, one in manifests("base") if one["kind"] == "Deployment")
    wrong["spec"]["template"]["spec"]["terminationGraceSeconds"] = 5
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_kustomize_applies_every_manifest_and_the_same_roles_as_compose() -> None:
    told = yaml.safe_load((BASE / "kustomization.yaml").read_text())
    there = {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(told["resources"]) == there
    assert (BASE / "postgres-roles.sql").read_text() == (PROJECT / "deploy" / "postgres-roles.sql").read_text()
    generated = {one["name"] for one in told["configMapGenerator"]}
    named = set(re.findall(r"config[mM]ap(?:Ref)?: \{name: ([\w-]+)\}", "".join(p.read_text() for p in BASE.iterdir())))
    assert named == generated


def with_own_servers() -> list[dict[str, Any]]:
    """Return the manifests with the patches of the overlay, by the three rules of kustomize that they use."""
    told = yaml.safe_load((FOLDER / "own-servers" / "kustomization.yaml").read_text())
    objects = {key_of(one): one for _, one in manifests("base")}
    for told_patch in told["patches"]:
        target = told_patch["target"]["kind"], told_patch["target"]["name"]
        patch = yaml.safe_load(told_patch["patch"])
        if isinstance(patch, dict):
            assert patch.pop("$patch") == "delete"
            assert (patch["kind"], patch["metadata"]["name"]) == target
            del objects[target]
            continue
        for change in patch:
            *path, last = change["path"].strip("/").split("/")
            place = objects[target]
            for step in path:
                place = place[step]
            if change["op"] == "remove":
                del place[last]
            else:
                assert change["op"] == "add"
                place[last] = change["value"]
    return list(objects.values())


def built(folder: str) -> list[dict[str, Any]]:
    """Return what `kubectl apply -k` would send."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(FOLDER / folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def assert_conform_and_find_each_other(objects: list[dict[str, Any]], version: str) -> None:
    """Check them against the schemas; each service selects pods or is elsewhere."""
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in objects if one["kind"] in WORKLOADS]
    for one in objects:
        assert kubernetes_validate.validate(one, version, strict=True), one["metadata"]["name"]
        if one["kind"] == "Service" and one["spec"].get("type") == "ExternalName":
            assert one["spec"].keys().isdisjoint({"selector", "clusterIP"}), one
            assert one["spec"]["externalName"].endswith(".example.org"), one
        elif one["kind"] == "Service":
            assert any(one["spec"]["selector"].items() <= label.items() for label in labels), one


@pytest.mark.parametrize("version", VERSIONS)
def test_with_own_servers_the_rest_conforms_and_the_services_lead_there(version: str) -> None:
    objects = with_own_servers()
    assert_conform_and_find_each_other(objects, version)
    names = {key_of(one) for one in objects}
    all_names = {key_of(one) for _, one in manifests("base")}
    assert all_names - names == {("StatefulSet", "postgres"), ("Deployment", "broker")}
    elsewhere = [one["metadata"]["name"] for one in objects if one.get("spec", {}).get("type") == "ExternalName"]
    assert sorted(elsewhere) == ["broker", "postgres"]
    if not shutil.which("kubectl"):
        return  # the rules of kustomize that are used are above; with kubectl, they are held against it
    of_kustomize = built("own-servers")
    assert_conform_and_find_each_other(of_kustomize, version)
    maps = {one["metadata"]["name"] for one in of_kustomize if one["kind"] == "ConfigMap"}
    assert names == {key_of(one) for one in of_kustomize if one["kind"] != "ConfigMap"}
    used = set(re.findall(r'"config[mM]ap(?:Ref)?": {"name": "([^"]+)"', json.dumps(of_kustomize)))
    assert {name.rpartition("-")[0] for name in used} == {"settings"}
    assert used <= maps
    for one in objects:
        if one["metadata"]["name"] in elsewhere:
            [same] = [other for other in of_kustomize if key_of(other) == key_of(one)]
            assert same["spec"] == one["spec"]


def key_of(one: dict[str, Any]) -> tuple[str, str]:
    return one["kind"], one["metadata"]["name"]


def test_there_is_a_workload_for_each_service_of_compose_with_its_command_and_limits(services: dict[str, Any]) -> None:
    pods = workloads()
    assert pods.keys() == services.keys()
    for name, pod in pods.items():
        service, container = services[name], container_of(pod)
        assert container["name"] == name
        command = [" ".join(word.split()) for word in container.get("command") or container["args"]]
        assert command == [" ".join(word.split()) for word in service["command"]], name
        if name == "doctor":
            continue
        limits = service["deploy"]["resources"]["limits"]
        of_kubernetes = container["resources"]["limits"]
        assert of_kubernetes["cpu"] == limits["cpus"], name
        assert of_kubernetes["memory"].removesuffix("i").lower() == limits["memory"], name
        grace = int(service.get("stop_grace_period", "10s").removesuffix("s"))
        assert pod.get("terminationGracePeriodSeconds", 30) >= grace, name
        for port in service.get("ports", []):
            assert container["ports"][0]["containerPort"] == int(port.rsplit(":", 1)[1]), name
        assert ("healthcheck" in service) == ("livenessProbe" in container), name


def test_probes_ask_what_the_health_checks_of_compose_ask(services: dict[str, Any]) -> None:
    for name, pod in workloads().items():
        container = container_of(pod)
        if "healthcheck" not in services[name]:
            continue
        _, *asked = services[name]["healthcheck"]["test"]
        probe = container.get("readinessProbe") or container["livenessProbe"]
        if "httpGet" in probe:
            assert f"{container['ports'][0]['containerPort']}{probe['httpGet']['path']}" in asked[-1], name
        elif probe["exec"]["command"][:2] == ["sh", "-c"]:
            assert probe["exec"]["command"][2:] == asked, name
        else:
            assert probe["exec"]["command"] == asked, name


def test_pods_get_the_settings_of_compose_and_no_more_rights_or_secrets(services: dict[str, Any]) -> None:
    general = dict(
        line.split("=", 1) for line in (BASE / "settings.env").read_text().splitlines() if not line.startswith("#")
    )
    for name, pod in workloads().items():
        container = container_of(pod)
        own = {one["name"]: one.get("value") for one in container["env"]}
        told = {key for key, value in services[name]["environment"].items() if value != ""}
        given = own.keys() | (general.keys() if "envFrom" in container else set())
        assert told - given - {"RECOURSE_FLOWER_URL"} == set(), name
        for variable, value in own.items():  # a password is not in a manifest
            assert value is not None or variable in SECRETS, variable
            if value is not None and "://" in value and "PASSWORD" in value:
                in_compose = services[name]["environment"][variable]
                assert re.sub(r"\$\(\w+\)", "PASSWORD", value) == in_compose, variable
        assert ("DATABASE_OWNER_PASSWORD" in own) is (name in ("postgres", "migrate")), name
        assert ("POSTGRES_PASSWORD" in own) is (name == "postgres"), name
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["automountServiceAccountToken"] is False, name
        assert name == "postgres" or security["readOnlyRootFilesystem"] is True, name


def test_autoscalers_scale_what_there_is_by_metrics_that_there_are() -> None:
    names = set(workloads())
    figures = (PROJECT / "web" / "figures.py").read_text()
    for name, one in manifests("scaling"):
        assert one["spec"]["scaleTargetRef"]["name"] in names, name
        for metric in re.findall(r"recourse_\w+", json.dumps(one)):
            assert f'"{metric}"' in figures, metric
        for queue in re.findall(r'queue[\\":= ]+"?(\w+)', json.dumps(one)):
            assert f"worker-{queue}" in names, queue
