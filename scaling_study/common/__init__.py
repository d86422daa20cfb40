"""What every room uses: errors, paths, checked values, files, numbers as text."""
