"""Programs that the launcher runs in the image, before the app's process."""
