"""The API's views, by role."""
