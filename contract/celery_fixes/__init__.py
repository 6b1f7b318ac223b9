"""Faults of Celery and kombu that are worked around here, each with what it costs."""
