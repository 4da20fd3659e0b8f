"""Timings against peers, and the real data that tests and examples share."""
