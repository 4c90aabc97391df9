"""Advice in messages leads where it says: PyPI's `benchbox` is another program."""

from pathlib import Path

TOP = Path(__file__).parents[1]


def test_no_message_or_page_advises_an_install_of_another_program():
    """Trap: in a fresh environment `pip install 'benchbox[data]'` brings a database benchmark."""
    texts = [*TOP.glob("*.md"), *(TOP / "docs").glob("*.md")]
    for folder in ("benchbox", "methods"):
        for suffix in ("*.py", "*.md", "*.html"):
            texts += (TOP / folder).rglob(suffix)
    assert len(texts) > 300
    for path in texts:
        text = path.read_text(encoding="utf-8")
        assert "install benchbox" not in text, path
        assert "install 'benchbox" not in text, path
        assert 'install "benchbox' not in text, path
