"""The demo's clip: half a minute of landscape as a camera held by hand would see it, drawn by FFmpeg on this machine.

Nothing is downloaded. Clouds, rock and grass are 1/f noise, lit from one side; three layers move past each other as the
camera pans and shakes, two balloons drift, the light changes, every frame has its grain, and a voice speaks over a guitar-like
arpeggio. So an encoder meets what it meets in real videos: fine moving detail, noise, slow gradients, speech and music.

    python3 hack/demo/clip.py        prints the path of the clip, made on first use and kept in the user's cache
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = 32
RATE = 30
SIZE = (1920, 1080)
WORLD = (2880, 1296)
"""The landscape is larger than the picture: the camera looks at a part of it."""
CANVAS = (1440, 648)
"""It is painted in half the size and enlarged; what that loses, the fine noise laid over it gives back."""
BALLOON = (200, 288)

SPEECH = (
    "This is a clip like one that a camera makes. Every request becomes one video job. "
    "The cluster you already have turns it into seven hundred twenty, four hundred eighty and three hundred sixty lines, "
    "into a web video, and into a thumbnail. Nothing here was downloaded, and nothing leaves your machine."
)
OCTAVES = ((6, 4, 40), (12, 6, 27), (24, 11, 16), (48, 22, 9), (96, 43, 6), (192, 86, 4), (384, 173, 3), (720, 324, 2))
"""(width, height, weight): noise of each size, enlarged and summed, has a 1/f spectrum as landscapes do."""


def noise(seed: int, label: str) -> str:
    """A grey picture of 1/f noise."""
    parts = []
    for index, (width, height, _) in enumerate(OCTAVES):
        dice = f"mod(abs(sin(X*12.9898+Y*78.233+{seed * 7 + index}*37.719)*43758.5453),1)"
        # In two steps: a filter stretched a hundredfold at once shows its seams.
        step = f"scale={width * 8}:{height * 8}:flags=bicubic," if width < 100 else ""
        parts.append(
            f"nullsrc=s={width}x{height}:r=25:d=0.04,format=gray,geq=lum='255*{dice}',{step}"
            f"scale={CANVAS[0]}:{CANVAS[1]}:flags=bicubic[{label}{index}]"
        )
    inputs = "".join(f"[{label}{index}]" for index in range(len(OCTAVES)))
    weights = " ".join(str(weight) for _, _, weight in OCTAVES)
    return ";".join([*parts, f"{inputs}mix=inputs={len(OCTAVES)}:weights='{weights}',format=gray[{label}]"])


def _paint(steps: tuple[str, ...], channels: tuple[str, str, str], alpha: str | None = None) -> str:
    """A geq filter: every channel computes the same steps, kept in the variables 0, 1, 2 ..., then its own value."""
    head = "".join(f"st({index},{step});" for index, step in enumerate(steps))
    parts = [f"{name}='{head}clip({value},0,255)'" for name, value in zip("rgb", channels, strict=True)]
    if alpha is not None:
        parts.append(f"a='{head}255*clip({alpha},0,1)'")
    return "geq=" + ":".join(parts)


def _sky() -> str:
    steps = (
        "exp(-(pow(X-0.72*W,2)+pow(Y-0.30*H,2))/(2*pow(0.16*W,2)))",  # 0: glow round the sun
        "clip((g(X,Y)*0.7+b(X,min(H-1,Y*1.4))*0.3-118)/46,0,1)*0.86",  # 1: cloud
        "clip((g(X,Y)-g(max(0,X-5),max(0,Y-4)))*2.0,-30,30)",  # 2: light on the cloud
        "pow(clip(Y/(0.60*H),0,1),0.8)",  # 3: down to the horizon
    )

    def channel(top: int, low: int, sun: int) -> str:
        return f"({top}+{low - top}*ld(3)+{sun}*ld(0))*(1-ld(1))+(236+ld(2)+{0.2 * sun}*ld(0))*ld(1)"

    return _paint(steps, (channel(58, 205, 60), channel(108, 212, 40), channel(178, 222, 8)))


def _mountains() -> str:
    steps = (
        # 0: the ridge, from two rows of the noise: coarse for the massif, fine for the teeth
        "0.50*H-(g(X*0.75,45)-128)*1.3-(b(X,150)-128)*0.28",
        "clip((Y-ld(0))/(0.30*H),0,1)",  # 1: depth below it
        "clip((b(min(W-1,X+2),Y)-b(max(0,X-2),max(0,Y-1)))*5.0,-60,60)",  # 2: light on the rock
        "clip((0.20-ld(1))*7+(r(X,Y)-128)/22,0,1)",  # 3: snow
        "clip(0.22+0.75*pow(ld(1),1.4),0,1)",  # 4: haze
    )

    def channel(rock: int, snow: int, air: int) -> str:
        return f"({rock}+{snow - rock}*ld(3)+ld(2)*(1-0.45*ld(3)))*(1-ld(4))+{air}*ld(4)"

    return _paint(steps, (channel(92, 232, 176), channel(96, 236, 192), channel(104, 244, 206)), "Y-ld(0)")


def _meadow() -> str:
    steps = (
        "0.66*H-(r(X*0.5+200,350)-128)*0.65+0.05*H*sin(X/W*5)",  # 0: the ridge
        "clip((Y-ld(0))/(0.40*H),0,1)",  # 1: towards the viewer
        "clip((g(min(W-1,X+1),Y)-g(max(0,X-1),max(0,Y-1)))*5,-46,46)",  # 2: light on the grass
        "clip((b(X,Y*0.9)-136)/9,0,1)*clip(1.25-1.1*ld(1),0,1)",  # 3: trees
        "clip((b(X*0.4,Y)-110)/60,0,1)",  # 4: dry grass
        "0.80+0.25*ld(1)",  # 5: brightness
    )

    def channel(grass: int, dry: int, tree: int) -> str:
        ground = f"({grass}+{dry - grass}*ld(4)+ld(2))"
        return f"({ground}*(1-ld(3))+({tree}+ld(2)*0.8)*ld(3))*ld(5)"

    edge = "(Y-ld(0)-(b(X,Y)-128)*0.08)"
    return _paint(steps, (channel(86, 148, 34), channel(118, 140, 58), channel(46, 74, 30)), edge)


def _balloon(hue: tuple[int, int, int], other: tuple[int, int, int]) -> str:
    shell = "lt(pow((X-100)/96,2)+pow((Y-104)/102,2),1)"
    cone = "between(Y,150,236)*lt(abs(X-100),84-(Y-150)*0.78)"
    basket = "between(Y,252,282)*lt(abs(X-100),17)"
    ropes = "between(Y,232,254)*lt(abs(abs(X-100)-15),2)"
    stripe = "gt(sin(asin(clip((X-100)/(100-0.18*abs(Y-104)),-1,1))*9+1.2),0)"
    light = "(0.60+0.55*clip(1-hypot(X-66,Y-62)/150,0,1))"
    parts = [
        f"clip(if(gt({basket}+{ropes},0),{wood},({a}*{stripe}+{b}*(1-{stripe}))*{light}),0,255)"
        for a, b, wood in zip(hue, other, (96, 66, 38), strict=True)
    ]
    return (
        f"nullsrc=s={BALLOON[0]}x{BALLOON[1]}:r=25:d=0.04,format=gbrap,"
        f"geq=r='{parts[0]}':g='{parts[1]}':b='{parts[2]}':a='255*gt({shell}+{cone}+{basket}+{ropes},0)'"
    )


def stills(folder: Path) -> None:
    """Paint the layers: sky, mountains, meadow, two balloons."""
    world = "[{0}a][{0}b][{0}c]mergeplanes=0x001020:gbrp"
    graph = [noise(1, "n"), noise(2, "m"), noise(3, "k")]
    graph += [f"[{name}]split=3[{first}][{second}][{third}]" for name, first, second, third in (
        ("n", "sa", "fa", "ga"), ("m", "sb", "fb", "gb"), ("k", "sc", "fc", "gc"),
    )]  # fmt: skip
    large = f"scale={WORLD[0]}:{WORLD[1]}:flags=lanczos"
    fine = f"{large},noise=c0s=14:c0f=p:c1s=14:c1f=p:c2s=14:c2f=p,unsharp=5:5:0.9"
    graph += [
        f"{world.format('s')},{_sky()},{large}[sky]",
        f"{world.format('f')},format=gbrap,{_mountains()},{fine}[far]",
        f"{world.format('g')},format=gbrap,{_meadow()},{fine}[near]",
        f"{_balloon((206, 52, 40), (244, 214, 120))}[red]",
        f"{_balloon((44, 98, 170), (232, 236, 240))}[blue]",
    ]
    argv = ["-filter_complex_threads", "2", "-filter_complex", ";".join(graph)]
    for name in ("sky", "far", "near", "red", "blue"):
        argv += ["-map", f"[{name}]", "-frames:v", "1", "-compression_level", "1", str(folder / f"{name}.png")]
    _ffmpeg(*argv)


def _layer(index: int, label: str, scale: str = "") -> str:
    """A still as an endless stream without decoding it again for every frame."""
    return f"[{index}:v]{scale}format=yuva420p,loop=loop=-1:size=1:start=0,setpts=N/{RATE}/TB[{label}]"


def film(folder: Path, target: Path) -> None:
    """Pan over the layers by hand, add balloons, light and grain; speech and music below."""
    width, height = SIZE
    room = (WORLD[0] - width, WORLD[1] - height)
    way = f"(0.5-0.5*cos(PI*t/{SECONDS}))"
    shake = "(5*sin(t*2.3)+3*sin(t*5.9+1)+1.6*sin(t*13.1))", "(4*sin(t*1.9+2)+3*sin(t*6.7)+1.4*sin(t*11.3))"

    def camera(part: float) -> str:
        """Where a layer lies: the nearer, the more it moves."""
        x = f"-{room[0] * (1 - part) / 2:.0f}-{room[0] * part - 40:.0f}*{way}-20+{part}*{shake[0]}"
        y = f"-{room[1] / 2:.0f}-{room[1] * 0.30 * part:.0f}*sin(t/7)+{part}*{shake[1]}"
        return f"x='{x}':y='{y}'"

    drift = f"x='1240+6*t-{room[0] * 0.35:.0f}*{way}':y='330-7*t+14*sin(t*0.7)'"
    rise = f"x='420+11*t-{room[0] * 0.6:.0f}*{way}+160':y='560-13*t+10*sin(t*0.9+1)'"
    graph = [
        _layer(0, "sky"),
        _layer(1, "far"),
        _layer(2, "near"),
        _layer(3, "red"),
        _layer(4, "blue", "scale=iw*0.55:ih*0.55,"),
        f"color=black:s={width}x{height}:r={RATE}:d={SECONDS},format=yuv420p[base]",
        f"[base][sky]overlay={camera(0.15)}:shortest=1[a]",
        f"[a][blue]overlay={drift}[b]",
        f"[b][far]overlay={camera(0.45)}[c]",
        f"[c][red]overlay={rise}[d]",
        f"[d][near]overlay={camera(1.0)}[e]",
        (
            "[e]eq=brightness='0.035*sin(t*0.55)-0.02*sin(t*1.7)':saturation=1.12:gamma=1.04:eval=frame,"
            "noise=c0s=9:c0f=t+u:c1s=4:c1f=t+u:c2s=4:c2f=t+u,format=yuv420p[v]"
        ),
        _sound(),
    ]
    inputs = [part for name in ("sky", "far", "near", "red", "blue") for part in ("-i", str(folder / f"{name}.png"))]
    _ffmpeg(
        *inputs, "-filter_complex", ";".join(graph), "-map", "[v]", "-map", "[sound]", "-t", str(SECONDS), "-r", str(RATE),
        "-c:v", "libx264", "-preset", "superfast", "-crf", "23", "-maxrate", "14M", "-bufsize", "28M", "-g", "60",
        "-c:a", "aac", "-b:a", "160k", "-ar", "48000", "-movflags", "+faststart", str(target),
    )  # fmt: skip


def _sound() -> str:
    """An arpeggio of plucked tones in four chords, and a voice where this FFmpeg has one."""
    chords = ((220.0, 261.63, 329.63, 440.0), (174.61, 220.0, 261.63, 349.23),
              (130.81, 196.0, 261.63, 329.63), (196.0, 246.94, 293.66, 392.0))  # fmt: skip
    beat = 0.25
    period = beat * 8
    order = (0, 1, 2, 3, 2, 1, 2, 1)
    notes = []
    for bar, chord in enumerate(chords):
        for place, step in enumerate(order):
            begin = bar * period + place * beat
            since = f"mod(t-{begin}+{4 * period},{4 * period})"
            tone = f"(sin(2*PI*{chord[step]}*t)+0.45*sin(2*PI*{2 * chord[step]}*t)+0.2*sin(2*PI*{3 * chord[step]}*t))"
            notes.append(f"{tone}*exp(-3.2*{since})*(1-exp(-400*{since}))*lt({since},1.6)")
    music = "+".join(f"0.06*{note}" for note in notes)
    left = f"aevalsrc=exprs='{music}':s=24000:d={SECONDS}"
    rendered = f"{left},aecho=0.8:0.5:37|61:0.25|0.2,aresample=48000,aformat=channel_layouts=stereo"
    if not _has_voice():
        return f"{rendered},alimiter[sound]"
    return (
        f"{rendered}[music];flite=text='{SPEECH}':voice=slt,aresample=48000,adelay=1500:all=1,volume=1.4,"
        f"apad=whole_dur={SECONDS},aformat=channel_layouts=stereo[voice];"
        "[music][voice]amix=inputs=2:duration=first:normalize=0,alimiter[sound]"
    )


def _has_voice() -> bool:
    done = subprocess.run(["ffmpeg", "-hide_banner", "-filters"], capture_output=True, text=True, check=False)
    return " flite " in done.stdout


def _ffmpeg(*arguments: str) -> None:
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg failed while making the demo's clip: {done.stderr.strip()[-2000:]}")


def cache() -> Path:
    """Where made clips are kept, outside the checkout."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "videojob" / "demo"


def ensure() -> Path:
    """The clip: made once for each version of this file."""
    version = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    path = cache() / f"landscape-{version}.mp4"
    if not path.exists() or not path.stat().st_size:  # a machine that lost its power leaves an empty one
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            stills(Path(folder))
            film(Path(folder), Path(folder) / "clip.mp4")
            (Path(folder) / "clip.mp4").replace(path)
    return path


if __name__ == "__main__":
    try:
        print(ensure())
    except (RuntimeError, FileNotFoundError) as error:
        sys.exit(f"the demo's clip could not be made: {error}")
