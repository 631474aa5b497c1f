"""What a user can do about a failure, by its code: for those about which the worker left no hint of its own (X-022)."""

from __future__ import annotations

_REPRO = "`videojob repro NAME` runs the attempt again on your machine and shows what its tools said"
_VERSIONS = "the worker image and the operator must be of versions that understand each other"

HINTS = {
    "OutOfMemory": "each attempt gets half as much memory again, up to the worker class's maxMemory; beyond it set "
    "spec.workerClass to a class with more, and drive it again",
    "Resource": "the next attempt gets more memory; free space in the store, or use a larger volume",
    "DiskFull": "free space in the store, or use a larger volume; for /tmp, a worker class with more scratch",
    "Disrupted": "the cluster took the pod away; nothing is wrong with the input",
    "ResultInvalid": _VERSIONS,
    "BadDocument": _VERSIONS,
    "Timeout": "raise spec.timeoutSeconds, name fewer or smaller profiles, or use a worker class with more CPU or a GPU",
    "Stalled": "nothing advanced for minutes: a worker class with more CPU helps a slow one; for one that hangs, "
    + _REPRO,
    "FFmpegFailed": _REPRO + "; if the input is damaged, give a sound copy",
    "CompositionError": _REPRO + "; give the scene another picture if it names one",
    "VerifyFailed": "it is made anew by the next attempt; if that fails too, " + _REPRO,
    "UnsafeInput": "give the file itself, under a plain name",
    "UnsafeUrl": "give the address of the file itself, without a redirect",
    "AnswerTooLarge": "the service answered with more than it should: look at its settings and limits, then drive it again",
    "OutputTooLarge": "the tool said more than is read; " + _REPRO,
    "TTSError": "the voice said no more than this; name a second voice that may speak in its place",
    "External": "a service outside failed: look at its limits and your key; later attempts wait as long as it asks",
    "Permanent": "another attempt would end the same: change what the message names and create the VideoJob anew",
    "WorkerFailed": _REPRO,
    "NotCached": "nothing is wrong: what the cache no longer has is made anew",
    "InternalError": "see the worker's log; " + _REPRO,
}
"""By FailureStatus.code."""
