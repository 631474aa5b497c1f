"""What the namespace's cache keeps by its content, beside whole outputs: kinds of entries, and how long each is kept."""

from __future__ import annotations

VOICE_PARTS, PICTURE_PARTS, PIECE_PARTS, SOUND_PARTS, SCRIPT_PARTS = "voice", "picture", "piece", "sound", "script"
STILL_PARTS = "still"
"""Of stories: single sentences, pictures and pieces of video, the laid sounds of whole films, scripts, and thumbnails."""
PERSON_PARTS, MASK_PARTS = "person", "mask"
"""Of avatars: who is in a picture, and somebody cut out of it (A-037)."""
KEPT_SECONDS: dict[str, int] = {
    VOICE_PARTS: 30 * 86_400,
    PICTURE_PARTS: 7 * 86_400,
    PIECE_PARTS: 7 * 86_400,
    SOUND_PARTS: 7 * 86_400,
    SCRIPT_PARTS: 30 * 86_400,
    STILL_PARTS: 7 * 86_400,
    PERSON_PARTS: 7 * 86_400,
    MASK_PARTS: 7 * 86_400,
}
"""How long these are kept at least after their last use (S-034, S-035, S-056)."""
