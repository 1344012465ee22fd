"""The metrics for operators, from the database."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from config.celery import BULK
from models.heartbeat import BEAT, leave_heartbeat
from models.session import transaction
from models.webhooks import WebhookEvent, open_endpoint
from tasks.reset.pause import pause_organization
from tests.conftest import PROJECT
from tests.flowers import Flower
from tests.post import Letter, Post
from tests.scenes import OTHER_COURSE, Scene, ask, fail_for, let_all_pass, make_scene, recover, run
from tests.web import serving
from tests.workers import Worker, until
from web.figures import registry


def figures() -> dict[str, float]:
    """Returns all samples, by `name{label}`. Several labels are in the order of their names."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = ",".join(value for _, value in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in found, name
            found[name] = sample.value
    return found


@pytest.mark.usefixtures("database")
def test_an_installation_without_resets_reports_zeros() -> None:
    found = figures()
    assert "recourse_beat_age_seconds" not in found
    assert set(found.values()) == {0}
    assert {"recourse_resets{running}", "recourse_alerts{sent}", "recourse_recoveries_total"} <= found.keys()


@pytest.mark.usefixtures("one_by_one")
def test_metrics_follow_a_reset_from_its_request_through_a_failure_to_its_retry(
    post: Post, set_up: Callable[..., None]
) -> None:
    set_up(recover_after_seconds=0.01)
    scene = make_scene(learners=12, completed=6, begun=8)
    fail_for(scene.enrolments()[0])
    reset = scene.request()
    # While it is open, so are its learners
    post.deliver(post.take()[0])
    slices = post.take()
    run("UPDATE reset SET start_at = start_at - interval '1 hour', task_id = uuidv7(interval '-1 hour')")
    found = figures()
    assert found["recourse_resets{running}"] == 1
    assert found["recourse_learners_open"] == 12
    assert found["recourse_learners_failed"] == 0
    assert 3600 <= found["recourse_oldest_open_seconds"] < 3700
    run("UPDATE reset SET task_id = id")
    # When two slices are lost, the loss is counted
    for letter in slices[2:]:
        post.deliver(letter)
    run("SELECT pg_sleep(0.05)")
    recover()
    post.drain()
    found = figures()
    assert found["recourse_recoveries_total"] == 1
    assert found["recourse_resets{partly_failed}"] == 1
    assert (found["recourse_resets{running}"], found["recourse_learners_open"]) == (0, 0)
    assert found["recourse_oldest_open_seconds"] == 0
    settled = {outcome: found[f"recourse_learners_settled_total{{{outcome}}}"] for outcome in ("cleared", "unchanged")}
    assert sum(settled.values()) == 11
    assert found["recourse_learners_failed"] == 1
    assert found["recourse_alerts{sent}"] == ask("SELECT count(*) FROM notification WHERE state = 'sent'") > 0
    # And a retry takes back the failed learner; totals only grow, and the age starts again
    let_all_pass()
    run("UPDATE reset SET start_at = start_at - interval '90 days'")
    scene.retry_failed(reset)
    found = figures()
    assert (found["recourse_learners_failed"], found["recourse_learners_open"]) == (0, 1)
    assert found["recourse_oldest_open_seconds"] < 60
    post.drain()
    after = figures()
    assert after["recourse_learners_settled_total{cleared}"] == settled["cleared"] + 1
    assert after["recourse_learners_settled_total{unchanged}"] == settled["unchanged"]


@pytest.mark.usefixtures("small_slices")
def test_open_work_is_told_by_queue_and_organization_and_not_while_it_is_paused(
    post: Post, set_up: Callable[..., None]
) -> None:
    # Given two organizations, each with a large reset, one of a few learners, and a webhook
    set_up(webhook_allow_private=True, running_resets_per_organization=1)
    busy, idle = (make_scene(name, 250, completed=100, certificates=False) for name in ("busy", "idle"))
    for scene, few in ((busy, 3), (idle, 5)):
        with transaction() as session:
            open_endpoint(session, scene.organization.id, "http://127.0.0.1:9/", [WebhookEvent.RESET_STARTED])
        scene.request()
        scene.request(course=OTHER_COURSE, audience="users", users=[user.id for user in scene.users()[:few]])
    busy.request(course=OTHER_COURSE)  # which has to wait for the first
    for letter in post.take():
        post.deliver(letter)
    slices = [letter for letter in post.take() if letter.queue == BULK]
    # Then each figure is that of its own queue and organization
    assert work_open() == {
        "busy,bulk": 250, "busy,interactive": 3, "busy,notify": 2,
        "idle,bulk": 250, "idle,interactive": 5, "idle,notify": 2,
    }  # fmt: skip
    assert held() == {"paused": 0, "queued": 1}
    # When one is paused, and two slices of 25 are cleared of the other, then nothing to reset is left of the one, and
    # alerts to write are more of the other
    with transaction() as session:
        pause_organization(session, idle.admin, "the figures look wrong")
    for letter in [letter for letter in slices if is_of(busy, letter)][:2]:
        post.deliver(letter)
    assert work_open() == {"busy,bulk": 200, "busy,interactive": 3, "busy,notify": 52, "idle,notify": 2}
    assert held() == {"paused": 2, "queued": 1}


def work_open() -> dict[str, float]:
    """Returns the figures to scale by, by organization and queue, without zeros."""
    found = {name: figure for name, figure in figures().items() if name.startswith("recourse_work_open{")}
    return {name.partition("{")[2].rstrip("}"): figure for name, figure in found.items() if figure}


def held() -> dict[str, float]:
    found = figures()
    return {why: found[f"recourse_resets_held{{{why}}}"] for why in ("paused", "queued")}


def is_of(scene: Scene, letter: Letter) -> bool:
    organization = ask("SELECT organization_id FROM reset WHERE id = :id", id=letter.kwargs["reset_id"])
    return bool(organization == scene.organization.id)


def test_a_scheduled_reset_does_not_count_as_late(post: Post) -> None:
    make_scene().request()
    run("UPDATE reset SET start_at = now() + interval '1 day'")
    assert figures()["recourse_oldest_open_seconds"] == 0


@pytest.mark.usefixtures("database")
def test_metrics_need_this_machine_or_the_token(set_up: Callable[..., None]) -> None:
    with serving() as url:
        # Without a token, this machine can read them, but no client of a proxy on it
        assert "recourse_resets{" in httpx.get(f"{url}/metrics").text
        refused = httpx.get(f"{url}/metrics", headers={"X-Forwarded-For": "192.0.2.7"})
        assert refused.status_code == 403
        assert "RECOURSE_METRICS_TOKEN" in refused.text
        # With a token, only the token counts
        set_up(metrics_token="a token for Prometheus")
        right = {"Authorization": "Bearer a token for Prometheus", "X-Forwarded-For": "192.0.2.7"}
        assert httpx.get(f"{url}/metrics", headers=right).status_code == 200
        for wrong in ("", "Bearer another", "a token for Prometheus", "Bearer ä"):
            answer = httpx.get(f"{url}/metrics", headers=[(b"Authorization", wrong.encode())])
            assert (answer.status_code, "recourse_" in answer.text) == (401, False)


def test_dashboard_and_alert_rules_use_only_existing_metrics(database: str, tmp_path: Path) -> None:
    with transaction() as session:
        leave_heartbeat(session, BEAT)
    flower = Flower(PROJECT, tmp_path)
    flower.start()
    try:
        measured = generate_latest(registry).decode() + flower.get("/metrics").text
    finally:
        flower.stop()
    rules = yaml.safe_load((PROJECT / "deploy" / "prometheus-rules.yml").read_text())
    asked = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    dashboard = json.loads((PROJECT / "deploy" / "grafana-dashboard.json").read_text())
    asked += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    names = set(re.findall(r"\b(?:recourse|flower)_[a-z_]+", " ".join(asked)))
    declared = set(re.findall(r"^# TYPE (\S+)", measured, flags=re.MULTILINE))
    assert len(names) > 8
    assert {name for name in names if name.removesuffix("_bucket") not in declared} == set()
    # … and only existing states and outcomes
    for label, value in re.findall(r'(state|outcome)="([a-z_]+)"', " ".join(asked)):
        assert f'{label}="{value}"' in measured
    # And every metric is on the dashboard
    ours = {name for name in declared if name.startswith("recourse_")}
    assert {name for name in ours if name not in json.dumps(dashboard)} == set()


def test_beat_reports_that_it_is_alive_even_without_a_worker(start_worker: Callable[..., Worker]) -> None:
    start_worker()
    until(lambda: "recourse_beat_age_seconds" in figures())
    assert figures()["recourse_beat_age_seconds"] < 5
