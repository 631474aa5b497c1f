"""The command line as people type it: exit codes, and one sentence with the remedy for every foreseeable fault."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import typer
import yaml

from cli_api import HandApi
from videojob_cli import init, manifests
from videojob_cli.errors import ApiError, CliError
from videojob_cli.kube import refusal
from videojob_cli.main import _from_url, main
from videojob_cli.options import duration

JOB = {
    "apiVersion": "videojob.dev/v1alpha1",
    "kind": "VideoJob",
    "metadata": {"name": "a"},
    "spec": {"transcode": {"source": {"uri": "store://stock/a.mp4"}}},
}


@dataclass(frozen=True)
class Case:
    name: str
    args: tuple[str, ...]
    code: int
    says: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)


def manifest(**change: object) -> str:
    return yaml.safe_dump({**JOB, **change})


CASES = (
    Case("no command shows the help", (), 2, ("Usage: videojob", "submit", "outputs", "init", "run")),
    Case("the dead letters' commands", ("dlq",), 2, ("Usage: videojob dlq", "list", "retry")),
    Case("the stores' commands", ("storage",), 2, ("Usage: videojob storage", "stats", "put")),
    Case("a retry of no dead letters", ("dlq", "retry"), 2, ("Name dead letters, or give -l LABELS, or --all",)),
    Case("names and labels at once", ("dlq", "retry", "a", "--all"), 2, ("Name dead letters, or give -l LABELS",)),
    Case("a retry of nothing", ("retry",), 2, ("Missing argument 'name'",)),
    Case("an unknown command", ("bogus",), 2, ("No such command",)),
    Case("submit of nothing", ("submit",), 2, ("Nothing to submit: give --file CLIP, --url URL, or -f MANIFEST.",)),
    Case("a file and a URL", ("submit", "--file", "a", "--url", "https://m.example/a"), 2, ("--url goes without",)),
    Case(
        "a network that is none",
        ("run", "a", "--allow-network", "localhost"),
        1,
        ("--allow-network: 'localhost' does not appear to be", "10.20.0.0/16"),
        {"a": manifest(spec={"transcode": {"source": {"uri": "https://media.example/a.mp4"}}})},
    ),
    Case(
        "a URL with a password",
        ("run", "a"),
        1,
        ("must not carry a user or password",),
        {"a": manifest(spec={"transcode": {"source": {"uri": "https://u:p@media.example/a.mp4"}}})},
    ),
    Case(
        "options that a manifest says itself",
        ("submit", "-f", "job.yaml", "--priority", "High"),
        2,
        ("go with --file alone",),
        {"job.yaml": manifest()},
    ),
    Case("a time that is none", ("status", "x", "--wait", "--timeout", "soon"), 2, ("90s, 10m or 1h",)),
    Case("no kubeconfig", ("list",), 1, ("No usable kubeconfig", "videojob run")),
    Case(
        "a kubeconfig that is not one",
        ("list", "--kubeconfig", "bad"),
        1,
        ("No usable kubeconfig (bad",),
        {"bad": "[1]"},
    ),
    Case(
        "a cluster that is down",
        ("list", "--kubeconfig", "config"),
        1,
        ("The API server at https://127.0.0.1:1 does not answer",),
        {
            "config": yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "c",
                    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
                    "users": [{"name": "c", "user": {"token": "x"}}],
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
                }
            )
        },
    ),
    Case("run of a file that is not there", ("run", "none.yaml"), 1, ("none.yaml cannot be read: No such file",)),
    Case("run of what is not YAML", ("run", "a"), 1, ("a is not YAML",), {"a": "{"}),
    Case("run of an empty file", ("run", "a"), 1, ("no objects in it",), {"a": "\n---\n"}),
    Case(
        "run of another kind",
        ("run", "a"),
        1,
        ("v1 Pod is not for this command", "kubectl"),
        {"a": "{apiVersion: v1, kind: Pod, metadata: {}, spec: {}}"},
    ),
    Case("run of a text", ("run", "a"), 1, ("expected objects with apiVersion and kind, found str",), {"a": "hello"}),
    Case(
        "a misspelt field is named (S-003)",
        ("run", "a"),
        1,
        ("a: VideoJob a: spec.transcode.profile: Extra inputs are not permitted",),
        {"a": manifest(spec={"transcode": {**JOB["spec"]["transcode"], "profile": ["720p"]}})},  # type: ignore[index]
    ),
    Case(
        "a negative size",
        ("run", "a"),
        1,
        ("spec.transcode.limits.maxInputSize",),
        {"a": manifest(spec={"transcode": {**JOB["spec"]["transcode"], "limits": {"maxInputSize": "-5Mi"}}})},  # type: ignore[index]
    ),
    Case("neither kind of work", ("run", "a"), 1, ("exactly one kind of work",), {"a": manifest(spec={})}),
    Case(
        "an upload that is nowhere",
        ("run", "a"),
        1,
        ("clip.mp4 is neither beside the manifest nor in media/", "--file"),
        {"a": manifest(spec={"transcode": {"source": {"uri": "store://inbox/" + "0" * 64, "filename": "clip.mp4"}}})},
    ),
    Case(
        "a file of that name with other bytes",
        ("run", "a"),
        1,
        ("clip.mp4 is not the file meant: its sha256 is", "Correct the uri"),
        {
            "a": manifest(spec={"transcode": {"source": {"uri": "store://inbox/" + "0" * 64, "filename": "clip.mp4"}}}),
            "clip.mp4": "other",
        },
    ),
    Case(
        "a file too large (T-014)",
        ("run", "a", "--file", "clip.mp4"),
        1,
        ("File too large: clip.mp4 has 5000 bytes, limits.maxInputSize allows 1024",),
        {
            "a": manifest(spec={"transcode": {**JOB["spec"]["transcode"], "limits": {"maxInputSize": "1Ki"}}}),  # type: ignore[index]
            "clip.mp4": "x" * 5000,
        },
    ),
    Case("a folder as a file", ("run", "a", "--file", "."), 1, (". is a folder",), {"a": manifest()}),
    Case(
        "one file for two jobs",
        ("run", "a", "--file", "c"),
        1,
        ("--file goes with one VideoJob, the manifests have 2",),
        {"a": manifest() + "---\n" + manifest(metadata={"name": "b"}), "c": "x"},
    ),
    Case("a name twice", ("run", "a"), 1, ("stands in the manifests twice",), {"a": manifest() + "---\n" + manifest()}),
    *(
        Case(
            f"{key} {value!r}",
            ("run", "a"),
            1,
            (f"metadata.{key} {value!r} is no name in Kubernetes: use",),
            {"a": manifest(metadata={"name": "a", key: value})},
        )
        for key, value in (("name", "../up"), ("name", ".."), ("name", 5), ("name", "Trailer"), ("namespace", "a/b"))
    ),
    Case(
        "no ffmpeg (S-054)",
        ("run", "a"),
        1,
        ("ffmpeg was not found (FFMPEG_PATH=/nowhere/ffmpeg)", "apt-get install ffmpeg"),
        {"a": manifest()},
        {"FFMPEG_PATH": "/nowhere/ffmpeg"},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_faults_are_one_sentence_and_a_code(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in case.files.items():
        (tmp_path / name).write_text(text)
    tool = tmp_path / "bin" / "ffmpeg"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexit 1\n")
    tool.chmod(0o755)
    for name in ("KUBECONFIG", "FFMPEG_PATH", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"PATH": str(tool.parent), "HOME": str(tmp_path), "COLUMNS": "200", **case.environ}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["videojob", *case.args])
    with pytest.raises(SystemExit) as ended:
        main()
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert ended.value.code == case.code, said
    for words in case.says:
        assert words in said, said
    assert not (tmp_path / "videojob-output").exists()


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h", 3600)])
def test_times(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "1.5h", "-5s", "10 m"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a time such as"):
        duration(text)


def status(message: str, reason: str) -> str:
    return json.dumps({"kind": "Status", "message": message, "reason": reason})


@pytest.mark.parametrize(
    ("code", "body", "says"),
    [
        (404, "404 page not found\n", "This cluster does not know VideoJobs: install the chart"),
        (404, status('videojobs "x" not found', "NotFound"), 'videojobs "x" not found'),
        (403, status("pods is forbidden: User u cannot create", "Forbidden"), "kubectl auth can-i"),
        (401, status("Unauthorized", "Unauthorized"), "does not accept these credentials"),
        (422, status("spec.transcode is invalid\nlong difference", "Invalid"), "spec.transcode is invalid"),
        (503, "", "HTTP 503"),
        (429, status("too many requests", "TooManyRequests"), "asks for patience"),
        (500, "[1, 2]", "[1, 2]"),
    ],
)
def test_refusals_are_sentences(code: int, body: str, says: str) -> None:
    error = refusal("GET", "/apis/videojob.dev/v1alpha1/namespaces/n/videojobs/x", code, body)
    assert says in error.message
    assert "\n" not in error.message
    assert error.status == code


# ---------------------------------------------------------------- init


def wanted(size: str = "10Gi", image: str | None = "worker:2") -> list[manifests.Json]:
    return manifests.init_objects("team", image=image, size=size)


def ensured(api: HandApi, objects: list[manifests.Json], *, grow: bool = False) -> list[str]:
    return [init.ensure(api, each, grow=grow) for each in init.needed(api, objects)]


def test_init_twice_changes_nothing(tmp_path: Path) -> None:
    api = HandApi(tmp_path, "team")
    assert ensured(api, wanted()) == ["created"] * 3
    before = json.dumps(api.objects, sort_keys=True)
    assert ensured(api, wanted()) == ["unchanged"] * 3
    assert json.dumps(api.objects, sort_keys=True) == before


def test_init_renews_the_image_and_grows_the_claim_only_when_asked(tmp_path: Path) -> None:
    api = HandApi(tmp_path, "team")
    ensured(api, wanted("2Gi", "worker:1"))
    assert ensured(api, wanted("10Gi", "worker:2")) == ["unchanged", "unchanged", "configured"]
    assert ensured(api, wanted("10Gi", "worker:2"), grow=True) == ["configured", "unchanged", "unchanged"]
    assert ensured(api, wanted("1Gi", None), grow=True) == ["unchanged"] * 3


def test_init_leaves_a_store_on_another_claim_alone(tmp_path: Path) -> None:
    api = HandApi(tmp_path, "team")
    api.put(
        "/apis/videojob.dev/v1alpha1/namespaces/team/mediastores/default", spec={"pvc": {"claimName": "our-own-claim"}}
    )
    assert ensured(api, wanted()) == ["unchanged", "created"]
    assert not [path for path in api.objects if "persistentvolumeclaims" in path]


def test_init_without_the_namespace(tmp_path: Path) -> None:
    api = HandApi(tmp_path, "team")
    with pytest.raises(CliError, match="There is no namespace team: add --create-namespace"):
        init.ensure_namespace(api, "team", create=False)
    assert init.ensure_namespace(api, "team", create=True)
    assert not init.ensure_namespace(api, "team", create=False)


def test_init_for_somebody_who_may_not_see_namespaces(tmp_path: Path) -> None:
    """Whether it is there shows when the first object is made; a missing right to make one says nothing against it."""
    api = HandApi(tmp_path, "team")
    api.refuse[("GET", "team")] = ApiError("forbidden", 403, "Forbidden")
    assert not init.ensure_namespace(api, "team", create=False)
    assert init.ensure_namespace(api, "team", create=True)
    assert not init.ensure_namespace(api, "team", create=True), "it is there now"
    api.refuse[("POST", "namespaces")] = ApiError("forbidden", 403, "Forbidden")
    assert not init.ensure_namespace(api, "team", create=True)
    api.refuse[("POST", "persistentvolumeclaims")] = ApiError('namespaces "team" not found', 404, "NotFound")
    with pytest.raises(CliError, match="There is no namespace team: add --create-namespace"):
        ensured(api, wanted())
    api.refuse.pop(("GET", "team"))
    api.objects.clear()
    with pytest.raises(ApiError, match="forbidden"):
        init.ensure_namespace(api, "team", create=True)


def test_the_worker_image_is_found_as_far_as_one_may_look(tmp_path: Path) -> None:
    api = HandApi(tmp_path, "team")
    assert init.find_worker_image(api, "team") is None
    account = api.put("/api/v1/namespaces/videojob-system/serviceaccounts/videojob-worker")
    account["metadata"]["annotations"] = {"videojob.dev/worker-image": "worker:9"}
    assert init.find_worker_image(api, "team") == "worker:9"
    api.refuse[("GET", "serviceaccounts")] = ApiError("forbidden", 403, "Forbidden")
    assert init.find_worker_image(api, "team") is None


def test_a_url_is_submitted_as_it_is() -> None:
    """T-001: nothing is uploaded; the file's name is the last part of the path."""
    made = _from_url("https://media.example/a/My%20Clip.mp4?sig=a%2Fb", ["360p"], None, "High", "2Gi")
    assert made["metadata"] == {"generateName": "my-clip-"}
    assert made["spec"] == {
        "priority": "High",
        "transcode": {
            "source": {"uri": "https://media.example/a/My%20Clip.mp4?sig=a%2Fb", "filename": "My Clip.mp4"},
            "profiles": ["360p"],
            "limits": {"maxInputSize": "2Gi"},
        },
    }
    with pytest.raises(CliError, match=r"--url: VideoJob video-: spec\.transcode\.source\.uri"):
        _from_url("ftp://media.example/", [], None, None, None)
