"""The trackers that ship with the project, one a module."""
