"""A README as HTML: what is marked up, and that nothing else gets through."""

import pytest

from benchbox.report.pages.markdown import render_markdown


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("# One\n## Two", "<h3>One</h3>\n<h4>Two</h4>"),
        ("a\nb\n\nc", "<p>a b</p>\n<p>c</p>"),
        ("- a\n  more\n- b", "<ul><li>a more</li><li>b</li></ul>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("Text:\n- a", "<p>Text:</p>\n<ul><li>a</li></ul>"),
        (
            "```sh\na < b\n\nc\n```\nd",
            '<pre tabindex="0"><code>a &lt; b\n\nc</code></pre>\n<p>d</p>',
        ),
        (
            "**bold** and *light* and a*b*c",
            "<p><strong>bold</strong> and <em>light</em> and a*b*c</p>",
        ),
        ("`**x**`", "<p><code>**x**</code></p>"),
        ("[a](https://example.org/x_y)", '<p><a href="https://example.org/x_y">a</a></p>'),
        ("[a](docs/b.md)", "<p>a</p>"),
        ("![picture](face.png)", "<p>picture</p>"),
    ],
)
def test_marks(text, wanted):
    assert render_markdown(text) == wanted


def test_a_table_scrolls_by_itself():
    text = render_markdown("| a | b |\n|---|--:|\n| `1` | 2 |")
    assert '<th scope="col">a</th>' in text
    assert "<td><code>1</code></td><td>2</td>" in text
    assert text.startswith('<div class="scroll"')


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "# <script>",
        "- <img src=x onerror=alert(1)>",
        "`<script>`",
        "```\n<script>\n```",
        "[a](javascript:alert(1))",
        '[a](https://x"onmouseover="alert(1))',
        "| <script> |\n|---|\n| <script> |",
        "[<script>](https://example.org)",
    ],
)
def test_nothing_gets_through(text):
    made = render_markdown(text)
    assert "<script" not in made
    assert "<img" not in made
    assert "javascript:" not in made
    assert 'onmouseover="' not in made


def test_an_open_fence_ends_with_the_text():
    assert render_markdown("```\na") == '<pre tabindex="0"><code>a</code></pre>'
