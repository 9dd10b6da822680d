"""The two stages of manet as one: segment, clean, mask, classify, explain (manet sec. 3.1)."""
