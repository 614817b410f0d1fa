"""Operations on a lake: used by the command line and by assets."""
