"""AWS: what its variables say, clients of its API, and error texts without private names."""
