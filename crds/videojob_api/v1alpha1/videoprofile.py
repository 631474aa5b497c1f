"""VideoProfile: how to encode one output, or what stories have in common, as data (T-006 to T-008, S-067)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import ApiModel, Rule
from .template import StoryTemplate

BITRATE = r"^[1-9][0-9]{0,5}k$"
"""Bit rates are written as in FFmpeg and the seeds: whole kilobits a second, `2500k`."""

Bitrate = Annotated[str, Field(max_length=7, pattern=BITRATE)]


class VideoEncoding(ApiModel):
    """The picture of a rendition."""

    codec: Literal["h264", "vp9"] = "h264"
    """`h264` (encoder libx264) or `vp9` (libvpx-vp9)."""
    width: Annotated[int, Field(ge=16, le=7680, multiple_of=2)]
    """Width of the box the picture is fitted into, in pixels. For an upright source the box is turned too; the picture
    keeps its shape and is never enlarged."""
    height: Annotated[int, Field(ge=16, le=7680, multiple_of=2)]
    """Height of that box in pixels."""
    bitrate: Bitrate
    """Target of the average bit rate, for example `2500k` (kilobits a second)."""
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"] = "veryfast"
    """Effort of the encoder: slower presets look better at the same bit rate. For vp9 all from `fast` on are the same."""
    max_frame_rate: Annotated[int, Field(ge=1, le=120)] = 60
    """Frames a second above which the source is thinned out; a lower rate of the source is kept."""


class AudioEncoding(ApiModel):
    """The sound of a rendition; a source without sound gives an output without sound."""

    codec: Literal["aac", "opus"] = "aac"
    """`aac` for mp4, `opus` for webm."""
    bitrate: Bitrate = "128k"
    """Average bit rate, for example `128k`."""
    channels: Annotated[int, Field(ge=1, le=2)] = 2
    """1 for mono, 2 for stereo; more channels are mixed down."""


class Rendition(ApiModel):
    """One playable file of the ladder."""

    cel = (
        Rule(
            "self.container == 'mp4' ? self.video.codec == 'h264' && (!has(self.audio) || self.audio.codec == 'aac')"
            " : self.video.codec == 'vp9' && (!has(self.audio) || self.audio.codec == 'opus')",
            "rendition.container mp4 carries video.codec h264 and audio.codec aac, container webm carries vp9 and opus: use "
            "codecs of one container",
        ),
    )

    container: Literal["mp4", "webm"] = "mp4"
    """File format: `mp4` (with the index in front, so that playback starts before the download ends) or `webm`."""
    video: VideoEncoding
    """The picture."""
    audio: AudioEncoding | None = None
    """The sound; leave it out for a silent output."""

    @model_validator(mode="after")
    def _codecs_fit(self) -> Rendition:
        video, audio = ("h264", "aac") if self.container == "mp4" else ("vp9", "opus")
        if self.video.codec != video or (self.audio is not None and self.audio.codec != audio):
            raise ValueError(self.cel[0].message)
        return self


class Thumbnail(ApiModel):
    """One still picture, JPEG."""

    width: Annotated[int, Field(ge=16, le=3840, multiple_of=2)] = 320
    """Width of the picture in pixels; it is filled wholly, what does not fit is cropped evenly."""
    height: Annotated[int, Field(ge=16, le=3840, multiple_of=2)] = 180
    """Height of the picture in pixels."""
    at_percent: Annotated[int, Field(ge=0, le=100)] = 10
    """Which moment to take, in percent of the duration."""
    quality: Annotated[int, Field(ge=1, le=100)] = 90
    """JPEG quality, 100 is best."""


class VideoProfileSpec(ApiModel):
    """How to make one output, or a template of stories. Exactly one of `rendition`, `thumbnail` and `story`."""

    cel = (
        Rule(
            "[has(self.rendition), has(self.thumbnail), has(self.story)].filter(x, x).size() == 1",
            "a VideoProfile describes exactly one thing: set one of spec.rendition, spec.thumbnail and spec.story",
        ),
    )

    output_name: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$")] | None = None
    """Name of the output in status, files and metrics; the profile's own name if absent. The built-in profile
    `webm-720p` uses it to show `webm_720p`."""
    rendition: Rendition | None = None
    """A playable file."""
    thumbnail: Thumbnail | None = None
    """A still picture."""
    story: StoryTemplate | None = None
    """A template: fields of stories with blanks, for `VideoJob.spec.story.template`."""

    @model_validator(mode="after")
    def _exactly_one(self) -> VideoProfileSpec:
        if sum(part is not None for part in (self.rendition, self.thumbnail, self.story)) != 1:
            raise ValueError(self.cel[0].message)
        return self
