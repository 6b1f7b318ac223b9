"""The web of teleder: the clinical record, the pages and the API."""
