"""The one command: which commands there are, their help, and how they are found."""
