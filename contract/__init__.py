"""What web and worker must agree on. Imports neither of them, no Django, no torch."""
