"""Log-in, throttling, rate limits, sessions, second factor, response headers and the admin site."""
