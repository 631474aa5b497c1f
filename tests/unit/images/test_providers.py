"""Pictures without a service: the stock, plain backgrounds, and the table of providers (S-036 to S-038, S-055, S-056)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import galleries
import voices
from galleries import link, wish
from videojob_worker.base.errors import Permanent
from videojob_worker.providers.images import IMAGES, provider
from videojob_worker.providers.images.base import Picture, Wish, key
from videojob_worker.providers.images.files import named


def test_a_key_that_is_not_there_names_secret_and_field(tmp_path: Path) -> None:
    choice = link("pexels", secretName="absent")
    with pytest.raises(Permanent) as caught:
        provider(choice).find(wish(), choice, voices.means(tmp_path))
    assert "Secret absent" in caught.value.message
    assert "kubectl create secret" in str(caught.value.hint)


# ---------------------------------------------------------------- offline
@pytest.fixture
def stock(tmp_path: Path) -> Path:
    """Pictures of a team."""
    for name in ("nature/red-fox.jpg", "nature/blue_whale.png", "city/night/tower.jpg", "city/train.mp4", "readme.md"):
        path = tmp_path / "stock" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "stock/city/night/tower.txt").write_text("Skyline, castle")
    return tmp_path / "stock"


def pick(stock: Path, want: Wish, **more: Any) -> str | None:
    choice = link("files", **more)
    found = provider(choice).find(want, choice, replace(voices.means(stock.parent), stock=stock))
    return str(found.path.relative_to(stock)) if found is not None and found.path is not None else None


@pytest.mark.parametrize(
    ("want", "more", "found"),
    [
        (wish("Two foxes run."), {}, "nature/red-fox.jpg"),
        (wish("An old castle."), {}, "city/night/tower.jpg"),
        (wish("Foxes everywhere, red ones.", tags=["whale"]), {}, "nature/blue_whale.png"),
        (wish("The train leaves."), {}, "city/train.mp4"),
        (wish("Nothing fits here."), {}, None),
        (wish("Nothing fits here."), {"uri": "store://stock/city/night"}, "city/night/tower.jpg"),
    ],
    ids=lambda value: str(getattr(value, "text", value))[:30],
)
def test_s_036_the_stock_answers_to_words_and_tags(
    stock: Path, want: Wish, more: dict[str, Any], found: str | None
) -> None:
    """S-055, S-056."""
    assert pick(stock, want, **more) == found


@pytest.mark.parametrize("uri", ["store://stock/../secret.jpg", "store://stock/out/x.jpg", "store://stock/none.jpg"])
def test_the_stock_is_not_left(stock: Path, uri: str) -> None:
    (stock.parent / "secret.jpg").write_bytes(b"x")
    (stock.parent / "elsewhere").mkdir()
    (stock.parent / "elsewhere" / "x.jpg").write_bytes(b"x")
    (stock / "out").symlink_to(stock.parent / "elsewhere")
    with pytest.raises(Permanent):
        named(uri, stock)


def test_plain_backgrounds_need_nothing(tmp_path: Path) -> None:
    """S-037, S-038."""
    made = {}
    for name in ("solid", "gradient", "card"):
        choice = link(name)
        made[name] = provider(choice).find(
            wish(color="#102030" if name == "solid" else None), choice, voices.means(tmp_path)
        )
    assert made["solid"] == Picture("colour", color="#102030")
    assert made["card"] == Picture("card", color="#1A1A2E")
    assert made["gradient"] is not None
    assert made["gradient"].color_to is not None


def test_the_table_is_whole_and_an_unknown_name_lists_the_known() -> None:
    for name, row in IMAGES.items():
        assert row.name == name
        found = provider(link(name))
        assert isinstance(found.version, int)
        assert found.keeps is row.online
    with pytest.raises(Permanent, match="known: files, stock, solid"):
        provider(link("nobody"))


def test_the_same_wish_has_the_same_key_and_nothing_secret_is_in_it() -> None:
    """S-056."""
    one = key(wish(), link("pexels", secretName="a"), 1)
    assert one == key(wish(), link("pexels", secretName="b"), 1)
    others = {
        key(wish(query="other"), link("pexels"), 1), key(wish(size=(10, 10)), link("pexels"), 1),
        key(wish(), link("unsplash"), 1), key(wish(), link("pexels"), 2), key(wish(), link("pexels", model="x"), 1),
    }  # fmt: skip
    assert len(others | {one}) == 6


def test_galleries_cover_every_service() -> None:
    assert set(galleries.PATHS) == {name for name, row in IMAGES.items() if row.online}
