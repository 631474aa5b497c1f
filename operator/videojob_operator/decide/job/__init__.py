"""Decisions about one VideoJob: `plan(observed)`, its phases and its policies, one policy a file.

A policy is a function of what was seen and of the conclusion so far; it changes the conclusion and nothing else. The order of
POLICIES is part of the specification.
"""

from .judge import live
from .phases import TRANSITIONS
from .plan import POLICIES, plan

__all__ = ["POLICIES", "TRANSITIONS", "live", "plan"]
