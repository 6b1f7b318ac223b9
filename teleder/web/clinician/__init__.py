"""Pages of dermatologists."""
