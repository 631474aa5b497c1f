"""Actions become manifests: pure functions from frozen values to plain dictionaries, held by golden files.

It knows Kubernetes' shapes and no client of it; it decides nothing and reads no clock.
"""

from .config import RenderConfig
from .job import DocumentTooLargeError, job_manifest
from .sweep import sweep_manifest

__all__ = ["DocumentTooLargeError", "RenderConfig", "job_manifest", "sweep_manifest"]
