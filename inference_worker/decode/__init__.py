"""Untrusted bytes to pixels, in a process that can do nothing else."""
