"""AWS: its environment variables and profiles, clients of its API, and error texts without private names."""
