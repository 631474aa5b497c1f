"""Decisions about one VideoJob: `plan(observed)`, its phases and its policies, one policy a file.

A policy is a function of what was seen and of the conclusion so far; it changes the conclusion and nothing else. The order of
POLICIES is part of the specification.
"""

from .judge import ended, live
from .phases import TRANSITIONS, legal
from .plan import POLICIES, plan
from .redrive import at_the_gate, retry_wanted
from .withdraw import withdrawing

__all__ = ["POLICIES", "TRANSITIONS", "at_the_gate", "ended", "legal", "live", "plan", "retry_wanted", "withdrawing"]
