"""Collections: one package that two distributions name is read once."""

from benchbox.plugins import discovery


def test_an_older_installation_beside_this_one_is_no_second_collection(world):
    """Trap: `benchbox` 0.1 installed before the distribution was renamed: every paper twice."""
    before = discovery.find_collections(discovery.PROTOCOLS)
    for name in ("older-benchbox", "newer-benchbox"):
        info = world.site / f"{name}-0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(
            "[benchbox.protocols]\nbenchbox = benchbox_protocols\nagain = tiny_cards\n"
        )
    after = discovery.find_collections(discovery.PROTOCOLS)
    assert len(before) == len(after) >= 2
    assert len({found.folder.resolve() for found in after}) == len(after)
