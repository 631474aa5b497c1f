"""From what a user asks for to what the stages are given."""

from __future__ import annotations

from ..v1alpha1.sources import UPLOADS
from ..v1alpha1.story import StorySpec
from .looks import Encoding
from .params import Script, StoryFallback, StoryParams

UNWRITTEN = UPLOADS
"""Where a script stands in for that is still to be written."""


def resolved(asked: StorySpec, fallback: StoryFallback) -> StoryParams:
    """A spec as one story's parameters."""
    same = {name: getattr(asked, name) for name in StorySpec.model_fields if name in StoryParams.model_fields}
    given = asked.script
    script = Script()
    if given is not None:
        uri = UNWRITTEN if given.from_prompt is not None else given.uri
        script = Script(text=given.text, uri=uri, config_map=given.config_map_ref, markup=given.markup)
    own = asked.compression
    encoding = Encoding(quality=asked.quality, crf=own.crf, maxrate=own.maxrate, preset=own.preset)
    same |= {"script": script, "encoding": encoding, "fallback": fallback, "variants": asked.variants or None}
    return StoryParams.model_validate(same)
