"""Talks and connects: the ways in, the ways out, the desk, the background work, the command line."""
