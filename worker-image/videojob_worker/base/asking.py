"""A sweep's questions to the operator: unlike progress they need an answer, so they are worth waiting for."""

from __future__ import annotations

import time
from collections.abc import Callable

from pydantic import ValidationError

from videojob_api import contract
from videojob_api.sweeping import MAX_ANSWER_BYTES, SWEEP_ROUTE, SweepAnswer, SweepQuestion

from .channel import Channel
from .errors import External
from .watch import Stop

WAITS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between the tries of one question."""


class Asker:
    """Asks until there is an answer.

    Args:
        channel: where to.
        stop: ends the waiting.
        sleep: waits so many seconds.
    """

    def __init__(self, channel: Channel, stop: Stop, sleep: Callable[[float], None] = time.sleep) -> None:
        self._channel = channel
        self._stop = stop
        self._sleep = sleep

    def __call__(self, question: SweepQuestion) -> SweepAnswer:
        """The operator's answer. Raises External when there is none, or none that can be understood."""
        body = contract.canonical_json(question.dump())
        last = "nobody answers"
        for wait in (*WAITS, None):
            self._stop.check()
            answer = self._channel.ask(SWEEP_ROUTE, body, MAX_ANSWER_BYTES)
            if answer is not None:
                status, text = answer
                if status == 200:
                    try:
                        return SweepAnswer.model_validate_json(text)
                    except ValidationError as error:
                        last = f"the answer is not as agreed: {error}"
                else:
                    last = f"{status}: {text[:200].decode(errors='replace')}"
                    if status in {413, 422}:
                        break
            if wait is not None:
                self._sleep(wait)
        raise External(
            "OperatorAway",
            f"the operator cannot be asked who lives, so nothing is deleted: {last}"[:400],
            hint="see that the operator runs and that pods of this namespace reach its worker port",
        )
