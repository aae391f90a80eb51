"""Reports: everything is in one file, what is text stays text, and nothing in it runs."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianobench.errors import ResultError, UsageError
from pianobench.picture import picture
from pianobench.studies.report import Block, Link, Picture, Sound, Table, Text, write_report


class Reader(HTMLParser):
    """Collects the tags and the words of a page, by the tag they stand in."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[tuple[str, str]] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link"):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append((self._inside[-1] if self._inside else "", data))


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    pytest.importorskip("matplotlib")
    path = tmp_path / "drawn.svg"
    with picture(path, width=2, height=1) as figure:
        figure.subplots().plot([0, 1])
    return path


def test_a_report_holds_its_blocks_in_order_and_needs_nothing_else(
    tmp_path: Path, drawn: Path
) -> None:
    path = tmp_path / "new" / "report.html"
    table = Table(["who", "R2"], [["mel", "0.44"], [Link("take", "a b.flac"), "-0.48"]], "All")
    blocks: list[Block] = [Text("First.\n\nSecond.", "Heading"), table, Picture(drawn, "A line")]
    write_report(path, "A study", blocks)
    found = read(path)
    assert ("h1", "A study") in found.words
    assert [w for tag, w in found.words if tag == "p"] == ["First.", "Second."]
    cells = [w for tag, w in found.words if tag in ("th", "td", "a")]
    assert cells == ["who", "R2", "mel", "0.44", "take", "-0.48"]
    order = [tag for tag, _ in found.tags if tag in ("h2", "table", "svg")]
    assert order == ["h2", "table", "svg"]
    outside = [a.get("src") or (a.get("href") if t != "a" else None) for t, a in found.tags]
    assert [target for target in outside if target] == []
    assert "prefers-color-scheme: dark" in path.read_text()
    assert "<?xml" not in path.read_text()


def test_equal_blocks_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        write_report(tmp_path / name, "Same", [Text("x")])
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "two.html"]


@given(text=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_what_is_text_is_read_back_as_text(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("report") / "report.html"
    hostile = f'<script>{text}</script>&amp;"'
    write_report(path, hostile, [Text(hostile, hostile), Table([hostile], [[hostile]], hostile)])
    found = read(path)
    for tag in ("h1", "h2", "p", "caption", "th", "td"):
        assert (tag, hostile) in found.words
    assert "script" not in {tag for tag, _ in found.tags}


def test_a_row_that_does_not_fit_its_heads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'All' has 2 columns, and a row of 1 cells: \['mel'\]"):
        write_report(tmp_path / "r.html", "t", [Table(["a", "b"], [["mel"]], "All")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["javascript:alert(1)", " JavaScript:alert(1)", "data:x,y"])
def test_a_link_that_would_run_is_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(UsageError, match="neither a path nor an address"):
        write_report(tmp_path / "r.html", "t", [Table(["a"], [[Link("x", target)]])])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no picture", "is no SVG"),
        ("<html/>", "its root is 'html'"),
        ("<svg><script>1</script></svg>", "holds 'script'"),
        ('<svg><g onload="x()"/></svg>', "holds 'onload'"),
    ],
)
def test_a_picture_that_is_none_or_that_runs_is_refused(
    tmp_path: Path, content: str, said: str
) -> None:
    (tmp_path / "p.svg").write_text(content)
    with pytest.raises(UsageError, match=said):
        write_report(tmp_path / "r.html", "t", [Picture(tmp_path / "p.svg", "p")])


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ResultError, match="Cannot write the report"):
        write_report(tmp_path / "taken" / "r.html", "t", [])


def test_a_sound_is_played_where_it_lies_and_loaded_no_sooner(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, "Takes", [Table(["take"], [[Sound("soft & slow", "audio/a b.flac")]])])
    (player,) = [given for tag, given in read(path).tags if tag == "audio"]
    assert (player["src"], player["preload"]) == ("audio/a b.flac", "none")
    assert ("td", "soft & slow") in read(path).words
    with pytest.raises(UsageError, match="neither a path nor an address"):
        write_report(path, "Takes", [Table(["take"], [[Sound("x", "javascript:alert(1)")]])])
