"""FFmpeg's progress lines become percent, speed and ETA."""

from __future__ import annotations

from videojob_worker.media.progress import ProgressReader, Sample


def feed(reader: ProgressReader, text: str) -> list[Sample]:
    return [sample for line in text.split() if (sample := reader.feed(line)) is not None]


def test_a_block_gives_percent_speed_and_seconds_left() -> None:
    reader = ProgressReader(10_000)
    block = "frame=75 fps=60.0 out_time_us=2500000 out_time_ms=2500000 speed=2.5x progress=continue"
    assert feed(reader, block) == [Sample(25, "2.5x", 3)]
    assert reader.clock == 2575


def test_what_is_not_known_yet_is_left_out() -> None:
    reader = ProgressReader(10_000)
    assert feed(reader, "frame=0 out_time_us=N/A speed=N/A progress=continue") == [Sample(0, None, None)]
    assert feed(reader, "out_time_us=-9223372036854775807 speed=0x progress=continue") == [Sample(0, None, None)]


def test_percent_never_reaches_100_before_the_process_has_ended() -> None:
    assert feed(ProgressReader(1000), "out_time_us=1000000 speed=1x progress=end") == [Sample(99, "1x", 0)]


def test_an_unknown_duration_gives_no_percent() -> None:
    assert feed(ProgressReader(0), "out_time_us=1000000 speed=12.34x progress=continue") == [Sample(0, "12.3x", 0)]


def test_the_media_clock_stands_still_when_the_encoder_does() -> None:
    reader = ProgressReader(10_000)
    feed(reader, "frame=10 out_time_us=100000 progress=continue")
    before = reader.clock
    feed(reader, "frame=10 out_time_us=100000 total_size=999 progress=continue")
    assert reader.clock == before


def test_large_speeds_keep_to_the_contract_s_form() -> None:
    (sample,) = feed(ProgressReader(10_000), "out_time_us=1000000 speed=1.23e+03x progress=continue")
    assert sample.speed == "1230x"
