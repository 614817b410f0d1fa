"""The settings: environment variables, read, checked and described in one place."""
