"""`make demo`: from nothing to VideoJobs on a real cluster, their videos in demo-output/, each one's facts as probed.

Starts the cluster, builds and loads the images, installs the chart, makes a namespace ready, submits a clip, a story and an
avatar as a person would (`videojob storage put`, `videojob submit`), shows `kubectl get videojobs` move, brings the outputs back
(`videojob outputs --download`), and judges the files themselves, not what anybody says about them. Exit 0 only if everything is
as promised. Where no cluster can run (no engine, not root) the same manifests run without one, and the demo says so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "hack")  # this script's own folder would hide the package of the same name

import install as chart  # noqa: E402 - found by the line above
from demo import face, tale  # noqa: E402
from demo.probe import Facts, probe, table  # noqa: E402

OUTPUT = ROOT / "demo-output"
STORY, AVATAR = OUTPUT / "story", OUTPUT / "avatar"
NAMESPACE = "demo"
JOB = "landscape"
PROFILES = ("720p", "480p", "360p", "webm_720p", "thumbnail")
EXAMPLE = "crds/examples/transcode.yaml"
JOB_SECONDS = 900
SHORTEST_SECONDS = 30.0
BITRATE_TOLERANCE = 0.15
DRIFT_SECONDS = 0.5


@dataclass(frozen=True)
class Promise:
    """What a file must be."""

    file: str
    codec: str
    width: int
    height: int
    kbps: int | None = None


PROMISES = (
    Promise("720p.mp4", "h264", 1280, 720, 2500),
    Promise("480p.mp4", "h264", 854, 480, 1500),
    Promise("360p.mp4", "h264", 640, 360, 800),
    Promise("webm_720p.webm", "vp9", 1280, 720, 2000),
    Promise("thumbnail.jpg", "mjpeg", 320, 180),
)


class DemoError(Exception):
    """Something is not as promised; the sentence says what."""


def step(text: str) -> None:
    """Say what happens now."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def judge(found: dict[str, Facts], source: Facts) -> list[str]:
    """Everything about the files that is not as promised."""
    problems = []
    if source.seconds is None or source.seconds < SHORTEST_SECONDS:
        problems.append(f"the clip has {source.seconds} s, at least {SHORTEST_SECONDS} s were promised")
    for want in PROMISES:
        have = found.get(want.file)
        if have is None:
            problems.append(f"{want.file} is missing")
            continue
        if (have.codec, have.width, have.height) != (want.codec, want.width, want.height):
            problems.append(
                f"{want.file} is {have.codec} {have.width}x{have.height}, promised was {want.codec} {want.width}x{want.height}"
            )
        if want.kbps is not None and abs((have.video_kbps or 0) - want.kbps) > BITRATE_TOLERANCE * want.kbps:
            problems.append(f"{want.file} has {have.video_kbps} kbit/s of video, promised were {want.kbps} within 15 %")
        if have.seconds is not None and abs(have.seconds - (source.seconds or 0)) > DRIFT_SECONDS:
            problems.append(f"{want.file} lasts {have.seconds:.2f} s, the clip {source.seconds} s")
        if want.codec in {"h264", "vp9"} and have.audio is None:
            problems.append(f"{want.file} has lost its sound")
    return problems


@dataclass(frozen=True)
class Material:
    """What the demo works on; each value waits until it is made."""

    clip: Callable[[], Path]
    story: Callable[[], Path]
    """Folder of the story's pictures and music."""
    avatar: Path
    """Manifest of the avatar; its portrait and voice lie beside it, or in media/ there."""


@contextmanager
def making_the_material() -> Iterator[Material]:
    """Draw the clip, the pictures and the music beside other work."""
    with making("clip") as clip, making("tale") as story, tempfile.TemporaryDirectory() as folder:
        yield Material(clip, story, face.manifest(Path(folder), os.environ.get("PORTRAIT")))


@contextmanager
def making(script: str) -> Iterator[Callable[[], Path]]:
    """Run a script of this folder beside other work; the value is the path that it prints."""
    drawing = subprocess.Popen(
        [sys.executable, str(ROOT / f"hack/demo/{script}.py")], stdout=subprocess.PIPE, text=True
    )

    def ready() -> Path:
        out, _ = drawing.communicate()
        if drawing.returncode != 0:
            raise DemoError(f"hack/demo/{script}.py has failed; the reason stands above")
        return Path(out.strip())

    try:
        yield ready
    finally:
        drawing.terminate()
        drawing.wait()


def videojob(*args: str, env: dict[str, str] | None = None, whole: bool = False) -> None:
    """The command as a person would type it; DemoError when it fails. What it says is shown at once, or, of one that runs
    beside another, as a `whole`.
    """
    typed = "$ videojob " + " ".join(args)
    argv = [sys.executable, "-m", "videojob_cli", *args]
    if whole:
        done = subprocess.run(argv, cwd=ROOT, env=env, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        print(f"{typed}\n{done.stdout.decode(errors='replace')}", end="", flush=True)
    else:
        print(typed, flush=True)
        done = subprocess.run(argv, cwd=ROOT, env=env, check=False)
    if done.returncode != 0:
        raise DemoError(f"`videojob {' '.join(args)}` ended with exit code {done.returncode}")


def on_a_cluster(material: Material) -> Path:
    """The whole way over a real cluster; the source clip."""
    step("Starting a Kubernetes cluster, building the images, installing the chart")
    chart.install()
    kubectl = chart.hack("path", "kubectl")
    env = {**os.environ, "KUBECONFIG": chart.hack("kubeconfig")}
    source = material.clip()
    step(f"Making namespace {NAMESPACE} ready")
    videojob("init", "-n", NAMESPACE, "--create-namespace", "--size", "4Gi", env=env)
    subprocess.run(
        [kubectl, "delete", "videojobs", "--all", "-n", NAMESPACE, "--ignore-not-found", "--timeout=60s"],
        env=env, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    step("Submitting a clip of half a minute with five profiles")
    profiles = ",".join(PROFILES)
    videojob("submit", "-n", NAMESPACE, "--file", str(source), "--name", JOB, "--profiles", profiles, env=env)
    step("Submitting a story: pictures and music into the stock, its script as a manifest")
    files = [str(path) for path in sorted(material.story().iterdir())]
    videojob("storage", "put", *files, "--to", tale.FOLDER, "-n", NAMESPACE, env=env)
    videojob("submit", "-n", NAMESPACE, "-f", str(tale.MANIFEST.relative_to(ROOT)), env=env)
    step("Submitting two of the examples: a short clip, and a portrait that is to speak")
    videojob("submit", "-n", NAMESPACE, "-f", EXAMPLE, "-f", str(material.avatar), env=env)
    step("$ kubectl get videojobs --watch")
    follow(kubectl, env)
    step("Fetching the outputs")
    with ThreadPoolExecutor() as both:
        wanted = {JOB: OUTPUT, tale.NAME: STORY, face.NAME: AVATAR}
        fetching = [
            both.submit(videojob, "outputs", job, "-n", NAMESPACE, "--download", str(folder), env=env, whole=True)
            for job, folder in wanted.items()
        ]
        for each in fetching:
            each.result()
    return source


def follow(kubectl: str, env: dict[str, str]) -> None:
    """Let kubectl print every change until all VideoJobs have ended; DemoError when one did not succeed."""
    argv = [kubectl, "get", "videojobs", "-n", NAMESPACE]
    with subprocess.Popen([*argv, "--watch"], env=env) as watch:
        try:
            for phase in _until_finished(argv, env):
                if phase:
                    raise DemoError(phase)
        finally:
            watch.terminate()
    subprocess.run(argv, env=env, check=True)


def _until_finished(argv: list[str], env: dict[str, str]) -> Iterator[str]:
    """Empty while they go on; a sentence when it went wrong; ends when all have succeeded."""
    deadline = time.monotonic() + JOB_SECONDS
    while True:
        shown = subprocess.run([*argv, "-o", "json"], env=env, check=True, capture_output=True, text=True).stdout
        items = json.loads(shown)["items"]
        phases = {item["metadata"]["name"]: (item.get("status") or {}).get("phase") for item in items}
        failed = [item for item in items if phases[item["metadata"]["name"]] in {"Failed", "Cancelled"}]
        if failed:
            failure = failed[0]["status"].get("failure") or {}
            yield f"VideoJob {failed[0]['metadata']['name']} failed: {failure.get('message')}"
        if set(phases.values()) == {"Succeeded"}:
            return
        if time.monotonic() > deadline:
            yield f"not all VideoJobs ended within {JOB_SECONDS} s: {phases}"
        yield ""
        time.sleep(1)


def without_a_cluster(material: Material, why: str) -> Path:
    """The same manifests by the same planner and stages, as processes; the source clip."""
    step(f"No cluster can run here ({why}): running the same VideoJobs without one (`videojob run`)")
    source = material.clip()
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "landscape.json"
        spec = {"transcode": {"source": {"filename": source.name}, "profiles": list(PROFILES)}}
        manifest.write_text(
            json.dumps(
                {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": JOB}, "spec": spec}
            )
        )
        videojob("run", str(manifest), "--file", str(source), "--output", folder)
        for promise in PROMISES:
            shutil.copyfile(Path(folder) / JOB / promise.file, OUTPUT / promise.file)
        shutil.copytree(material.story(), Path(folder) / "store/default/stock" / tale.FOLDER)
        videojob("run", str(tale.MANIFEST), "--store", str(Path(folder) / "store"), "--output", folder)
        shutil.copytree(Path(folder) / tale.NAME, STORY)
        videojob("run", str(material.avatar), "--output", folder)
        shutil.copytree(Path(folder) / face.NAME, AVATAR)
    return source


def cluster_possible() -> str | None:
    """None where a cluster can run, else what is missing."""
    done = subprocess.run(
        [sys.executable, "hack/cluster", "ready"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return None if done.returncode == 0 else "neither a Docker or Podman engine answers nor is this root"


def main() -> int:
    """Run the demo; 0 if everything is as promised."""
    began = time.monotonic()
    missing = cluster_possible()
    if missing is None:
        subprocess.run(["make", "--no-print-directory", "packages"], cwd=ROOT, check=True)
    if shutil.which("ffmpeg") is None:
        raise DemoError(
            "ffmpeg is missing, and only root can install it: apt-get install ffmpeg, then `make demo` again"
        )
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    with making_the_material() as material:
        source = on_a_cluster(material) if missing is None else without_a_cluster(material, missing)
    step(f"What lies in {OUTPUT.name}/, as probed")
    facts = {path.name: probe(path) for path in sorted(OUTPUT.iterdir()) if path.is_file()}
    original = probe(source)
    told, shown = tale.look(STORY), face.look(AVATAR)
    listed = {f"{STORY.name}/{name}": found for name, found in told.files.items()}
    listed |= {f"{AVATAR.name}/{name}": found for name, found in shown.files.items()}
    print(table({source.name: original, **facts, **listed}) + f"\n{told.say()}\n{shown.say()}", flush=True)
    problems = (
        judge(facts, original) + tale.judge(told) + face.judge(shown, None if os.environ.get("PORTRAIT") else face.SIZE)
    )
    if problems:
        raise DemoError("not as promised: " + "; ".join(problems))
    print(f"\nEverything is as promised, after {time.monotonic() - began:.0f} s.")
    if missing is None:
        print("The cluster stays up: `make cluster-down` stops it; `kubectl get videojobs -n demo` shows what ran.")
        print(f"export KUBECONFIG={chart.hack('kubeconfig')}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (DemoError, ValueError) as error:
        sys.exit(f"demo: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"demo: {' '.join(map(str, error.cmd))} ended with exit code {error.returncode}; its reason stands above"
        )
    except KeyboardInterrupt:
        sys.exit("demo: interrupted; `make cluster-down` stops what runs")
