"""Print what `pip install '.[EXTRA]'` would install besides the project itself: its dependencies and those of the extra.

Runs inside an image build (`requirements.py pyproject.toml EXTRA`), so that the layer with the dependencies can be kept
while the project's own source changes.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

_OWN_EXTRAS = re.compile(r"^(?P<name>[\w.-]+)\[(?P<extras>[\w,.\s-]+)\]$")


def requirements(project: dict[str, Any], extra: str) -> list[str]:
    """The requirements in the order of the file; extras that name other extras of the project are followed.

    Raises KeyError if the project has no such extra.
    """
    found = list(project.get("dependencies", []))
    pending, done = [extra], set()
    while pending:
        current = pending.pop(0)
        if current in done:
            continue
        done.add(current)
        for item in project["optional-dependencies"][current]:
            own = _OWN_EXTRAS.match(item)
            if own and own["name"] == project["name"]:
                pending += [name.strip() for name in own["extras"].split(",")]
            else:
                found.append(item)
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    with Path(sys.argv[1]).open("rb") as source:
        print("\n".join(requirements(tomllib.load(source)["project"], sys.argv[2])))
