"""The catalogue's cases, a file a subject."""
