"""Networks, one idea per module."""
