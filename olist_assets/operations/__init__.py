"""What people do with a lake; used by the command line and by assets."""
