"""Untrusted photos to pixels, in a process of its own that can do nothing else (`sandbox`). It holds no password."""
