"""Manifests for the API server's own judgement: what they are made of, and the rows about stories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from videojob_api import names

INBOX = "store://inbox/" + "0123456789abcdef" * 4


@dataclass(frozen=True)
class Case:
    """A manifest, and the server's words against it; without words it passes."""

    name: str
    given: dict[str, Any]
    expect: str = field(default="")


def an_object(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """An object of a kind with this spec."""
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {"name": "tried"}, "spec": spec}


def videojob(**spec: Any) -> dict[str, Any]:
    """A VideoJob that is right but for what the case changes; None leaves a field out."""
    whole = {"transcode": {"source": {"uri": INBOX, "filename": "clip.mp4"}}, **spec}
    return an_object("VideoJob", {key: value for key, value in whole.items() if value is not None})


def story(fields: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A VideoJob for a story of one sentence, with what the case changes."""
    whole = {"title": "The Last Fig", "script": {"text": "A fig fell."}, **(fields or {})}
    told = {key: value for key, value in whole.items() if value is not None}
    return videojob(transcode=None, story=told, **spec)


def _scenes(*texts: str, **variant: Any) -> dict[str, Any]:
    """A story of listed scenes with one variant."""
    return story({
        "script": None, "scenes": [{"text": text} for text in texts], "variants": [{"name": "de", **variant}],
    })  # fmt: skip


STORIES = (
    Case("a story of one sentence", story()),
    Case("a script in the store", story({"script": {"uri": "store://stock/scripts/fig.md"}})),
    Case("a script behind a URL", story({"script": {"uri": "https://docs.example/fig.md?sig=1"}})),
    Case(
        "a script behind a URL with a password",
        story({"script": {"uri": "https://u:p@docs.example/fig.md"}}),
        "story.script.uri in body should",
    ),
    Case("a script in a ConfigMap", story({"script": {"configMapRef": {"name": "scripts", "key": "fig.md"}}})),
    Case("a script that is to be written", story({"script": {"fromPrompt": {"prompt": "A fig.", "model": "small"}}})),
    Case(
        "a prompt and a text",
        story({"script": {"text": "A fig.", "fromPrompt": {"prompt": "A fig.", "model": "small"}}}),
        "a story is told in one way: set one of",
    ),
    Case("scenes instead of a script", story({"script": None, "scenes": [{"text": "A fig."}, {"durationMs": 900}]})),
    Case("a story without words", story({"script": None}), "a story is told in one way: set one of story.scenes"),
    Case("a script and scenes", story({"scenes": [{"text": "A pear."}]}), "a story is told in one way: set one of"),
    Case(
        "a story in many shapes",
        story(
            {
                "variants": [
                    {"name": "square", "aspectRatio": "1:1"},
                    {"name": "reels", "platform": "instagram_reels", "title": "Fig"},
                    {"name": "de", "language": "de", "script": {"text": "Eine Feige."}, "voice": {"ratePercent": 90}},
                    {"name": "b", "thumbnail": {"atMs": 900, "title": "It fell!"}},
                ]
            }
        ),
    ),
    Case("texts for scenes", _scenes("A fig.", "A wasp.", texts=["Eine Feige.", "Eine Wespe."])),
    Case(
        "texts that go with a template",
        story(
            {
                "script": None,
                "template": {"name": "morning"},
                "variants": [{"name": "de", "texts": ["Eine Feige."]}],
            }
        ),
    ),
    Case("a variant of nothing", story({"variants": [{"name": "x"}]}), "a variant differs in something, and has its"),
    Case(
        "a variant with its words in two places",
        _scenes("A fig.", texts=["Eine Feige."], script={"text": "Eine Feige."}),
        "and has its words in one place: set platform",
    ),
    Case("one name for two variants", story({"variants": [{"name": "x", "title": "a"}] * 2}), "Duplicate value"),
    Case(
        "six variants",
        story({"variants": [{"name": f"x{n}", "title": "a"} for n in range(6)]}),
        "must have at most 5 items",
    ),
    Case("a story by a template", story({"script": None, "template": {"name": "morning", "values": {"city": "Oslo"}}})),
    Case("a template and a script of one's own", story({"template": {"name": "morning"}})),
    Case(
        "a template and half a script",
        story({"script": {"markup": "Plain"}, "template": {"name": "morning"}}),
        "a story is told in one way: set one of",
    ),
    Case(
        "a template without a name",
        story({"script": None, "template": {"values": {}}}),
        "story.template.name: Required",
    ),
    Case(
        "a value that is no text",
        story({"script": None, "template": {"name": "morning", "values": {"floor": 3}}}),
        "story.template.values.floor",
    ),
    Case(
        "33 values",
        story({"script": None, "template": {"name": "morning", "values": {f"v{n}": "" for n in range(33)}}}),
        "must have at most 32 items",
    ),
    Case(
        "a script in two places",
        story({"script": {"text": "A fig.", "uri": "store://stock/fig.md"}}),
        "script.configMapRef and script.fromPrompt, and no other",
    ),
    Case(
        "a script on the machine", story({"script": {"uri": "file:///etc/passwd"}}), "story.script.uri in body should"
    ),
    Case("a script of 16,385 characters", story({"script": {"text": "a" * 16385}}), "may not be more than 16384"),
    Case("a platform nobody knows", story({"platform": "myspace"}), 'supported values: "tiktok", "youtube"'),
    Case("a voice nobody knows", story({"voice": {"providers": [{"name": "siri"}]}}), 'supported values: "offline"'),
    Case("a picture from nowhere", story({"images": {"providers": [{"name": "dalle"}]}}), 'supported values: "files"'),
    Case(
        "metadata of its own",
        story({"metadata": {"title": "Tonight", "description": "Come.", "tags": ["sea"], "hashtags": ["#sea"]}}),
    ),
    Case("eleven tags", story({"metadata": {"tags": list("abcdefghijk")}}), "must have at most 10 items"),
    Case(
        "a description of 201 characters", story({"metadata": {"description": "a" * 201}}), "may not be more than 200"
    ),
    Case(
        "a hashtag without its mark", story({"metadata": {"hashtags": ["sea"]}}), "story.metadata.hashtags[0] in body"
    ),
    Case(
        "a story that goes out",
        story(
            publish={
                "auto": True,
                "scheduleAt": "2026-12-24T18:00:00Z",
                "platforms": [
                    {"name": "youtube", "secretName": "channel", "visibility": "Unlisted"},
                    {"name": "instagram_reels"},
                    {"name": "webhook", "endpoint": "https://cms.example/hook"},
                ],
            }
        ),
    ),
    Case(
        "a platform to publish on that nobody knows",
        story(publish={"platforms": [{"name": "myspace"}]}),
        "supported values",
    ),
    Case(
        "a variant that goes out",
        story(
            {"variants": [{"name": "square", "aspectRatio": "1:1"}]},
            publish={"platforms": [{"name": "instagram_post", "variant": "square"}]},
        ),
    ),
    Case("a platform twice", story(publish={"platforms": [{"name": "tiktok"}, {"name": "tiktok"}]}), "Duplicate value"),
    Case(
        "a time that is none",
        story(publish={"scheduleAt": "tomorrow"}),
        "scheduleAt in body must be of type date-time",
    ),
    Case(
        "an endpoint with a password",
        story(publish={"platforms": [{"name": "webhook", "endpoint": "https://u:p@cms.example/"}]}),
        "endpoint in body should match",
    ),
    Case("no voice at all", story({"voice": {"providers": []}}), "should have at least 1 items"),
    Case(
        "services with a Secret, and a last resort",
        story({"voice": {"providers": [{"name": "azure", "secretName": "speech", "region": "westeurope"}]}}),
    ),
    Case(
        "a misspelt field of a story", story({"captions": {"styel": "karaoke"}}), 'unknown field "spec.story.captions.'
    ),
    Case("a look of its own", story({"text": {"size": 60}, "captions": {"style": "karaoke"}, "quality": "Draft"})),
    Case("music that is a path", story({"music": {"uri": "/music.mp3"}}), "story.music.uri in body should match"),
    Case("no fallbacks", story(fallback={"policy": "Deny"})),
    Case("a stop after the voices", story(stopAfter="AudioGeneration")),
    Case("a stop of a transcode", story(stopAfter="Ingest"), "spec.stopAfter must be a stage of what is asked for"),
    Case("a stop of a story", videojob(stopAfter="SceneParsing"), "SceneParsing or AudioGeneration of a story; Ingest"),
    Case("a stop after the probe", videojob(stopAfter="Ingest")),
    Case("a stop after a rehearsal", videojob(stopAfter="Verify")),
    Case("a stop after the end", videojob(stopAfter="Commit"), 'supported values: "Ingest", "Transcode", "Verify"'),
    Case("a request with a name", videojob(idempotencyKey="orders/4711@2026-11-21T12:00:00+01:00=a_b.c-d")),
    Case("a request with a name of 128 characters", videojob(idempotencyKey="k" * 128)),
    Case("a name of 129 characters", videojob(idempotencyKey="k" * 129), "may not be more than 128"),
    Case("a name of nothing", videojob(idempotencyKey=""), "spec.idempotencyKey in body should"),
    Case("a name with a blank", videojob(idempotencyKey="order 4711"), "spec.idempotencyKey in body should match"),
)
"""What a story may be, and how it may go out."""
