"""Who gets in, how often, and what every answer carries."""
