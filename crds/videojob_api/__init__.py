"""The contract: what a VideoJob is, and all that operator, worker and CLI say to each other.

This room holds data and pure functions over data. It depends on pydantic and nothing else: no I/O, no clock, no
environment, no Kubernetes client. Everybody imports it; it imports nobody.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("videojob")
except PackageNotFoundError:  # the folder alone on sys.path, without an installation
    __version__ = "0.0.0+source"
