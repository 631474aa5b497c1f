"""Measuring on the real cluster: the chart installed, a namespace without what earlier runs left, one way to fail."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import install as chart
from videojob_cli.client import VideoJobs, is_finished
from videojob_cli.connection import Kube, connect
from videojob_cli.errors import CliError
from videojob_cli.kube import objects

NAMESPACE = "figures"


def installed() -> None:
    """Bring the chart up, and name its cluster to whoever connects."""
    chart.install()
    os.environ["KUBECONFIG"] = chart.hack("kubeconfig")


def emptied() -> tuple[Kube, VideoJobs]:
    """The cluster that $KUBECONFIG names, and the namespace's VideoJobs, of which there are none."""
    api = connect()
    cli = [sys.executable, "-m", "videojob_cli"]
    subprocess.run([*cli, "init", "-n", NAMESPACE, "--create-namespace"], check=True, stdout=sys.stderr)
    jobs = VideoJobs(api, NAMESPACE)
    for old in jobs.list():
        api.request("DELETE", objects(NAMESPACE, "videojobs", old["metadata"]["name"]))
    while any(not is_finished(each) for each in jobs.list()):
        time.sleep(1)
    return api, jobs


def told(target: str, main: Callable[[], None]) -> None:
    """Run a target's program; what ends it is said in a sentence that begins with the target's name."""
    try:
        main()
    except CliError as error:
        sys.exit(f"{target}: {error.message}")
    except subprocess.CalledProcessError as error:
        argv = " ".join(map(str, error.cmd))
        sys.exit(f"{target}: {argv} ended with exit code {error.returncode}; its reason stands above")
