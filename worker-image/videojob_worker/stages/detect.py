"""Detection: who is in the picture or the video, and whose portrait it is (A-001, A-002, A-014, A-041)."""

from __future__ import annotations

from collections.abc import Iterator

from videojob_api.avatar.tasks import PORTRAIT_FILE, DetectParams
from videojob_api.contract import StageResult, canonical_json, content_key
from videojob_api.keeping import PERSON_PARTS
from videojob_api.v1alpha1 import AvatarStatus, PersonDetection
from videojob_api.v1alpha1.avatar import MOST_PERSONS, USUAL_CONFIDENCE, Detection

from ..base.errors import BadConfig, Permanent
from ..vision import filming, people
from ..vision.boxes import Box, Picture
from ..vision.detectors import open_detector
from ..vision.models import confidence
from .context import Context
from .footage import Footage, film_of, frames
from .kept import once
from .scenes import written
from .sitting import FOUND_FILE, Sitter, Sitters, mounted, named, picture, portrait_of

VERSION = 2
"""Raise it when the same key would find others."""


def run(context: Context) -> StageResult:
    """Write who was chosen. Raises Permanent: NoPersons, NoSuchPerson, TooManyPersons."""
    params = context.params
    if not isinstance(params, DetectParams):
        raise BadConfig("BadDocument", "stage detect got another stage's params")
    looked = {
        "detection": params.detection.dump(),
        "portrait": portrait_of(context),
        "confidence": _sure(params.detection),
    }
    seen = content_key(PERSON_PARTS, VERSION, looked, ())
    return once(context, PERSON_PARTS, seen, lambda: _found(context, params.detection))


def _found(context: Context, asked: Detection) -> StageResult:
    film = film_of(context)
    context.progress(10, "Looking for people")
    with named("avatar.detection.weights"):
        detector = open_detector(asked.detector, **mounted(context, asked.weights, asked.precision))
    bounds = {"confidence": _sure(asked), "second": asked.second_pass_percent / 100}
    looks: tuple[filming.Look, ...] = ()
    start = 0
    if film is None:
        portrait = picture(context, "upload", PORTRAIT_FILE)
        size = (portrait.shape[1], portrait.shape[0])
        found = people.find(detector, portrait, overlap=asked.iou_percent / 100, **bounds)
    else:
        size = (film.width, film.height)
        looks = tuple(
            filming.looked(
                detector, _watched(context, film), confidence=min(bounds.values()), overlap=asked.iou_percent / 100
            )
        )
        start, found = filming.meet(looks, **bounds)
    chosen = people.choose(found, asked.select, size, asked.index)
    every = asked.select == "All"
    if len(chosen) > MOST_PERSONS:
        text = f"{len(chosen)} persons detected, avatar.detection.select All makes videos of {MOST_PERSONS} at most"
        raise Permanent(
            "TooManyPersons", text, hint="cut the picture, or choose with select Index, one VideoJob for each"
        )
    person = found.persons[chosen[0] - 1]
    sitting = tuple(
        _sitter(found.persons[number - 1], size, asked.crop, number if every else None) for number in chosen
    )
    followed: str | None = None
    company: bool | None = None
    if film is not None:
        ways = filming.follow(looks, start, [found.persons[number - 1] for number in chosen], float(film.rate))
        sitting = tuple(
            one.model_copy(update={"followed": tuple(map(_edges, way.boxes))})
            for one, way in zip(sitting, ways, strict=True)
        )
        company = any(len(look) > 1 for look in looks)
        followed = f"seen in {len(looks) - max(way.lost for way in ways)} of {len(looks)} looks at {film.count} frames"
    everybody = Sitters(sitters=sitting, company=company)
    record = written(context.staging, FOUND_FILE, canonical_json(everybody.dump()))
    again = f"it took a second look, at {found.confidence:g}, to find anybody" if found.again else None
    notes = tuple(note for note in (again, followed, detector.note) if note is not None)
    return StageResult(
        kind=context.kind.kind, message=people.message(found, chosen)[:200], parts=(record,), notes=notes,
        accelerator=detector.accelerator, degraded=(detector.degraded,) if detector.degraded is not None else (),
        avatar=AvatarStatus(
            person_detection=PersonDetection(
                total_persons=len(found.persons), selected_person_id=chosen[0],
                confidence=round(min(1.0, float(person.confidence)), 3), detector=detector.name,
                selected_person_ids=chosen if every else None,
            )
        ),
    )  # fmt: skip


def _sure(asked: Detection) -> float:
    """How sure the detector has to be: as the spec says, else as the worker class does, else as everywhere (A-001, A-022)."""
    if asked.confidence_percent is not None:
        return asked.confidence_percent / 100
    given = confidence()
    return given if given is not None else USUAL_CONFIDENCE / 100


def _watched(context: Context, film: Footage) -> Iterator[Picture]:
    """The frames that are looked at, while the percent grows with them."""
    for place, frame in enumerate(frames(film, filming.LOOK_EVERY)):
        number = place * filming.LOOK_EVERY
        context.check()
        context.progress(
            min(99, 10 + 90 * number // film.count), f"Looking for people in frame {number} of {film.count}"
        )
        yield frame


def _sitter(person: people.Person, size: tuple[int, int], crop: str, number: int | None) -> Sitter:
    shown = people.upper_body(person, size) if crop == "UpperBody" else None
    return Sitter(person=_edges(person.box), crop=_edges(shown) if shown is not None else None, number=number)


def _edges(box: Box) -> tuple[float, float, float, float]:
    return (float(box.left), float(box.top), float(box.right), float(box.bottom))
