"""The written site: deterministic, self-contained, escaped, careful with other people's files."""

import itertools
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pytest

from benchbox import report
from benchbox.errors import ResultError
from benchbox.protocols import protocol_card
from benchbox.report.inputs import results as stored
from benchbox.report.pages.shared_data import Sources
from benchbox.report.site_build import output, site

VOID = {"meta", "link", "br", "img", "hr", "input", "circle", "rect"}


class Page(HTMLParser):
    """What a test asks of a page: its tags, ids and links.

    Complains about tags that do not match.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = {key: value or "" for key, value in attrs}
        assert len(given) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, given))
        self.ids += [given["id"]] if "id" in given else []
        if tag not in VOID and tag != "path":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag in tags]


@pytest.fixture
def made(results, demo, demo_card, demo_references) -> dict[str, bytes]:
    found, problems = stored.read_results(results)
    return site.render_files(
        Sources((demo,), (demo_card,), demo_references, tuple(found), tuple(problems))
    )


def pages(made: dict[str, bytes]) -> dict[str, Page]:
    return {
        path: Page(content.decode()) for path, content in made.items() if path.endswith(".html")
    }


# --- what a page holds ----------------------------------------------------------------------------


def test_every_page_is_well_formed_with_one_heading_and_unique_ids(made):
    for path, page in pages(made).items():
        assert len(page.all("h1")) == 1, path
        assert len(page.ids) == len(set(page.ids)), path
        assert page.all("html")[0]["lang"] == "en"
        assert page.all("a")[0] == {"class": "skip", "href": "#main"}
        assert len(page.all("table")) == len(page.all("caption")), (
            f"{path}: a table without a caption"
        )


def test_headings_skip_no_level(made):
    for path, page in pages(made).items():
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), (path, levels)


def test_every_link_inside_the_site_leads_somewhere(made):
    parsed = pages(made)
    for path, page in parsed.items():
        for tag in page.all("a", "link", "script"):
            if tag.get("type") == "application/json":
                continue
            address = urlsplit(tag.get("href") or tag.get("src") or "")
            if address.scheme:
                continue
            target = path
            if address.path:
                parts: list[str] = []
                for part in (PurePosixPath(path).parent / unquote(address.path)).parts:
                    parts = parts[:-1] if part == ".." else [*parts, part]
                target = "/".join(parts)
            assert target in made, (path, address)
            if address.fragment:
                assert address.fragment in parsed[target].ids, (path, address)


def test_nothing_is_loaded_from_elsewhere_and_the_policy_forbids_it(made):
    for path, page in pages(made).items():
        for tag in page.all(
            "link", "script", "img", "image", "use", "iframe", "source", "object", "embed"
        ):
            for key in ("src", "href", "data", "srcset"):
                assert "//" not in tag.get(key, ""), path
        policies = [
            tag for tag in page.all("meta") if tag.get("http-equiv") == "Content-Security-Policy"
        ]
        assert len(policies) == 1
        assert policies[0]["content"].startswith(
            "default-src 'none'; style-src 'self'; script-src 'self'"
        )
        assert page.tags.index(("meta", policies[0])) < page.tags.index(
            ("link", page.all("link")[0])
        )
        inline = [tag for tag in page.all("script") if "src" not in tag]
        assert all(tag.get("type") == "application/json" for tag in inline), (
            "a script that the policy would block"
        )
        assert not page.all("style")
        assert not any(
            "style" in tag or any(key.startswith("on") for key in tag) for _, tag in page.tags
        )
    css = made["assets/site.css"].decode()
    assert not re.search(r"@import|url\(", css)


def test_only_text_formats_are_written(made):
    """No page embeds a picture; those of our own making are files (test_atlas)."""
    assert made[".nojekyll"] == b"", "else GitHub Pages turns what it likes into other files"
    assert {PurePosixPath(path).suffix for path in made if path != ".nojekyll"} <= {
        *(".html", ".css", ".js", ".svg", ".json"),
        *(".csv", ".md", ".tex", ".bib"),
    }
    for path, page in pages(made).items():
        assert not page.all("img", "image", "picture", "video", "canvas"), path
        assert all(
            re.fullmatch(r"(\.\./)*face/[a-z]+-\d{5}\.jpg", tag["href"])
            for tag in page.all("image")
        ), path
    assert not any(b"data:image" in content or b"\x89PNG" in content for content in made.values())


def test_everything_from_results_is_escaped(make, demo, demo_references, tmp_path):
    evil = '<script>alert("x")<&script>'
    make(
        evil,
        0.04,
        variant=f"{evil}v",
        command=f"benchbox {evil}",
        data={"variant": evil, "fingerprint": evil},
    )
    found, problems = stored.read_results(tmp_path / "results")
    assert len(found) == 1
    rows = tuple(replace(row, method=evil, note=evil, apart=evil) for row in demo_references.rows)
    made = site.render_files(
        Sources((demo,), (), replace(demo_references, rows=rows), tuple(found), tuple(problems))
    )
    assert b"alert" in b"".join(made.values())
    for path, content in made.items():
        assert re.fullmatch(r"[a-z0-9._/-]+", path)
        if path.startswith("export/"):  # text for other programs, which a browser does not run
            continue
        assert b"<script>" not in content
        assert b'"x"' not in content or path.endswith(".js")
    pages(made)


def test_a_paper_link_is_followed_only_to_the_web(results, demo, demo_card, demo_references):
    card = replace(demo_card, paper={**demo_card.paper, "url": "javascript:alert(1)"})
    made = site.render_files(Sources((demo,), (card,), demo_references, (), ()))
    assert b"javascript:" not in made["method/demo-b.html"]


def test_a_method_links_the_code_and_page_that_are_known_of_its_paper(
    results, demo, demo_card, demo_references
):
    """The trap: only rows of the board led to the code, not the method's own page."""
    (paper,) = demo_references.papers.values()
    code = "https://example.org/code"
    known = replace(demo_references, papers={paper.key: replace(paper, code=code)})

    def page(work):
        card = replace(demo_card, paper=work)
        made = site.render_files(Sources((demo,), (card,), known, (), ()))
        assert (code in made["index.html"].decode()) == ("Invented" in work["title"])
        return made["method/demo-b.html"].decode()

    text = page({"title": "Invented Numbers", "authors": "A. Author et al."})
    assert f'<a href="{code}" rel="noreferrer">' in text
    assert f'<a href="{paper.url}" rel="noreferrer">paper</a>' in text
    assert "A. Author et al. <cite>" in text
    assert code not in page({"title": "Another title"})
    assert code not in page({"title": ""})


def test_paper_rows_carry_their_source(made):
    text = (
        made["protocol/demo-full.html"].decode()
        + made["protocol/demo-full/inter_pupil.html"].decode()
    )
    rows = re.findall(r'<tr data-kind="paper" .*?</tr>', text, re.DOTALL)
    assert len(rows) == 3
    assert all("Paper X, Table" in row and "kind-paper" in row for row in rows)
    assert 'id="paper-paper-x"' in text
    assert "https://example.org/x" in text


def test_a_run_page_holds_the_record_the_command_and_the_worst_faces(made, demo):
    text = made["run/demo-full/demo-a/base/0.html"].decode()
    assert "benchbox run --method demo-a --protocol demo-full" in text
    assert "sha256:" + "cd" * 32 in text
    assert "0123456789abcdef0123456789abcdef01234567" in text
    assert "samples_per_s" in text
    blocks = re.split(r'<tr class="reason">', text)
    assert re.findall(r'<th scope="row">(\w+)</th>', blocks[1]) == list(demo.groups)
    assert "inter-pupil distance" in blocks[2]
    assert ">6.82<" in blocks[2], "the inter-pupil NME on full stands under its own heading"
    worst = re.findall(r"<code>(demo/face_\d+)</code>", text)
    assert worst[:2] == ["demo/face_39", "demo/face_38"]
    assert "Training loss" in text
    assert "Cumulative error distribution" in text


# --- what cannot be read --------------------------------------------------------------------------


def test_an_unreadable_run_is_named_and_the_rest_renders(results, demo, demo_card, demo_references):
    (results / "demo-full" / "demo-a" / "base" / "0" / "run.json").write_text("{")
    (results / "demo-full" / "demo-a" / "base" / "1" / "scores.json").unlink()
    (results / "demo-full" / "demo-c" / "base" / "0" / "errors.npy").write_bytes(b"no array")
    (results / "demo-full" / "demo-d" / "submitted" / "0" / "log.csv").write_text(
        "stage,step\na,b\n"
    )
    found, problems = stored.read_results(results)
    made = site.render_files(
        Sources((demo,), (demo_card,), demo_references, tuple(found), tuple(problems))
    )
    board = made["protocol/demo-full.html"].decode()
    assert "results/demo-full/demo-a/base/0" in board
    assert "run.json:1: is no JSON" in board
    assert "scores.json: cannot be read" in board
    assert "errors.npy: came after the run was scored" in board
    assert "log.csv: was changed after the run was scored" in board
    assert "Could not be read" in made["index.html"].decode()
    assert not any(path.startswith("run/demo-full/demo-c/base/0") for path in made)
    assert not any("demo-d" in path and path.startswith("run/") for path in made)
    assert "Demo B" in board
    assert not any(str(results).encode() in content for content in made.values()), (
        "a path of this machine"
    )


def test_results_of_an_unknown_protocol_are_named(results, tmp_path):
    report.render_site(results, tmp_path / "site")
    index = (tmp_path / "site" / "index.html").read_text()
    assert "results/demo-full" in index
    assert "has no leaderboard" in index
    assert (tmp_path / "site" / "run" / "demo-full" / "demo-a" / "base" / "0.html").is_file()


# --- files ----------------------------------------------------------------------------------------


def test_two_renderings_are_equal_and_a_second_one_touches_nothing(results, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    files = report.render_site(results, first)
    report.render_site(results, second)
    assert {path.relative_to(first): path.read_bytes() for path in files} == {
        path.relative_to(second): path.read_bytes()
        for path in second.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    before = {path: path.stat().st_mtime_ns for path in files}
    report.render_site(results, first)
    assert before == {path: path.stat().st_mtime_ns for path in files}
    assert report.find_stale_files(results, first) == []


def test_an_empty_results_folder_still_has_an_index_and_all_cards(tmp_path):
    report.render_site(tmp_path / "results", tmp_path / "site")
    for name in protocol_card.protocol_names():
        assert (tmp_path / "site" / "protocol" / f"{name}.html").is_file()
    board = (tmp_path / "site" / "protocol" / "300w-full" / "inter_pupil.html").read_text()
    assert "G&amp;LSR_ω" in board
    assert "G&amp;LSR, Table 8" in board


def test_stale_names_what_differs(results, tmp_path, make):
    out = tmp_path / "site"
    assert report.find_stale_files(results, out)[0].endswith("missing")
    report.render_site(results, out)
    (out / "index.html").write_text("edited by hand")
    (out / "assets" / "site.css").unlink()
    assert report.find_stale_files(results, out) == [
        "assets/site.css: missing",
        "index.html: differs",
    ]
    report.render_site(results, out)
    make("demo-new", 0.05)
    assert "run/demo-full/demo-new/base/0.html: missing" in report.find_stale_files(results, out)


def test_pages_of_removed_runs_go_and_other_files_stay(results, tmp_path):
    out = tmp_path / "site"
    report.render_site(results, out)
    (out / "CNAME").write_text("example.org")
    (out / "run" / "notes.txt").write_text("mine")
    old = results / "demo-full" / "demo-c" / "base" / "0" / "run.json"
    old.unlink()
    assert "run/demo-full/demo-c/base/0.html: left over" in report.find_stale_files(results, out)
    report.render_site(results, out)
    assert not (out / "run" / "demo-full" / "demo-c").exists()
    assert (out / "CNAME").read_text() == "example.org"
    assert (out / "run" / "notes.txt").read_text() == "mine"


def test_a_foreign_file_in_the_way_is_never_overwritten(results, tmp_path):
    out = tmp_path / "homepage"
    out.mkdir()
    (out / "index.html").write_text("my homepage")
    with pytest.raises(
        ResultError, match=r"index\.html: was not written by benchbox report; .* choose another"
    ):
        report.render_site(results, out)
    assert [path.name for path in out.iterdir()] == ["index.html"]


@pytest.mark.parametrize(
    "name", ["../outside.html", "/etc/outside.html", "notes.txt", "a/../../outside.html"]
)
def test_a_manifest_that_points_elsewhere_is_refused(results, tmp_path, name):
    out = tmp_path / "site"
    out.mkdir()
    (out / "manifest.json").write_text(
        json.dumps({"made_by": "benchbox report", "files": {name: ""}})
    )
    (tmp_path / "outside.html").write_text("mine")
    with pytest.raises(ResultError, match="no manifest of benchbox report"):
        report.render_site(results, out)
    assert (tmp_path / "outside.html").read_text() == "mine"


def test_an_unwritable_site_is_one_clear_line(results, tmp_path):
    (tmp_path / "file").write_text("")
    # "File exists" and "Not a directory" do not say which file is in the way
    for out in ("file", "file/site"):
        with pytest.raises(ResultError, match=r"cannot be written: .*file is a file, not a folder; "
                           r"choose --out DIR"):  # fmt: skip
            report.render_site(results, tmp_path / out)


def test_an_interrupted_first_rendering_can_be_done_again(results, tmp_path, monkeypatch):
    out = tmp_path / "site"
    real, written = output._replace_file, []

    def stop(path: Path, content: bytes) -> None:
        real(path, content)
        written.append(path)
        if len(written) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(output, "_replace_file", stop)
    with pytest.raises(KeyboardInterrupt):
        report.render_site(results, out)
    monkeypatch.setattr(output, "_replace_file", real)
    report.render_site(results, out)
    assert report.find_stale_files(results, out) == []


def test_a_merge_conflict_in_the_manifest_is_mended_by_rendering(tmp_path):
    """Trap: the advice was to delete the manifest, after which every file was a stranger's."""
    out = tmp_path / "site"
    wanted = {"a.html": output.SiteFile(str, lambda: b"a")}
    output.write_site(wanted, out)
    (out / "theirs.html").write_text("of the other branch")
    manifest = out / output.MANIFEST
    lines = manifest.read_text().splitlines()
    entry = next(number for number, line in enumerate(lines) if "a.html" in line)
    theirs = '  "theirs.html": "sha256:00"'
    lines[entry:entry] = ["<<<<<<< HEAD", lines[entry] + ",", "=======", theirs, ">>>>>>> other"]
    del lines[entry + 5]
    manifest.write_text("\n".join(lines) + "\n")
    output.write_site(wanted, out)
    assert not (out / "theirs.html").exists(), "a page of an earlier rendering"
    assert json.loads(manifest.read_text())["files"].keys() == {"a.html"}
    manifest.write_text("<<<<<<< HEAD\n" + json.dumps({"made_by": "somebody", "files": {}}))
    with pytest.raises(ResultError, match="delete the whole folder"):
        output.write_site(wanted, out)
    # what that message advises
    shutil.rmtree(out)
    output.write_site(wanted, out)
    manifest.unlink()
    with pytest.raises(ResultError, match="which names the files of a site, is not there"):
        output.write_site(wanted, out)


def test_no_conflict_leads_out_of_the_site(tmp_path):
    out = tmp_path / "site"
    out.mkdir()
    outside = tmp_path / "kept.html"
    outside.write_text("kept")
    text = '<<<<<<< HEAD\n "made_by": "benchbox report",\n "../kept.html": "sha256:00",\n'
    (out / output.MANIFEST).write_text(text)
    with pytest.raises(ResultError, match="no manifest"):
        output.write_site({}, out)
    assert outside.exists()
