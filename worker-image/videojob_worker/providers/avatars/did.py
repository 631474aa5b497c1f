"""D-ID: image and audio are uploaded, a talk is created, asked for every few seconds, brought home, and deleted there (A-046).

A talk costs credits, so it is created once for a request. The order of steps is the whole point:

1. what is about to be asked is written down (`intent`, with a name that goes along as `name` and `user_data`);
2. the talk is created, by a request that nothing repeats;
3. its id is written down, before anybody waits for it;
4. the video is kept, and that is written down, before the talk is deleted at D-ID.

What is left there when nobody goes on is withdrawn: a talk that was paid is waited for and kept, then all copies are deleted.

Whoever finds an intent without an id looks for the name among the account's talks. One that is not there may still have been
created, and paid: then the job ends as MaybeBilled, and a person decides. An answer that refuses takes the intent back.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from ...base.errors import External, NotSent, Permanent, WorkerError
from ...net.messages import Reply
from ..calling import answered_json, wrong
from .base import AVATAR_ERROR, Dealing, Errand, Performance, bring, kept
from .didapi import SERVICE, Api, age, bears, moment, nameless, now, once, wanted, young
from .fetching import AddressEnded, fetched
from .multipart import Part, form

LOOKS_SECONDS = (0.0, 2.0, 5.0, 10.0)
"""Waits before each look for a talk whose id is not known: it may take a moment to be listed."""
MAX_PAGES = 10
SLACK = timedelta(minutes=10)
"""Clocks differ: talks so much older than the intent are still looked at."""
IMAGE_BYTES, AUDIO_BYTES = 10_000_000, 15_000_000
"""Largest files that D-ID takes."""
FRESH_SECONDS = 12 * 3600
"""D-ID keeps uploads for a day at least; older ones are brought there again."""
PATIENT_SECONDS = 120
"""A talk that is being made is waited for here even when D-ID asks to be left alone for so long."""
FETCHES = 3
"""So often it is asked for another address of a finished video."""
IMAGE_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
AUDIO_TYPES = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4"}
COPIES = (("id", "/talks"), ("imageId", "/images"), ("audioId", "/audios"))
UPLOADED = tuple(f"{what}{part}" for what in ("image", "audio") for part in ("Id", "Url", "Time", "IdDeleted"))
"""What is on record of uploads; whoever forgets it uploads again."""
ASKED = ("id", "idDeleted", "intent", "intentTime")
"""What is on record of a talk; whoever forgets it asks for another."""
AT_WORK = frozenset({"created", "started"})


class Did:
    """One talk, over as many attempts as it takes."""

    version: ClassVar[int] = 1

    def perform(self, errand: Errand) -> Performance:
        """The video: kept before, waited for, looked for, or asked for."""
        found = kept(errand)
        talk = _Talk(errand)
        if found is None:
            found = talk.made(errand)
        return Performance(found.path, found.size_bytes, found.sha256, found.id, talk.clean())

    def withdraw(self, dealing: Dealing) -> tuple[str, ...]:
        """The talk is kept as soon as it is done; then talk, image and audio are deleted there, and the record says so."""
        return _Talk(dealing).withdrawn()


class _Rejected(Permanent):
    """D-ID made no video of a talk, and will not."""


class _Talk:
    def __init__(self, dealing: Dealing) -> None:
        self.dealing, self.api = dealing, Api(dealing)
        self.known = dealing.ledger.read()

    def made(self, errand: Errand) -> Performance:
        """From where it stands to the kept video."""
        if "intent" in self.known and "id" not in self.known:
            self._look()
        if "id" not in self.known:
            self._ask(errand)
        return self._brought()

    def _note(self, **more: str) -> None:
        """Write down, before going on."""
        self.known = {**self.known, **more}
        self.dealing.ledger.write(self.known)

    def _forget(self, *names: str) -> None:
        self.known = {key: value for key, value in self.known.items() if key not in names}
        self.dealing.ledger.write(self.known)

    # ------------------------------------------------------------ uploads: they cost nothing

    def _uploaded(self, what: str, path: str, file: Path, media_type: str, limit: int) -> str:
        """The address of an uploaded file; one that an earlier attempt brought there is used while it is fresh, and there."""
        there = f"{what}Url" in self.known and f"{what}IdDeleted" not in self.known
        if there and age(self.known.get(f"{what}Time")) < FRESH_SECONDS:
            return self.known[f"{what}Url"]
        self.known.pop(f"{what}IdDeleted", None)
        size = file.stat().st_size
        if size > limit:
            text = f"the {what} has {size / 1e6:.1f} MB, D-ID takes {limit / 1e6:.0f} MB"
            raise Permanent(AVATAR_ERROR, text, hint=f"give a smaller {what}, or name another provider")
        kind, body = form([Part(what, f"{what}{file.suffix}", media_type, file.read_bytes())])
        found = self.api.upload(path, body, kind)
        self._note(**{f"{what}Id": str(found["id"]), f"{what}Url": str(found["url"]), f"{what}Time": now()})
        return str(found["url"])

    # ------------------------------------------------------------ the one request that costs money

    def _ask(self, errand: Errand) -> None:
        left = self.api.credits()
        if left is not None and left <= 0:
            raise self.api.refusal(Reply(402, b'{"description": "no credits are left"}'))
        errand.told(0, "D-ID: uploading portrait and voice")
        image = self._uploaded("image", "/images", errand.image, _type(IMAGE_TYPES, errand.image), IMAGE_BYTES)
        audio = self._uploaded("audio", "/audios", errand.audio, _type(AUDIO_TYPES, errand.audio), AUDIO_BYTES)
        count = int(self.known.get("asked", "0")) + 1
        name = f"{errand.tag}.{count}"
        errand.means.check()
        free = errand.ledger.claim(name)
        self._note(intent=name, intentTime=now(), asked=str(count))
        if not free:  # another pod was here, and nobody knows how far it came
            self._look()
            return
        try:
            reply = self.api.create(wanted(errand, image, audio, name))
        except NotSent as error:
            self._forget("intent", "intentTime")
            raise _named(error) from None
        except Permanent:  # the wall: nothing was sent
            self._forget("intent", "intentTime")
            raise
        except External:
            self._look()
            return
        if reply.status >= 500:
            self._look()  # it may have been created all the same, as after a 504
        elif not 200 <= reply.status < 300:
            self._forget("intent", "intentTime")
            raise self.api.refusal(reply)
        else:
            self._take(reply)

    def _take(self, reply: Reply) -> None:
        try:
            found = answered_json(SERVICE, reply)
        except WorkerError:
            found = None
        name = found.get("id") if isinstance(found, dict) else None
        if isinstance(name, str) and 0 < len(name) <= 128 and name.isprintable():
            self._note(id=name)
        else:
            self._look()  # created, under an id that nobody read

    def _look(self) -> None:
        """Find the talk of the intent; else nobody knows. Raises Permanent (MaybeBilled), or External when nobody could look."""
        name = self.known["intent"]
        for wait in LOOKS_SECONDS:
            if wait:
                self.dealing.means.wait(wait)
            self.dealing.means.check()
            found = self._listed(name)
            if found is not None:
                self._note(id=found)
                return
        raise Permanent(
            "MaybeBilled", f"maybe billed: D-ID was asked for the talk {name}, its answer was lost, and D-ID lists no such talk",
            hint="look at the D-ID account; then drive the VideoJob again from AvatarGeneration, which asks for another talk",
        )  # fmt: skip

    def _listed(self, name: str) -> str | None:
        """Id of the talk of that name among those that are young enough."""
        since = moment(self.known.get("intentTime")) - SLACK
        token: str | None = None
        for _ in range(MAX_PAGES):
            rows, token = self.api.talks(token)
            for row in rows:
                if bears(row, name) or (nameless(row) and young(row, since) and bears(self._whole(row), name)):
                    return str(row["id"])
            if token is None or (rows and not any(young(row, since) for row in rows)):
                return None
        return None

    def _whole(self, row: dict[str, Any]) -> dict[str, Any]:
        """A talk whose entry in the list leaves its names out."""
        return (self.api.talk(str(row["id"])) if "id" in row else None) or {}

    # ------------------------------------------------------------ the video

    def _brought(self) -> Performance:
        """Wait for the talk, and bring its video home."""
        for _ in range(FETCHES):
            talk = self._done()
            self.dealing.told(85, "D-ID: the video is ready")
            try:
                made = fetched(talk.get("result_url"), self.dealing, SERVICE)
            except AddressEnded:
                continue  # signed addresses end; each look at the talk gives a new one
            return bring(self.dealing, made, self.known)
        raise External(
            AVATAR_ERROR, "D-ID's addresses of the finished video lead nowhere", hint="it is tried again later"
        )

    def _done(self) -> dict[str, Any]:
        """The talk once it is done. Raises External while it takes too long; the next attempt waits on."""
        name, choice, means = self.known["id"], self.dealing.choice, self.dealing.means
        poll, quiet = Api(once(self.dealing)), 0
        looks = max(1, choice.patience_seconds // choice.poll_seconds)
        for place in range(looks):
            means.check()
            try:
                talk = poll.talk(name)
                quiet = 0
            except WorkerError as error:
                quiet += 1
                wait = error.retry_after_seconds or 0
                if isinstance(error, Permanent) or wait > PATIENT_SECONDS or quiet > means.retries + 2:
                    raise
                means.wait(max(wait, choice.poll_seconds))
                continue
            if talk is None:
                raise Permanent(
                    "MaybeBilled", f"maybe billed: D-ID knows the talk {name} no more, and its video was not brought home",
                    hint="look at the D-ID account; then drive the VideoJob again from AvatarGeneration, which asks for another",
                )  # fmt: skip
            status = talk["status"]
            if status == "done":
                return talk
            if status not in AT_WORK:
                self._failed(name, talk)
            self.dealing.told(50 + min(30, place), f"D-ID: the talk is {status}")
            means.wait(choice.poll_seconds)
        text = f"D-ID has not finished the talk {name} within {choice.patience_seconds} s"
        raise External(AVATAR_ERROR, text, hint="it is waited for again; raise avatar.provider.patienceSeconds")

    def _failed(self, name: str, talk: dict[str, Any]) -> None:
        """A talk that became no video: `rejected` stays so, an `error` is worth another talk by a later attempt."""
        error = talk.get("error") if isinstance(talk.get("error"), dict) else {}
        why = str((error or {}).get("description") or (error or {}).get("kind") or "it does not say why")[:300]
        text = f"D-ID: the talk {name} is {talk['status']}: {why}"
        if talk["status"] == "rejected":
            raise _Rejected(
                AVATAR_ERROR, text, hint="D-ID's moderation refuses this portrait or these words: change them"
            )
        if talk["status"] == "error":
            text = "; ".join((text, *self.clean()))
            self._forget(*ASKED, *UPLOADED)
            raise External(AVATAR_ERROR, text, hint="another talk is asked for; D-ID bills none that failed")
        raise wrong(SERVICE, f"the talk has a status that is not known: {str(talk['status'])[:40]}")

    def clean(self) -> tuple[str, ...]:
        """Delete what lies at D-ID, once the video is kept; what stays there is told."""
        known = self.dealing.ledger.read()
        gone, notes = [], []
        for what, path in COPIES:
            if what in known and f"{what}Deleted" not in known:
                note = self.api.delete(path, known[what])
                notes += [note] if note is not None else []
                gone += [f"{what}Deleted"] if note is None else []
        if gone:
            self.known = {**known, **dict.fromkeys(gone, "yes")}
            self.dealing.ledger.write(self.known)
        return tuple(notes)

    # ------------------------------------------------------------ when nobody goes on

    def withdrawn(self) -> tuple[str, ...]:
        """Leave nothing there, and the record so that a redrive finds the video, or asks for a talk where none was made.

        Raises External: something is left there.
        """
        notes, over = self._saved() if kept(self.dealing) is None else ((), False)
        self.dealing.means.check()
        left = self.clean()
        if over and "idDeleted" in self.known:
            self._forget(*ASKED)
        if left:
            raise External(AVATAR_ERROR, "; ".join(left), hint="it is tried again; else delete it in the D-ID account")
        if kept(self.dealing) is None:
            self._forget(*UPLOADED)
        return notes

    def _saved(self) -> tuple[tuple[str, ...], bool]:
        """Bring home what was paid, as soon as it is done; what could not be, and whether the talk came to nothing."""
        try:
            if "intent" in self.known and "id" not in self.known:
                self._look()
            if "id" in self.known and "idDeleted" not in self.known:
                self._brought()
        except _Rejected as error:
            return (error.message,), True
        except Permanent as error:
            if error.code != "MaybeBilled":
                raise  # not to be had for now: it stays there for whoever mends that
            return (error.message,), False
        except External:
            if "id" in self.known:
                raise
        return (), False


def _named(error: External) -> External:
    named = External(AVATAR_ERROR, f"D-ID: {error.message}", hint=error.hint)
    named.retry_after_seconds = error.retry_after_seconds
    return named


def _type(types: dict[str, str], file: Path) -> str:
    found = types.get(file.suffix.lower())
    if found is None:
        raise Permanent(
            AVATAR_ERROR, f"D-ID takes {' and '.join(sorted(types))}, not {file.suffix or 'a file without a suffix'}",
            hint="name another provider",
        )  # fmt: skip
    return found
