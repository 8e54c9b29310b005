"""What the image runs: processes from a Procfile or from the app itself."""
