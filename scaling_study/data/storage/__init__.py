"""Where images lie: downloads, indexes of folders, arrays in the cache."""
