"""What the families share. Nothing here knows a family."""
