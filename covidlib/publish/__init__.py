"""From percent scripts to a checked book: pair, execute, stage, build, verify."""
