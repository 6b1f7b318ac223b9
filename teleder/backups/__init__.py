"""Backups of database and photos together: made, verified and restored by one command each (`manage.py backup`)."""
