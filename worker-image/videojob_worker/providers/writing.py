"""A script written by a language model: OpenAI's chat completions, which many servers of one's own speak, too (S-072)."""

from __future__ import annotations

import json
from typing import Any

from videojob_api.story.tasks import PROMPT_KEY, PromptParams

from ..base.errors import Permanent
from ..net.messages import Request
from .calling import Means, Service, answered_json, at, call, secret, wrong

SCRIPT_ERROR = "SceneGenerationError"
"""`failure.code` of whatever keeps a story from its scenes (S-071)."""
SERVICE = Service("fromPrompt", SCRIPT_ERROR, "story.script.fromPrompt", many=False)
ANSWER_BYTES = 4 << 20
MAX_SCRIPT_BYTES = 1 << 20


def write(order: PromptParams, means: Means) -> str:
    """The script. Raises Permanent, External or Recoverable (SceneGenerationError)."""
    asked = order.prompt
    key = secret(means, SERVICE, asked.secret_name, PROMPT_KEY) if asked.secret_name is not None else ""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    body: dict[str, Any] = {"model": asked.model, "messages": messages(order)}
    if asked.temperature_percent is not None:
        body["temperature"] = asked.temperature_percent / 100
    request = Request(
        at(asked.base_url, "", "/chat/completions"), headers=headers, body=json.dumps(body).encode(),
        seconds=asked.timeout_seconds, max_bytes=ANSWER_BYTES,
    )  # fmt: skip
    return _script(answered_json(SERVICE, call(means, SERVICE, request)))


def messages(order: PromptParams) -> list[dict[str, str]]:
    """What the model is told: its part, then the user's own words."""
    genre = f" The genre is {order.genre}." if order.genre else ""
    part = (
        "You write scripts that are read aloud as the narration of a short video. "
        f"Write at most {order.prompt.max_words} words in the language with the BCP 47 tag {order.language}.{genre} "
        "Answer with the narration alone: whole sentences, no headings, no stage directions, no names of speakers."
    )
    return [{"role": "system", "content": part}, {"role": "user", "content": order.prompt.prompt}]


def _script(answer: Any) -> str:
    """The text of the first choice, whole. Raises Permanent for a refusal, Recoverable for what makes no sense."""
    choices = answer.get("choices") if isinstance(answer, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(message, dict):
        raise wrong(SERVICE, "its answer holds no text")
    if message.get("refusal") or first.get("finish_reason") == "content_filter":
        raise Permanent(SCRIPT_ERROR, "the language model refuses to write this", hint=f"change {SERVICE.field}.prompt")
    if first.get("finish_reason") == "length":
        raise wrong(SERVICE, "its text was cut off: ask for fewer words in maxWords")
    text = message.get("content")
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise wrong(SERVICE, "its answer holds no text")
    if len(text.encode(errors="replace")) > MAX_SCRIPT_BYTES:
        raise wrong(SERVICE, "its text is no script: it is too long")
    return text.strip() + "\n"
