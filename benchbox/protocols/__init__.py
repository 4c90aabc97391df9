"""Protocol cards: TOML to a frozen value (`protocol_card`), checked (`schema`), varied (`options`), in words (`describe`)."""
