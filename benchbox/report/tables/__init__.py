"""Values of tables made of results and paper rows; `charts` next door draws them, `pages` print."""
