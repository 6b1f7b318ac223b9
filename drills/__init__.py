"""Drills: break teleder on purpose and count what was lost (`./run drills`, docs/reliability.md)."""
