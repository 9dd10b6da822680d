"""Runs: what to train (spec), under which name (key), what came out (record), and where (store)."""
