"""Where a worker's container finds things. Without pydantic: helpers in pods that live for a moment load it."""

from __future__ import annotations

TASK_PATH = "/etc/videojob/task.json"
"""Where the pod finds its document (downward API)."""
TOKEN_PATH = "/var/run/secrets/videojob/token"  # noqa: S105 - a path, not a secret
TERMINATION_PATH = "/dev/termination-log"
SECRETS_PATH = "/var/run/secrets/videojob-source"
"""Folder of the Secrets a container is given: `<name>/<key>`."""
CONFIG_PATH = "/etc/videojob-config"
"""Folder of the ConfigMaps a container is given: `<name>/<key>`."""

STORE_JOB = "/store/job"
"""The job's own folder `<namespace>/jobs/<uid>` of the store."""
STORE_INBOX = "/store/inbox"
"""Uploads by sha256."""
STORE_STOCK = "/store/stock"
"""Files the team keeps."""
STORE_CACHE = "/store/cache"
"""Verified stage outputs."""
SCRATCH = "/tmp"  # noqa: S108 - an emptyDir of the pod
"""Room for temporary files."""
